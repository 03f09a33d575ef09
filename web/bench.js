// Figures of Fresco Bench on its node, and the button that keeps a schedule as a preset.

import { api } from '../../scripts/api.js'
import { app } from '../../scripts/app.js'
import { createBenchPanel } from './fresco/bench_panel.js'
import { loadLanguage } from './fresco/language.js'
import { followOutput } from './fresco/outputs.js'
import { addPanel, enlarge } from './fresco/panel.js'
import { told } from './fresco/told.js'
import { say } from './fresco/words.js'
import { addWords } from './fresco/words_panel.js'

const MIN_HEIGHT = 230
const SIZE = [460, 900]

/** Have the host keep or forget a preset, and every node's choice of presets renewed; an error's words, or null. */
async function change(request) {
  let answer
  try {
    const response = await api.fetchApi('/fresco/presets', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(request)
    })
    answer = await response.json()
  } catch (failure) {
    return say('the server did not answer: {reason}', { reason: failure.message })
  }
  if (answer.error) return told(answer.error)
  await Promise.resolve(app.refreshComboInNodes?.()).catch(() => {}) // the choices are renewed with the page
  return null
}

/** The names of the user's presets. */
async function list() {
  const response = await api.fetchApi('/fresco/presets')
  return Object.keys((await response.json()).kept ?? {})
}

app.registerExtension({
  name: 'fresco.Bench',
  init: loadLanguage,
  nodeCreated(node) {
    if (node.constructor.comfyClass !== 'FrescoBench') return
    addWords(node)
    const panel = createBenchPanel(change, list)
    addPanel(node, 'fresco_bench', panel.element, { getValue: () => '', setValue: () => {}, getMinHeight: () => MIN_HEIGHT })
    enlarge(node, ...SIZE)
    followOutput(node, ['text', 'fresco_bench'], (output) => panel.show(output.fresco_bench?.[0] ?? null))
  }
})
