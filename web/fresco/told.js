// What Python tells a node, in the user's language. No browser objects here.
//
// Python writes English alone: in the log, in files, in what nodes send and routes answer. The page knows its sentences as
// patterns, in locales/<language>/main.json under "fresco_told", by the English words:
//
//   {name}     a word or number, as it is
//   {name*}    words as they are: what the user wrote, names, errors of others
//   {name...}  words that are a sentence themselves and are translated too
//
// A pattern that ends with a space stands between sentences. What no pattern says stays English, sentence by sentence.

const HOLE = /\{(\w+)(\.\.\.|\*)?\}/
const NUMBERS = /^(?=.*\d)(?:[\d\s.,x×+%/()~-]|e[+-])*( [GT]FLOPs)?$/ // the same in every language
const BREAKS = /(?<=; |\. )/
const MOST_KNOWN = 2000

let patterns = []
let joints = []
const known = new Map()

/** Take the patterns {English: other} that `told` looks up. */
export function setSentences(found) {
  const entries = Object.entries(found ?? {})
  joints = entries.filter(([english]) => english.endsWith(' ')).sort(longestFirst)
  patterns = entries.filter(([english]) => !english.endsWith(' ')).map(patternOf).sort((a, b) => b.letters - a.letters)
  known.clear()
}

/** `text`, of one line or more, in the user's language. */
export function told(text) {
  if (!patterns.length || !text) return text
  return text.split('\n').map((line) => translated(line) ?? inPart(line)).join('\n')
}

/** A line in the user's language; null where no patterns say all of it. */
export function translated(text) {
  if (!known.has(text)) {
    if (known.size > MOST_KNOWN) known.clear()
    known.set(text, look(text))
  }
  return known.get(text)
}

function inPart(line) {
  return line.split(BREAKS).map((part) => {
    const [, words, end] = part.match(/^(.*?)((?:; |\. )?)$/)
    return (translated(words) ?? words) + end
  }).join('')
}

function look(text) {
  if (NUMBERS.test(text)) return text
  for (const [english, other] of joints)
    for (let at = text.indexOf(english); at > 0; at = text.indexOf(english, at + 1)) {
      const before = translated(text.slice(0, at))
      const after = before === null ? null : translated(text.slice(at + english.length))
      if (after !== null) return before + other + after
    }
  for (const pattern of patterns) {
    const filled = fill(pattern, text)
    if (filled !== null) return filled
  }
  return null
}

function fill({ literals, expression, holes, other }, text) {
  let at = 0
  for (const literal of literals) { // most patterns end here
    at = text.indexOf(literal, at)
    if (at < 0) return null
    at += literal.length
  }
  const found = text.match(expression)
  if (!found) return null
  const values = new Map()
  for (const [index, { name, kind }] of holes.entries()) {
    const value = kind === '...' ? translated(found[index + 1]) : found[index + 1]
    if (value === null) return null
    values.set(name, value)
  }
  return other.replaceAll(new RegExp(HOLE, 'g'), (_, name) => values.get(name))
}

function patternOf([english, other]) {
  const parts = english.split(new RegExp(HOLE, 'g')) // literal, name, kind, literal, ...
  const literals = parts.filter((_, index) => index % 3 === 0)
  const holes = literals.slice(1).map((_, index) => ({ name: parts[3 * index + 1], kind: parts[3 * index + 2] }))
  const inside = holes.map(({ kind }) => ({ '*': '(.*?)', '...': '(.+?)' })[kind] ?? '(\\S+?)')
  const source = literals.map((literal, index) => literal.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&') + (inside[index] ?? '')).join('')
  return { literals, holes, other, expression: new RegExp(`^${source}$`), letters: literals.join('').length }
}

function longestFirst([a], [b]) {
  return b.length - a.length
}
