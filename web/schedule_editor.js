// The schedule editor on Fresco Schedule. Without it the node's widgets do all the same.

import { app } from '../../scripts/app.js'
import { link, sizeOf, stepsBehind, widget } from './fresco/graph.js'
import { setActive } from './fresco/inactive.js'
import { loadLanguage } from './fresco/language.js'
import { followOutput } from './fresco/outputs.js'
import { addPanel, chain, enlarge } from './fresco/panel.js'
import { ask } from './fresco/server.js'
import { say } from './fresco/words.js'
import { addWords } from './fresco/words_panel.js'
import { addStyle } from './schedule/dom.js'
import { createEditor } from './schedule/editor.js'

const SIZE = { width: 380, height: 320 }
const NAMES = ['preset', 'text', 'draft_level', 'draft_share', 'refine_from', 'steps', 'baseline_steps']

/** Grey out the widgets that the choice in `preset` does not read. */
function showUsed(node) {
  const source = link(node, 'preset') ? null : widget(node, 'preset')?.value
  setActive(widget(node, 'text'), source === null || source === 'from text')
  for (const name of ['draft_level', 'draft_share', 'refine_from']) setActive(widget(node, name), source === null || source === 'from numbers')
}

/** Words where the sampler that the schedule goes to takes another number of steps than the node draws. */
function otherSteps(node) {
  const [drawn, taken] = [widget(node, 'steps')?.value, stepsBehind(node)]
  return taken === null || taken === drawn ? null : say('the sampler takes {taken} steps, and this node draws {drawn}', { taken, drawn })
}

function captureForUndo() {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker
  if (tracker?.captureCanvasState) tracker.captureCanvasState()
  else tracker?.checkState?.()
}

function addEditor(node) {
  let known = null
  const editor = createEditor({
    ask,
    fields() {
      const values = Object.fromEntries(NAMES.map((name) => [name, widget(node, name)?.value]))
      const size = sizeOf(node, 'latent')
      return { ...values, ...(known ? { known } : size ? { size } : {}) }
    },
    write(values) {
      for (const [name, value] of Object.entries(values)) {
        const target = widget(node, name)
        target.value = value
        target.callback?.(value, app.canvas, node)
      }
      node.graph?.setDirtyCanvas(true, true)
      captureForUndo()
    },
    locked() {
      const linked = ['preset', 'text'].find((name) => link(node, name))
      return linked ? say('{input} comes from another node: edit it there', { input: linked }) : null
    },
    conflict: () => otherSteps(node)
  })
  editor.element.style.minHeight = `${SIZE.height}px`
  addPanel(node, 'fresco_editor', editor.element, {
    getValue: () => '',
    setValue: () => {},
    getMinHeight: () => SIZE.height + 20
  })
  const [width, height] = node.computeSize()
  enlarge(node, Math.max(SIZE.width, width), height)
  let timer = null
  const refresh = () => {
    showUsed(node)
    clearTimeout(timer)
    timer = setTimeout(editor.refresh, 30)
  }
  for (const name of NAMES) {
    const target = widget(node, name)
    if (target) chain(target, 'callback', refresh)
  }
  followOutput(node, ['text', 'fresco_known'], (output) => {
    known = output.fresco_known?.[0] ?? known
    refresh()
  })
  chain(node, 'onConnectionsChange', () => {
    known = null // another model or latent: assume again until the next run
    refresh()
  })
  chain(node, 'onAdded', () => {
    editor.attach()
    refresh()
  })
  chain(node, 'onRemoved', () => {
    clearTimeout(timer)
    editor.destroy()
  })
}

app.registerExtension({
  name: 'fresco.ScheduleEditor',
  init: loadLanguage,
  setup: addStyle,
  nodeCreated(node) {
    if (node.constructor.comfyClass !== 'FrescoSchedule') return
    addEditor(node)
    addWords(node)
  }
})
