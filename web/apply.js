// Fresco Apply and Fresco KSampler before a run: what they will do, what is wrong, and what has no effect.

import { api } from '../../scripts/api.js'
import { app } from '../../scripts/app.js'
import { sentence } from './fresco/forecast.js'
import { link, nodeAt, origin, partial, samplerBehind, sizeOf, stepsOf, valueOf, widget } from './fresco/graph.js'
import { setActive } from './fresco/inactive.js'
import { loadLanguage } from './fresco/language.js'
import { alive, chain } from './fresco/panel.js'
import { recall, remember } from './fresco/runs.js'
import { ask } from './fresco/server.js'
import { told } from './fresco/told.js'
import { addWords } from './fresco/words_panel.js'
import { say } from './fresco/words.js'

const NODES = ['FrescoApply', 'FrescoKSampler']
const WATCHED = ['preset', 'schedule', 'steps', 'baseline_steps', 'live_heatmap']
const COARSEST = [2048, 2048] // pixels at which `~` takes the coarsest level of a schedule
const EVERY = 1000 // milliseconds between looks at what other nodes say

const nodes = new Set()

/** What a run has told of a node's model and latent, if that was of this size; the host's record of outputs has none. */
function knownOf(node, size) {
  const known = node.frescoKnown ?? recall(node, app).fresco_known?.[0] ?? null
  const [height, width] = known?.canvas ?? []
  const same = !size || (Math.abs(width * known?.scale - size[0]) < known?.scale && Math.abs(height * known?.scale - size[1]) < known?.scale)
  return known && same ? known : null
}

/** What the sampler says: of Fresco KSampler itself, or of the one behind Fresco Apply. */
function sampling(node) {
  if (node.constructor.comfyClass === 'FrescoKSampler') return { steps: stepsOf(node), size: sizeOf(node, 'latent_image'), part: partial(node) }
  return samplerBehind(node)
}

/** What a Fresco Schedule's widgets say, as the route takes it; null for any other node. */
function scheduleOf(node) {
  if (node?.type !== 'FrescoSchedule') return null
  return Object.fromEntries(['preset', 'text', 'draft_level', 'draft_share', 'refine_from'].map((name) => [name, widget(node, name)?.value]))
}

/** Words about inputs that do nothing, or contradict each other. */
function conflicts(node) {
  const found = []
  if (node.inputs?.some((i) => i.name === 'upscale_model' && i.link != null) && !link(node, 'vae'))
    found.push(say('upscale_model needs vae, and is not used'))
  const previews = app.extensionManager?.setting?.get?.('Comfy.Execution.PreviewMethod')
  if (widget(node, 'live_heatmap')?.value && previews === 'none')
    found.push(say('no live heatmap: previews are off; choose a preview method in the settings (Execution)'))
  return found
}

function watch(node, words) {
  let asked = ''
  let timer = null

  async function look() {
    if (!node.graph) return
    const schedule = widget(node, 'schedule')?.value ?? ''
    const linked = link(node, 'schedule') !== null
    const used = linked || schedule.trim() !== ''
    setActive(widget(node, 'preset'), !used)
    const { steps, size, part } = sampling(node)
    const known = knownOf(node, size)
    const preset = used ? 'from text' : valueOf(node, 'preset')
    const source = linked ? scheduleOf(origin(node, 'schedule')) : preset === undefined ? null : { preset, text: schedule }
    const request = { ...source, steps: steps ?? 20, baseline_steps: 0, ...(known ? { known } : { size: COARSEST }) }
    const notes = conflicts(node)
    const vae = link(node, 'vae') !== null
    if (linked) notes.unshift(say('The schedule that is connected is used, not the preset.'))
    const key = JSON.stringify([request, notes, linked, steps, size, part, vae])
    if (key === asked) return
    asked = key
    if (source === null) return words.forecast(notes[0] ?? '', notes.slice(1))
    const answer = await ask(request).catch(() => null)
    if (key !== asked) return
    if (vae && !linked && answer?.text && !/via\s+pixels/i.test(answer.text)) notes.push(say('vae is not used: the schedule does not say via pixels'))
    if (answer === null) asked = '' // the server may come back
    else if (answer.error && answer.read && steps === null) words.forecast(answer.read, notes) // of steps that nobody knows yet
    else if (answer.error) words.problem(told(answer.error), notes)
    else if (part) words.forecast(say('The run starts or ends part way: what it does is told when it runs.'), notes)
    else {
      const coming = sentence(answer, known !== null && !answer.assumed.length)
      words.forecast(steps === null ? say('as many steps as the sampler takes; of 20: {told}', { told: coming }) : coming, notes)
    }
  }

  const soon = () => {
    clearTimeout(timer)
    timer = setTimeout(look, 60)
  }
  for (const name of WATCHED) {
    const target = widget(node, name)
    if (target) chain(target, 'callback', soon)
  }
  for (const method of ['onConnectionsChange', 'onConfigure', 'onAdded']) chain(node, method, soon)
  chain(node, 'onRemoved', () => clearTimeout(timer))
  soon()
  return look
}

app.registerExtension({
  name: 'fresco.Apply',
  init: loadLanguage,

  setup() {
    setInterval(() => {
      for (const entry of nodes) {
        if (!alive(entry.node)) nodes.delete(entry)
        else if (entry.node.graph === app.canvas?.graph) entry.look()
      }
    }, EVERY)
    api.addEventListener('fresco_known', ({ detail }) => {
      const found = nodeAt(app, detail.node)
      for (const { node, look } of nodes) {
        if (node !== found) continue
        node.frescoKnown = detail.known
        remember(node, app, { fresco_known: [detail.known] })
        look()
      }
    })
  },

  nodeCreated(node) {
    if (!NODES.includes(node.constructor.comfyClass)) return
    const entry = { node, look: watch(node, addWords(node, true)) }
    chain(node, 'onRemoved', () => nodes.delete(entry))
    chain(node, 'onAdded', () => nodes.add(entry))
  }
})
