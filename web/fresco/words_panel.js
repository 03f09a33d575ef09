// What a node says of its run, in words.
//
// The host has a text widget for what nodes send while they run, which breaks lines within words in the classic canvas,
// joins them in Nodes 2.0, is gone after the run, an undo, a change of tabs or a reload, and is looked for in the graph
// that is shown alone. It looks for its widget by name before it makes one, and finds one of ours that takes nothing: the
// words come by an event of our own, which finds nodes in subgraphs as well.

import { api } from '../../../scripts/api.js'
import { app } from '../../../scripts/app.js'
import { nodeAt } from './graph.js'
import { followOutput } from './outputs.js'
import { addPanel, enlarge } from './panel.js'
import { remember } from './runs.js'
import { addStyle, element } from './style.js'
import { told } from './told.js'
import { say } from './words.js'

const HOSTS_NAME = '$$node-text-preview'
const MARGINS = 20 // around a panel in the classic canvas
const HEIGHT = { least: 84, most: 170 }
const WIDTH_AHEAD = 340
const HEIGHT_AHEAD = { least: 168, most: 260 } // with what the node will do; taken before there are words too, so that words change no node's size

const writers = new WeakMap() // of nodes with a panel

api.addEventListener('fresco_words', ({ detail }) => {
  const node = nodeAt(app, detail.node)
  if (node) writers.get(node)?.(detail.text)
})

/**
 * Give a node a panel for its words, below what it has: those of its last run, and, `ahead`, above them what it will do.
 * Returns how to write what it will do, or what is wrong: {forecast, problem}, each of a text and further notes.
 */
export function addWords(node, ahead = false) {
  addStyle()
  const hint = say('What the run did appears here.')
  const coming = element('div', { className: 'fresco-coming', hidden: !ahead })
  const result = element('strong')
  const details = element('div')
  const paper = element('div', { className: 'fresco-words' }, coming, result, details)
  let words = ''
  const write = (found) => {
    words = found
    const [first, ...rest] = (told(words) || hint).split('\n')
    result.textContent = first
    details.textContent = rest.join('\n')
    result.classList.toggle('fresco-hint', words === '')
  }
  const announce = (wrong) => (text, notes = []) => {
    coming.replaceChildren(element('div', { textContent: text, className: wrong ? 'fresco-problem' : '' }), ...notes.map((note) => element('div', { textContent: note, className: 'fresco-caution' })))
    coming.firstChild.setAttribute('role', wrong ? 'alert' : 'status')
  }
  write('')
  const height = ahead ? HEIGHT_AHEAD : HEIGHT
  paper.style.setProperty('--fresco-height', `${height.least - MARGINS}px`)
  paper.dataset.captureWheel = 'true' // Nodes 2.0 leaves the wheel to it
  paper.addEventListener('wheel', (event) => {
    if (paper.scrollHeight > paper.clientHeight) event.stopPropagation()
  }, { passive: true })
  addPanel(node, 'fresco_words', paper, {
    getValue: () => words,
    setValue: () => {},
    getMinHeight: () => height.least,
    getMaxHeight: () => height.most
  })
  writers.set(node, (found) => {
    write(found)
    remember(node, app, { text: [found] })
  })
  standIn(node)
  const size = node.computeSize()
  enlarge(node, ahead ? Math.max(size[0], WIDTH_AHEAD) : size[0], size[1])
  followOutput(node, ['text', 'fresco_known'], ({ text }) => write(text?.[0] ?? ''))
  return { forecast: announce(false), problem: announce(true) }
}

/** Stand in for the host's text widget on a node; newer hosts remove it when a run ends. */
function standIn(node) {
  const widget = {
    name: HOSTS_NAME,
    type: 'hidden',
    hidden: true,
    serialize: false,
    options: { serialize: false, hidden: true, canvasOnly: true },
    computeSize: () => [0, -4], // the host adds 4 to every widget
    draw: () => {},
    get value() {
      return ''
    },
    set value(_) {},
    onRemove: () => setTimeout(() => node.graph && node.addCustomWidget(widget))
  }
  node.addCustomWidget(widget)
}
