// Small helpers around the DOM and 2-D canvases.

const SHARPNESS = 2 // canvases are zoomed with the graph: draw them finer than the screen

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties
  const element = Object.assign(document.createElement(tag), rest)
  Object.assign(element.dataset, dataset)
  element.append(...children)
  return element
}

/** The stylesheet of the editor, once per page. */
export function addStyle() {
  const href = new URL('./editor.css', import.meta.url).href
  if (document.querySelector(`link[href="${href}"]`)) return
  document.head.append(make('link', { rel: 'stylesheet', href }))
}

/** A pen on a canvas that is cleared and fits its element, in CSS pixels; null while it has no size. */
export function pen(canvas) {
  const width = canvas.clientWidth
  const height = canvas.clientHeight
  if (!width || !height) return null
  const wanted = [Math.round(width * SHARPNESS), Math.round(height * SHARPNESS)]
  if (canvas.width !== wanted[0]) canvas.width = wanted[0]
  if (canvas.height !== wanted[1]) canvas.height = wanted[1]
  const context = canvas.getContext('2d')
  context.setTransform(SHARPNESS, 0, 0, SHARPNESS, 0, 0)
  context.clearRect(0, 0, width, height)
  context.font = '11px system-ui, sans-serif'
  return { context, width, height }
}

/** Where a pointer event is on an element, in its own CSS pixels, however far the graph is zoomed. */
export function pointOn(element, event) {
  const box = element.getBoundingClientRect()
  return {
    x: ((event.clientX - box.left) / box.width) * element.clientWidth,
    y: ((event.clientY - box.top) / box.height) * element.clientHeight
  }
}

/** Values of the CSS variables that a drawing needs, as the palette has them now. */
export function colours(element) {
  const style = getComputedStyle(element)
  const of = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise
  return {
    ink: of('--input-text', '#ddd'),
    ground: of('--comfy-input-bg', '#222'),
    error: of('--error-text', '#f55'),
    levels: [0, 1, 2, 3].map((k) => of(`--fresco-level-${k}`, '#888'))
  }
}

/** Call draw whenever the element's size or the page's palette changes; returns how to stop. */
export function redrawOnChange(element, draw) {
  const sizes = new ResizeObserver(draw)
  sizes.observe(element)
  const palette = new MutationObserver(draw)
  palette.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] })
  palette.observe(document.body, { attributes: true, attributeFilter: ['style', 'class'] })
  return () => {
    sizes.disconnect()
    palette.disconnect()
  }
}

/** Keep an element's keys and wheel from the graph behind it. */
export function keepKeys(element, handle) {
  element.addEventListener('keydown', (event) => {
    if (!handle(event)) return
    event.preventDefault()
    event.stopPropagation()
  })
}
