import assert from 'node:assert/strict'
import test from 'node:test'
import { blockAt, brightness, colour, pixelsOf, readoutOf, refinedOutline, stepBy, stepWords, tokenCurve } from '../../web/fresco/readout.js'

const PALETTE = [[0, 0, 0], [1, 0.5, 0], [1, 1, 1]]

/** The record of a run for values (steps, batch, rows, columns) flattened, codes as the host packs them. */
function record(shape, values, { fine = null } = {}) {
  const codes = values.map((v) => Math.round(((Math.log10(v) + 8) / 10) * 65535))
  const bytes = Buffer.from(codes.flatMap((c) => [c & 255, c >> 8]))
  const rows = [{ step: 1, pass: 0, sigma: 1, level: 1, tokens: 25, convergence: null, converged: null }]
  for (let step = 0; step < shape[0]; step++)
    rows.push({ step: step + 2, pass: 0, sigma: 0.5, level: step ? 0 : 1, tokens: step ? 100 : 25, convergence: 0.1, converged: 0 })
  const maps = {
    shape, lowest: -8, span: 10, values: bytes.toString('base64'), fine: fine && Buffer.from(fine).toString('base64'),
    size: [40, 72], block: 32, full_tokens: 100, decades: 4, palette: PALETTE
  }
  return { evaluations: rows, maps, pictures: [] }
}

const VALUES = Array.from({ length: 2 * 2 * 2 * 3 }, (_, i) => 10 ** (-6 + i / 4))

test('values survive the way to the browser within a thousandth', () => {
  const readout = readoutOf(record([2, 2, 2, 3], VALUES))
  VALUES.forEach((value, i) => {
    const found = readout.value(1 + Math.floor(i / 12), Math.floor(i / 6) % 2, Math.floor(i / 3) % 2, i % 3)
    assert.ok(Math.abs(found / value - 1) < 1e-3, `${found} for ${value}`)
  })
})

test('a run without maps is nothing to show', () => {
  for (const nothing of [null, {}, { evaluations: [], maps: null }, { ...record([2, 2, 2, 3], VALUES), maps: null }]) assert.equal(readoutOf(nothing), null)
})

test('a block that mixed tokens refined is at full resolution while its step is coarse', () => {
  const fine = new Uint8Array(VALUES.length)
  fine[1] = 1
  const readout = readoutOf(record([2, 2, 2, 3], VALUES, { fine }))
  assert.equal(readout.level(1, 0, 0, 1), 0)
  assert.equal(readout.level(1, 0, 0, 0), 1)
  assert.equal(readout.level(2, 0, 0, 0), 0)
})

test('the outline of what a mixed step refined is closed and parts it from the rest', () => {
  const fine = new Uint8Array(VALUES.length)
  fine[0] = fine[1] = 1
  const readout = readoutOf(record([2, 2, 2, 3], VALUES, { fine }))
  const edges = refinedOutline(readout, 1, 0)
  const ends = edges.flatMap(([x1, y1, x2, y2]) => [`${x1},${y1}`, `${x2},${y2}`])
  assert.equal(edges.length, 6, 'around two blocks side by side')
  for (const end of ends) assert.equal(ends.filter((other) => other === end).length, 2)
  assert.deepEqual(refinedOutline(readout, 1, 1), [], 'the other picture has none')
  assert.deepEqual(refinedOutline(readout, 2, 0), [], 'in a full step all is refined')
  assert.deepEqual(refinedOutline(readoutOf(record([2, 2, 2, 3], VALUES)), 1, 0), [])
})

test('brightness and colours meet the ends and the points of the palette', () => {
  assert.deepEqual([1e-30, 1e-4, 1e-2, 1, 50].map((v) => brightness(v, 4)), [0, 0, 0.5, 1, 1])
  assert.deepEqual([0, 0.25, 0.5, 1].map((p) => colour(p, PALETTE)), [[0, 0, 0], [128, 64, 0], [255, 128, 0], [255, 255, 255]])
})

test('a map has a pixel per block', () => {
  const readout = readoutOf(record([2, 2, 2, 3], VALUES))
  const pixels = pixelsOf(readout, 2, 1)
  assert.equal(pixels.length, 2 * 3 * 4)
  assert.deepEqual([...pixels.slice(-4)], [...colour(brightness(VALUES.at(-1), 4), PALETTE), 255])
})

test('the first step of a pass has no values, and is shown clear', () => {
  const readout = readoutOf(record([2, 2, 2, 3], VALUES))
  assert.deepEqual([0, 1, 2].map(readout.valued), [false, true, true])
  assert.equal(readout.value(0, 0, 0, 0), null)
  assert.equal(readout.level(0, 0, 0, 0), 1)
  assert.ok(pixelsOf(readout, 0, 0).every((byte) => byte === 0))
})

test('the block under the pointer, borders included', () => {
  const readout = readoutOf(record([2, 2, 2, 3], VALUES))
  assert.deepEqual(blockAt(readout, 0, 0), { x: 0, y: 0 })
  assert.deepEqual(blockAt(readout, 0.5, 0.5), { x: 1, y: 0 })
  assert.deepEqual(blockAt(readout, 0.9999, 0.9999), { x: 2, y: 1 })
  for (const outside of [[-0.01, 0.5], [0.5, 1], [1.2, 0.2], [NaN, 0]]) assert.equal(blockAt(readout, ...outside), null)
})

test('steps stay within the run', () => {
  const readout = readoutOf(record([2, 2, 2, 3], VALUES))
  assert.deepEqual([stepBy(readout, 0, -1), stepBy(readout, 0, 1), stepBy(readout, 1, 5)], [0, 1, 2])
})

test('words and curve of the tokens', () => {
  const readout = readoutOf(record([2, 2, 2, 3], VALUES))
  assert.equal(stepWords(readout, 1), 'step 2 of 3 · pass 1 · σ 0.500 · 1/2 · 25 tokens')
  assert.equal(tokenCurve(readout), '0.00,75.00 33.33,75.00 33.33,75.00 66.67,75.00 66.67,0.00 100.00,0.00')
})
