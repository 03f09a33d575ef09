// Words of their runs on the nodes that send some and have no editor.

import { app } from '../../scripts/app.js'
import { loadLanguage } from './fresco/language.js'
import { addWords } from './fresco/words_panel.js'

const NODES = ['FrescoApply', 'FrescoKSampler', 'FrescoCompare']

app.registerExtension({
  name: 'fresco.Results',
  init: loadLanguage,
  nodeCreated(node) {
    if (NODES.includes(node.constructor.comfyClass)) addWords(node)
  }
})
