// Puts the viewer on every FrescoConvergence node, in the classic canvas and in Nodes 2.0.

import { app } from '../../scripts/app.js'
import { api } from '../../scripts/api.js'
import { loadLanguage } from './fresco/language.js'
import { followOutput } from './fresco/outputs.js'
import { addPanel, chain, enlarge } from './fresco/panel.js'
import { told } from './fresco/told.js'
import { ConvergenceViewer } from './fresco/viewer.js'
import { say } from './fresco/words.js'

const MIN_HEIGHT = 330
const SIZE = [380, 780]
const MOST_RECORDS = 8

const records = new Map()

/** The record of a run, from its file in the host's temporary folder; null where the host has it no more. */
function recordOf(name) {
  const found = records.get(name) ?? load(name)
  records.delete(name)
  records.set(name, found)
  if (records.size > MOST_RECORDS) records.delete(records.keys().next().value)
  return found
}

async function load(name) {
  const response = await api.fetchApi(`/view?${new URLSearchParams({ filename: name, type: 'temp' })}`).catch(() => null)
  if (response?.ok) return response.json()
  records.delete(name) // it may come back with the connection
  return null
}

/** What shows a node's output on its viewer; of runs that follow each other only the last is shown. */
function showOn(viewer) {
  let shown
  return async (output) => {
    const name = output.run?.[0] ?? null
    const note = output.note?.[0] ?? ''
    if (shown === `${name} ${note}`) return
    shown = `${name} ${note}`
    const asked = shown
    const record = name === null ? null : await recordOf(name)
    if (shown !== asked) return
    const gone = name !== null && record === null
    if (gone) shown = undefined
    viewer.receive(record, gone ? say('The host has this run no more: queue the graph again.') : told(note))
  }
}

app.registerExtension({
  name: 'fresco.Convergence',
  init: loadLanguage,

  nodeCreated(node) {
    if (node.constructor.comfyClass !== 'FrescoConvergence') return
    const viewer = new ConvergenceViewer()
    addPanel(node, 'viewer', viewer.element, { getMinHeight: () => MIN_HEIGHT })
    enlarge(node, ...SIZE)

    // the viewer shows what the host's own gallery below the node would repeat
    node.hideOutputImages = true
    node.onDrawBackground = () => {}

    const resize = new ResizeObserver(() => viewer.fit())
    resize.observe(viewer.stage)
    followOutput(node, ['run', 'note'], showOn(viewer))
    chain(node, 'onRemoved', () => {
      viewer.stop()
      resize.disconnect()
    })
  }
})
