// A panel of our own on a node, in the classic canvas and in Nodes 2.0 alike.

/** Call `then` after what the node's method does by itself. */
export function chain(node, method, then) {
  const before = node[method]
  node[method] = function (...args) {
    const result = before?.apply(this, args)
    then.apply(this, args)
    return result
  }
}

/** Add an element below the node's widgets; it is neither saved nor sent. */
export function addPanel(node, name, element, { width, height }) {
  element.style.minHeight = `${height}px`
  const widget = node.addDOMWidget(name, `${name}_panel`, element, {
    serialize: false,
    hideOnZoom: false,
    getValue: () => '',
    setValue: () => {},
    getMinHeight: () => height + 20
  })
  widget.serialize = false
  const size = node.computeSize()
  node.setSize([Math.max(node.size[0], width, size[0]), Math.max(node.size[1], size[1])])
}
