// A panel of our own on a node, in the classic canvas and in Nodes 2.0 alike.

import { app } from '../../../scripts/app.js'

const FRAMES = 120 // for how long a new panel looks for its place

/** Call `then` after what the node's method does by itself. */
export function chain(node, method, then) {
  const before = node[method]
  node[method] = function (...args) {
    const result = before?.apply(this, args)
    then.apply(this, args)
    return result
  }
}

/**
 * Whether a node is still of the open graph: nodes inside of subgraphs are told nothing when the host drops them, as it
 * does with every undo and change of tabs.
 */
export function alive(node) {
  const root = app.rootGraph ?? app.graph
  const graph = node.graph
  if (graph?.getNodeById(node.id) !== node) return false
  return graph === root || !root.subgraphs?.get || root.subgraphs.get(graph.id) === graph
}

/**
 * Add an element below the node's widgets; it is neither saved nor sent. options: those of a DOM widget. Returns the
 * widget.
 */
export function addPanel(node, name, element, options) {
  const widget = node.addDOMWidget(name, `${name}_panel`, element, { serialize: false, hideOnZoom: false, ...options })
  widget.serialize = false
  element.dataset.frescoPanel = name
  keepInPlace(node, name, element)
  return widget
}

/** Make a node at least this large. */
export function enlarge(node, width, height) {
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)])
}

/**
 * Nodes 2.0 keeps what it has mounted when a graph is loaded whose nodes have the ids of those before them, as undo,
 * redo and a change of tabs do: the page then shows the panel of a node that is no more. So a new node looks for the
 * one in its place and puts its own there.
 */
function keepInPlace(node, name, element) {
  let frames = 0
  const look = () => {
    if (element.isConnected || frames++ > FRAMES) return
    const place = `[data-node-id="${CSS.escape(String(node.id))}"] [data-fresco-panel="${CSS.escape(name)}"]`
    const mounted = node.graph && node.graph === app.canvas?.graph ? document.querySelector(place) : null
    if (mounted) mounted.replaceWith(element)
    else requestAnimationFrame(look)
  }
  chain(node, 'onAdded', () => {
    frames = 0
    requestAnimationFrame(look)
  })
  chain(node, 'onRemoved', () => (frames = FRAMES + 1))
}
