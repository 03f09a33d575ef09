// What Python tells nodes, in other languages.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { setSentences, told, translated } from '../../web/fresco/told.js'

const PACK = fileURLToPath(new URL('../..', import.meta.url))
const LANGUAGES = ['zh', 'ja']
const patternsOf = (language) => JSON.parse(readFileSync(`${PACK}locales/${language}/main.json`, 'utf8')).fresco_told
const SENTENCES = readFileSync(`${PACK}tests/web/sentences.txt`, 'utf8').split('\n').filter((line) => line && !line.startsWith('# '))

const holes = (text) => [...text.matchAll(/\{\w+(\.\.\.|\*)?\}/g)].map(([hole]) => hole).sort()
const numbers = (text) => (text.match(/\d+(\.\d+)?/g) ?? [])
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

test('both languages have the same patterns, with the same holes', () => {
  const [chinese, japanese] = LANGUAGES.map(patternsOf)
  assert.deepEqual(Object.keys(chinese).sort(), Object.keys(japanese).sort())
  for (const patterns of [chinese, japanese])
    for (const [english, other] of Object.entries(patterns)) {
      assert.deepEqual(holes(other), holes(english), english)
      assert.doesNotMatch(english.replace(/\{\w+(\.\.\.|\*)?\}/g, ''), /[{}]/, 'a hole that is misspelt')
    }
})

test('no pattern is left over', () => {
  const all = SENTENCES.join('\n')
  for (const english of Object.keys(patternsOf('zh'))) {
    const source = english.split(/\{\w+(?:\.\.\.|\*)?\}/).map(escaped).join('.*?')
    assert.match(all, new RegExp(source), `nobody says: ${english}`)
  }
})

for (const language of LANGUAGES)
  test(`every sentence is whole in ${language}, with all its numbers and without English words`, () => {
    setSentences(patternsOf(language))
    for (const english of SENTENCES) {
      const other = translated(english)
      assert.notEqual(other, null, `${language}: ${english}`)
      for (const number of new Set(numbers(english)))
        assert.ok(
          numbers(other).filter((found) => found === number).length >= numbers(english).filter((found) => found === number).length,
          `${number} is missing: ${other}`
        )
      for (const unit of english.match(/\b(TFLOPs|GFLOPs|dB)\b/g) ?? []) assert.ok(other.includes(unit), other)
      if (/\d s\b/.test(english)) assert.match(other, /\d 秒/)
      const words = other.replace(/'[^']*'/g, '').replace('half frames', '') // that schedules have themselves
      assert.doesNotMatch(words, /[A-Za-z]{2,}( [a-z]{2,})+/, `English is left in: ${other}`)
    }
  })

test('lines and what they quote stay as they are', () => {
  setSentences(patternsOf('zh'))
  assert.equal(told("8.7 s for 20 steps\nmy own words\n'equal; 8 s': it has no look"), "20 步用时 8.7 秒\nmy own words\n'equal; 8 s'：它没有任何段")
  assert.equal(told('draft 1/2 50%; refine 50%'), 'draft 1/2 50%; refine 50%')
  for (const nothing of ['', null, undefined]) assert.equal(told(nothing), nothing)
})

test('what no pattern says stays English, sentence by sentence', () => {
  setSentences(patternsOf('zh'))
  assert.equal(translated('runs plain: the moon is full'), null)
  assert.equal(told('runs plain: the moon is full'), 'runs plain: the moon is full')
  assert.equal(told('8.7 s for 20 steps; the moon is full; nothing was sampled'), '20 步用时 8.7 秒; the moon is full; 没有进行采样')
  assert.equal(told('The moon is full. Use plain with 20 steps: 20.0 s.'), 'The moon is full. 建议使用 20 步的普通采样：20.0 秒。')
})

test('long texts that are nearly a sentence cost no time', () => {
  setSentences(patternsOf('ja'))
  const before = process.cpuUsage() // not the clock's time, which other programs take too
  for (const text of ["'".repeat(2000), "found 'a' in '; , . ".repeat(60), 'half of 1 is 2, below the '.repeat(40), '1; '.repeat(300)]) told(text)
  const { user } = process.cpuUsage(before)
  assert.ok(user < 1_000_000, `${user / 1000} ms`)
})

test('an English page says what Python says', () => {
  setSentences(undefined)
  for (const english of SENTENCES) assert.equal(told(english), english)
})
