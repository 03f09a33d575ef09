// The slider on Fresco Compare, and the words of its run.

import { app } from '../../scripts/app.js'
import { api } from '../../scripts/api.js'
import { loadLanguage } from './fresco/language.js'
import { followOutput } from './fresco/outputs.js'
import { addPanel, enlarge } from './fresco/panel.js'
import { PictureSlider } from './fresco/slider.js'
import { addWords } from './fresco/words_panel.js'

const MIN_HEIGHT = 300
const SIZE = [360, 720]

const address = (entry) => api.apiURL(`/view?${new URLSearchParams(entry)}`)

app.registerExtension({
  name: 'fresco.Compare',
  init: loadLanguage,

  nodeCreated(node) {
    if (node.constructor.comfyClass !== 'FrescoCompare') return
    const slider = new PictureSlider()
    addPanel(node, 'slider', slider.element, { getMinHeight: () => MIN_HEIGHT })
    addWords(node)
    enlarge(node, ...SIZE)
    node.hideOutputImages = true // the slider shows what the host's gallery would repeat
    node.onDrawBackground = () => {}
    followOutput(node, ['pairs', 'names', 'text'], ({ pairs, names }) => {
      const shown = (pairs ?? []).map((pair) => Object.fromEntries(Object.entries(pair).map(([name, entry]) => [name, address(entry)])))
      slider.receive(shown, names ?? ['', ''])
    })
  }
})
