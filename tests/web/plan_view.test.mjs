// Geometry of the schedule editor.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { basis, editOf, editOfKey, figures, grip, layout, operations } from '../../web/schedule/plan_view.js'

const steps = Array.from({ length: 20 }, (_, i) => ({
  pass: i < 12 ? 0 : 1,
  level: i < 12 ? 1 : 0,
  fine: 0,
  sigma: i < 12 ? 1 - i / 12 : (0.75 * (20 - i)) / 8,
  tokens: i < 12 ? 1024 : 4096
}))
const plan = {
  levels: ['full', '1/2', '1/4', '1/8'],
  steps,
  ends: [0, 0],
  stages: [
    { pass: 0, level: 1, first: 0, end: 12 },
    { pass: 1, level: 0, first: 12, end: 20 }
  ],
  tokens: 45056,
  full_tokens: 81920,
  flops: 8.2e14,
  full_flops: 1.488e15,
  gain: 1.74,
  gain_over_baseline: 4.36,
  model: 'flux.1-dev',
  canvas: [128, 128, 1],
  assumed: []
}
const places = layout(plan, 360, 190)
const middle = (part) => part.x + part.width / 2

test('bars, sigmas and grips lie inside the drawing, passes apart', () => {
  const right = places.plot.x + places.plot.width
  for (const bar of places.bars) assert.ok(bar.x >= places.plot.x && bar.x + bar.width <= right + 1e-6)
  assert.ok(places.bars[12].x - (places.bars[11].x + places.unit) > 5)
  assert.ok(places.bars[0].height < places.bars[12].height)
  assert.equal(places.lines[0].length, 13)
  assert.ok(Math.abs(places.starts[0].y - (places.plot.y + 0.25 * places.plot.height)) < 1e-6)
})

test('a mixed step is between its level and full', () => {
  const mixed = { ...plan, steps: steps.map((s, i) => (i === 11 ? { ...s, fine: 0.5 } : s)) }
  const { bars } = layout(mixed, 360, 190)
  assert.ok(bars[11].height > bars[10].height && bars[11].height < bars[12].height)
})

test('three quarters lie between half and full', () => {
  const level = Math.log2(4 / 3)
  const between = {
    ...plan,
    steps: steps.map((step) => (step.level ? { ...step, level } : step)),
    stages: plan.stages.map((stage) => (stage.level ? { ...stage, level } : stage))
  }
  const { bars, stages, floor } = layout(between, 360, 190)
  assert.ok(bars[0].height > places.bars[0].height && bars[0].height < places.bars[12].height)
  assert.ok(Math.abs(floor - stages[0].y - bars[0].height) < 1e-6, 'the frame of a stage is as high as its bars')
  assert.deepEqual(editOfKey('ArrowUp', between, 0), { kind: 'level', stage: 0, level: 0 })
  assert.deepEqual(editOfKey('ArrowDown', between, 0), { kind: 'level', stage: 0, level: 1 })
})

test('grips: rewind over boundary over stage, nothing outside', () => {
  assert.deepEqual(grip(places, places.starts[0].x, places.starts[0].y), { kind: 'start', pass: 1 })
  assert.deepEqual(grip(places, places.boundaries[0].x, places.floor - 10), { kind: 'boundary', stage: 0 })
  assert.deepEqual(grip(places, middle(places.stages[0]), places.floor - 20), { kind: 'level', stage: 0 })
  assert.deepEqual(grip(places, middle(places.stages[1]), places.floor - 20), { kind: 'level', stage: 1 })
  assert.equal(grip(places, 5, places.floor - 20), null)
  assert.equal(grip(places, middle(places.stages[0]), 189), null)
})

test('a drag means the step, level or sigma under the pointer', () => {
  const boundary = { kind: 'boundary', stage: 0 }
  for (const step of [1, 8, 12, 19]) {
    const x = places.plot.x + step * places.unit
    assert.deepEqual(editOf(boundary, places, x, 50), { ...boundary, step })
  }
  for (const row of places.rows) {
    assert.equal(editOf({ kind: 'level', stage: 0 }, places, 100, row.y + 3).level, row.level)
  }
  const start = { kind: 'start', pass: 1 }
  assert.equal(editOf(start, places, 0, places.plot.y + 0.1 * places.plot.height).sigma, 0.9)
  assert.equal(editOf(start, places, 0, -500).sigma, 1)
})

test('keys move the chosen stage and stay inside the levels', () => {
  assert.deepEqual(editOfKey('ArrowLeft', plan, 0), { kind: 'boundary', stage: 0, step: 11 })
  assert.deepEqual(editOfKey('ArrowDown', plan, 0), { kind: 'level', stage: 0, level: 2 })
  assert.deepEqual(editOfKey('ArrowUp', plan, 1), { kind: 'level', stage: 1, level: 0 })
  assert.equal(editOfKey('ArrowRight', plan, 1), null, 'the last stage ends with the run')
  assert.equal(editOfKey('a', plan, 0), null)
})

test('figures and what they are of', () => {
  assert.deepEqual(operations(66.484e9, 76.99e9), ['66.48', '76.99', 'GFLOPs'])
  assert.deepEqual(operations(820e12, 1488e12), ['820', '1,488', 'TFLOPs'])
  assert.deepEqual(figures(plan)[0], ['1.74×', 'less than 20 full steps'])
  assert.deepEqual(figures(plan).at(-1), ['820', 'of 1,488 TFLOPs'])
  assert.equal(figures({ ...plan, flops: null, gain_over_baseline: null }).length, 2)
  const open = figures({ ...plan, open: true }).map(([value]) => value)
  assert.deepEqual(open, ['up to 1.74×', 'at least 45,056', 'up to 4.36×', 'at least 820'])
  assert.equal(basis(plan), 'flux.1-dev, latent 128×128')
  assert.match(basis({ ...plan, assumed: ['sigmas'] }), /until the next run/)
})
