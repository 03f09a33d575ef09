// Widgets that have no effect are grey, and say why.

import { say } from './words.js'

const names = new WeakMap()

/** Show a widget as active or not; its value stays and is saved all the same. */
export function setActive(widget, active) {
  if (!widget || widget.disabled === !active) return
  if (!names.has(widget)) names.set(widget, widget.label)
  widget.disabled = !active
  widget.options.disabled = !active
  widget.label = active ? names.get(widget) : say('{name} (not used)', { name: names.get(widget) ?? widget.name })
}
