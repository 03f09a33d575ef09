import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { levelName, say, setWords, short } from '../../web/fresco/words.js'

const PACK = fileURLToPath(new URL('../..', import.meta.url))
const LANGUAGES = readdirSync(`${PACK}locales`).filter((name) => name !== 'en')
const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()

/** Every English text that the modules give to `say`. */
function said() {
  const files = readdirSync(`${PACK}web`, { recursive: true }).filter((name) => name.endsWith('.js'))
  const code = files.map((name) => readFileSync(`${PACK}web/${name}`, 'utf8')).join('\n')
  const calls = [...code.matchAll(/\bsay\((?!text)/g)].length
  const texts = [...code.matchAll(/\bsay\('([^']+)'/g)].map((match) => match[1])
  assert.equal(texts.length, calls, 'say is called with plain words, so that they can be found here')
  return [...new Set(texts)].sort()
}

test('every language has all words of the browser, and no other', () => {
  assert.deepEqual(LANGUAGES.sort(), ['ja', 'zh'])
  for (const language of LANGUAGES) {
    const words = JSON.parse(readFileSync(`${PACK}locales/${language}/main.json`, 'utf8')).fresco
    assert.deepEqual(Object.keys(words).sort(), said(), language)
    for (const [english, other] of Object.entries(words)) assert.deepEqual(names(other), names(english), other)
  }
})

test('words are translated and filled in; what no language has stays English', () => {
  setWords({ 'picture {number}': '画像 {number}', full: '原寸' })
  assert.equal(say('picture {number}', { number: 3 }), '画像 3')
  assert.equal(say('{a} of {b}', { a: 1, b: '{a}' }), '1 of {a}')
  assert.deepEqual([0, Math.log2(4 / 3), 1, 2].map(levelName), ['原寸', '3/4', '1/2', '1/4'])
  setWords(undefined)
  assert.equal(levelName(0), 'full')
})

test('numbers are short', () => {
  assert.deepEqual([0.00002, 0.0123, 1.5].map(short), ['2.0e-5', '0.012', '1.5'])
})
