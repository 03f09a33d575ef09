// What the pack writes in the browser, in the user's language. English is in the code; other languages are in
// locales/<language>/main.json under "fresco", by the English words. No browser objects here.

let translations = {}

/** Take the translations {English: other} that `say` looks up. */
export function setWords(found) {
  translations = found ?? {}
}

/** `text` in the user's language, with {names} filled in from `values`. */
export function say(text, values = {}) {
  return (translations[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => values[name])
}

/** A level, so many halvings of the sides, in words: 0 full, 1 1/2, 2 1/4, and between full and half 3/4. */
export function levelName(level) {
  if (!Number.isInteger(level)) return '3/4'
  return level === 0 ? say('full') : `1/${2 ** level}`
}

/** A small positive number with two digits. */
export function short(value) {
  return value >= 0.01 ? value.toPrecision(2) : value.toExponential(1)
}
