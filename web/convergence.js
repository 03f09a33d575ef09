// Puts the viewer on every FrescoConvergence node, in the classic canvas and in Nodes 2.0.

import { app } from '../../scripts/app.js'
import { api } from '../../scripts/api.js'
import { loadLanguage } from './fresco/language.js'
import { ConvergenceViewer } from './fresco/viewer.js'

const MIN_HEIGHT = 330
const SIZE = [380, 780]

function urlOf({ filename, subfolder = '', type = 'temp' }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`)
}

app.registerExtension({
  name: 'Fresco.Convergence',
  init: loadLanguage,

  nodeCreated(node) {
    if (node.constructor.comfyClass !== 'FrescoConvergence') return
    const viewer = new ConvergenceViewer(urlOf)
    const widget = node.addDOMWidget('viewer', 'fresco_viewer', viewer.element, {
      serialize: false,
      hideOnZoom: false,
      getMinHeight: () => MIN_HEIGHT
    })
    widget.serialize = false

    // the viewer shows what the host's own gallery below the node would repeat
    node.hideOutputImages = true
    node.onDrawBackground = () => {}
    node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])])

    const resize = new ResizeObserver(() => viewer.fit())
    resize.observe(viewer.stage)

    const { onExecuted, onRemoved } = node
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments)
      viewer.receive(output)
    }
    node.onRemoved = function () {
      viewer.stop()
      resize.disconnect()
      onRemoved?.apply(this, arguments)
    }
  }
})
