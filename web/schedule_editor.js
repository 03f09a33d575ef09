// The schedule editor on Fresco Schedule. Without it the node's widgets do all the same.

import { api } from '../../scripts/api.js'
import { app } from '../../scripts/app.js'
import { loadLanguage } from './fresco/language.js'
import { followOutput } from './fresco/outputs.js'
import { addPanel, chain, enlarge } from './fresco/panel.js'
import { say } from './fresco/words.js'
import { addWords } from './fresco/words_panel.js'
import { addStyle } from './schedule/dom.js'
import { createEditor } from './schedule/editor.js'

const SIZE = { width: 380, height: 320 }
const NAMES = ['preset', 'text', 'draft_level', 'draft_share', 'refine_from', 'steps', 'baseline_steps']

function widget(node, name) {
  return node.widgets?.find((w) => w.name === name)
}

function link(node, name) {
  const input = node.inputs?.find((i) => i.name === name)
  return input?.link == null ? null : (node.graph?.getLink?.(input.link) ?? node.graph?.links?.[input.link])
}

/** Width and height in pixels of the latent that is connected, where its node has them as widgets. */
function sizeOf(node) {
  const origin = node.graph?.getNodeById(link(node, 'latent')?.origin_id)
  const size = ['width', 'height'].map((name) => origin && widget(origin, name)?.value)
  return size.every((n) => Number.isFinite(n) && n >= 16) ? size : null
}

function post(request) {
  return api.fetchApi('/fresco/plan', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(request)
  })
}

/** The server's answer; without what a run has told where it takes that for no request, as of another version. */
async function ask(request) {
  const response = await post(request)
  if (response.status !== 400 || !request.known) return response.json()
  return (await post({ ...request, known: undefined })).json()
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
      const size = sizeOf(node)
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
    }
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
  chain(node, 'onRemoved', () => {
    clearTimeout(timer)
    editor.destroy()
  })
  refresh()
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
