// What a node says of its run, in words.
//
// The host has a text widget for what nodes send while they run, which breaks lines within words in the classic canvas,
// joins them in Nodes 2.0, and is gone after the run, an undo, a change of tabs or a reload. It looks for its widget by
// name before it makes one, and finds one of ours that hands the words to the panel.

import { app } from '../../../scripts/app.js'
import { followOutput } from './outputs.js'
import { addPanel, enlarge } from './panel.js'
import { remember } from './runs.js'
import { addStyle, element } from './style.js'
import { say } from './words.js'

const HOSTS_NAME = '$$node-text-preview'
const MARGINS = 20 // around a panel in the classic canvas
const HEIGHT = { least: 84, most: 170 } // taken before there are words too, so that words change no node's size

/** Give a node a panel for its words, below what it has. */
export function addWords(node) {
  addStyle()
  const hint = say('What was done is told here when the graph runs.')
  const paper = element('div', { className: 'fresco-words' })
  let words = ''
  const write = (found) => {
    words = found
    paper.textContent = words || hint
    paper.classList.toggle('fresco-hint', words === '')
  }
  write('')
  paper.style.setProperty('--fresco-height', `${HEIGHT.least - MARGINS}px`)
  paper.dataset.captureWheel = 'true' // Nodes 2.0 leaves the wheel to it
  paper.addEventListener('wheel', (event) => {
    if (paper.scrollHeight > paper.clientHeight) event.stopPropagation()
  }, { passive: true })
  addPanel(node, 'fresco_words', paper, {
    getValue: () => words,
    setValue: () => {},
    getMinHeight: () => HEIGHT.least,
    getMaxHeight: () => HEIGHT.most
  })
  takeWords(node, (found) => {
    write(found)
    if (node.graph) remember(node, app, { text: [found] })
  })
  const size = node.computeSize()
  enlarge(node, size[0], size[1])
  followOutput(node, ['text', 'fresco_known'], ({ text }) => write(text?.[0] ?? ''))
}

/** Stand in for the host's text widget on a node; newer hosts remove it when a run ends. */
function takeWords(node, take) {
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
    set value(words) {
      if (words) take(String(words))
    },
    onRemove: () => setTimeout(() => node.graph && node.addCustomWidget(widget))
  }
  node.addCustomWidget(widget)
}
