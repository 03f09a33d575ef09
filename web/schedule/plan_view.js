// How a plan is drawn and what a drag on it means. No DOM here, and nothing of the schedule's grammar: the
// server draws the plan (nodes/server/plan_preview.py), and an edit is sent to it as what the user did.

import { say } from '../fresco/words.js'

const MARGIN = { left: 36, right: 34, top: 12, bottom: 20 }
const GAP = 10
const HEIGHTS = [1, 0.74, 0.48, 0.22]

/** Places of everything in a drawing of width x height: bars, lines of sigma, grips. */
export function layout(plan, width, height) {
  const plot = {
    x: MARGIN.left,
    y: MARGIN.top,
    width: width - MARGIN.left - MARGIN.right,
    height: height - MARGIN.top - MARGIN.bottom
  }
  const passes = plan.ends.length
  const unit = (plot.width - GAP * (passes - 1)) / plan.steps.length
  const at = (step, pass) => plot.x + step * unit + pass * GAP
  const part = (level) => {
    const [above, below] = [Math.floor(level), Math.ceil(level)].map((k) => HEIGHTS[Math.min(k, HEIGHTS.length - 1)])
    return (above + below) / 2
  }
  const rise = (level, fine = 0) => plot.height * (part(level) + fine * (1 - part(level)))
  const sigmaY = (sigma) => plot.y + (1 - sigma) * plot.height
  const floor = plot.y + plot.height
  const bars = plan.steps.map((step, index) => ({
    x: at(index, step.pass),
    y: floor - rise(step.level, step.fine),
    width: unit,
    height: rise(step.level, step.fine),
    fine: step.fine,
    level: step.level,
    pass: step.pass
  }))
  const lines = plan.ends.map((end, pass) => {
    const points = plan.steps
      .map((step, index) => ({ ...step, index }))
      .filter((step) => step.pass === pass)
      .map((step) => ({ x: at(step.index, pass), y: sigmaY(step.sigma) }))
    const last = plan.steps.findLastIndex((step) => step.pass === pass)
    return [...points, { x: at(last + 1, pass), y: sigmaY(end) }]
  })
  const boundaries = plan.stages.slice(0, -1).map((stage, index) => {
    const next = plan.stages[index + 1]
    return { stage: index, x: (at(stage.end, stage.pass) + at(next.first, next.pass)) / 2, pass: stage.pass }
  })
  const starts = lines.slice(1).map((points, index) => ({ pass: index + 1, ...points[0] }))
  const rows = HEIGHTS.map((_, level) => ({ level, y: floor - rise(level) }))
  const stages = plan.stages.map((stage) => ({
    x: at(stage.first, stage.pass),
    y: floor - rise(stage.level),
    width: (stage.end - stage.first) * unit,
    level: stage.level,
    pass: stage.pass
  }))
  return { plot, unit, bars, lines, boundaries, starts, rows, stages, floor }
}

/** What is under a point: {kind: 'start', pass}, {kind: 'boundary', stage}, {kind: 'level', stage} or null. */
export function grip(places, x, y) {
  const start = places.starts.find((s) => Math.hypot(s.x - x, s.y - y) <= 10)
  if (start) return { kind: 'start', pass: start.pass }
  if (y < places.plot.y - 8 || y > places.floor + 8) return null
  const near = places.boundaries.filter((b) => Math.abs(b.x - x) <= 7)
  near.sort((a, b) => Math.abs(a.x - x) - Math.abs(b.x - x))
  if (near.length) return { kind: 'boundary', stage: near[0].stage }
  const stage = places.stages.findIndex((s) => x >= s.x && x <= s.x + s.width)
  return stage < 0 ? null : { kind: 'level', stage }
}

/** The edit that a drag of a grip to a point means, in the drawing that it began in. */
export function editOf(held, places, x, y) {
  if (held.kind === 'boundary') {
    const { pass } = places.boundaries[held.stage]
    return { ...held, step: Math.round((x - places.plot.x - pass * GAP) / places.unit) }
  }
  if (held.kind === 'level') {
    const row = places.rows.reduce((a, b) => (Math.abs(b.y - y) < Math.abs(a.y - y) ? b : a))
    return { ...held, level: row.level }
  }
  const sigma = 1 - (y - places.plot.y) / places.plot.height
  return { ...held, sigma: Math.min(Math.max(Math.round(sigma * 100) / 100, 0), 1) }
}

/** The edit that a key means for the chosen stage, or null. */
export function editOfKey(key, plan, chosen) {
  const stage = plan.stages[chosen]
  const boundary = chosen < plan.stages.length - 1
  switch (key) {
    case 'ArrowRight':
      return boundary ? { kind: 'boundary', stage: chosen, step: stage.end + 1 } : null
    case 'ArrowLeft':
      return boundary ? { kind: 'boundary', stage: chosen, step: stage.end - 1 } : null
    case 'ArrowUp':
      return { kind: 'level', stage: chosen, level: Math.max(Math.ceil(stage.level) - 1, 0) }
    case 'ArrowDown':
      return { kind: 'level', stage: chosen, level: Math.min(Math.floor(stage.level) + 1, plan.levels.length - 1) }
    default:
      return null
  }
}

/** FLOPs in the unit that suits the first of them: [number, ..., unit]. */
export function operations(...flops) {
  const [size, unit] = [[1e15, 'PFLOPs'], [1e12, 'TFLOPs'], [1e9, 'GFLOPs']].find(([n]) => flops[0] >= n) ?? [1e6, 'MFLOPs']
  return [...flops.map((n) => Number((n / size).toPrecision(4)).toLocaleString('en')), unit]
}

/** The numbers under the drawing: [[value, words], ...]; bounds where the run settles levels itself. */
export function figures(plan) {
  const count = (n) => n.toLocaleString('en')
  const upTo = (value) => (plan.open ? say('up to {value}', { value }) : value)
  const atLeast = (value) => (plan.open ? say('at least {value}', { value }) : value)
  const gain = (ratio) => upTo(`${ratio.toFixed(2)}×`)
  const found = [
    [gain(plan.gain), say('less than {steps} full steps', { steps: plan.steps.length })],
    [atLeast(count(plan.tokens)), say('of {tokens} tokens', { tokens: count(plan.full_tokens) })]
  ]
  if (plan.gain_over_baseline) found.push([gain(plan.gain_over_baseline), say('less than the baseline')])
  if (plan.flops) {
    const [spent, full, unit] = operations(plan.flops, plan.full_flops)
    found.push([atLeast(spent), say('of {flops}', { flops: `${full} ${unit}` })])
  }
  return found
}

/** A line about what the drawing is of, and what was assumed. */
export function basis(plan) {
  const [height, width, frames] = plan.canvas
  const size = `${width}×${height}${frames > 1 ? `×${frames}` : ''}`
  const of = say('{model}, latent {size}', { model: plan.model ?? say('unknown model'), size })
  if (!plan.assumed.length) return of
  const known = plan.assumed.includes('model')
    ? say('until the node has run with a model and a latent')
    : say('σ spread evenly until the next run')
  return `${of} (${known})`
}
