// Tells panels of their node's last run: when it ends, when the node is made anew, when the host restores outputs.

import { app } from '../../../scripts/app.js'
import { alive, chain } from './panel.js'
import { recall, remember } from './runs.js'

const updates = new Set()

/**
 * Call `show(output)` with the node's last output now and whenever it changes; `keep` names what of it is to be there
 * after a reload of the page.
 */
export function followOutput(node, keep, show) {
  const update = () => {
    if (!node.graph) return
    if (!alive(node)) updates.delete(update)
    else show(recall(node, app))
  }
  const later = () => setTimeout(update)
  chain(node, 'onExecuted', (output) => {
    remember(node, app, Object.fromEntries(keep.map((name) => [name, output?.[name] ?? null])))
    show(output ?? {})
  })
  chain(node, 'onAdded', () => {
    updates.add(update)
    later()
  })
  chain(node, 'onConfigure', later)
  chain(node, 'onRemoved', () => updates.delete(update))
}

app.registerExtension({
  name: 'fresco.Outputs',
  onNodeOutputsUpdated() {
    for (const update of updates) update()
  }
})
