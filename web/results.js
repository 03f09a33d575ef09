// What a node says of its run, in words: on the nodes that send text while they run.
//
// The host has a text widget for such messages, which breaks lines within words in the classic canvas, joins them in
// Nodes 2.0, and forgets them with every undo, change of tabs and reload. It looks for its widget by name before it makes
// one, and finds ours.

import { app } from '../../scripts/app.js'
import { loadLanguage } from './fresco/language.js'
import { followOutput } from './fresco/outputs.js'
import { addPanel, enlarge } from './fresco/panel.js'
import { remember } from './fresco/runs.js'
import { addStyle, element } from './fresco/style.js'
import { say } from './fresco/words.js'

const HOSTS_NAME = '$$node-text-preview'
const NODES = ['FrescoApply', 'FrescoKSampler', 'FrescoSchedule', 'FrescoCompare']
const MARGINS = 20 // around a panel in the classic canvas
const HEIGHT = { least: 84, most: 170 } // taken before there are words too, so that words change no node's size

function addWords(node) {
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
  paper.style.minHeight = `${HEIGHT.least - MARGINS}px`
  addPanel(node, HOSTS_NAME, paper, {
    getValue: () => words,
    setValue(found) {
      write(String(found))
      if (node.graph) remember(node, app, { text: [words] })
    },
    getMinHeight: () => HEIGHT.least,
    getMaxHeight: () => HEIGHT.most
  })
  const size = node.computeSize()
  enlarge(node, size[0], size[1])
  followOutput(node, ['text', 'fresco_known'], ({ text }) => write(text?.[0] ?? ''))
}

app.registerExtension({
  name: 'Fresco.Results',
  init: loadLanguage,
  nodeCreated(node) {
    if (NODES.includes(node.constructor.comfyClass)) addWords(node)
  }
})
