// The schedule editor: a drawn plan whose stages can be dragged. The server draws; this shows and sends edits.

import { told } from '../fresco/told.js'
import { levelName, say } from '../fresco/words.js'
import { colours, keepKeys, make, pen, pointOn, redrawOnChange } from './dom.js'
import { basis, editOf, editOfKey, figures, grip, layout } from './plan_view.js'

const CURSORS = { start: 'ns-resize', boundary: 'ew-resize', level: 'ns-resize' }

/**
 * An editor: {element, refresh, destroy}.
 * fields() gives the node's widgets as a request, ask(request) the server's answer, write(values) sets
 * widgets, locked() says why nothing may be edited, or null; conflict() what else on the node does not fit, or null.
 */
export function createEditor({ fields, ask, write, locked, conflict = () => null }) {
  let plan = null
  let error = null
  let drag = null
  let hovered = null
  let chosen = null
  let waiting = null
  const keys = []
  let busy = false

  const canvas = make('canvas')
  const stage = make('div', { className: 'stage' }, canvas)
  const chips = make('div', { className: 'chips' })
  const numbers = make('div', { className: 'figures' })
  const note = make('div', { className: 'basis' })
  const problem = make('div', { className: 'problem', role: 'alert' })
  const outcome = make('div', { className: 'outcome' }, make('div', {}, numbers, note), problem)
  const element = make(
    'div',
    {
      className: 'fresco-editor',
      tabIndex: 0,
      role: 'group',
      ariaLabel: say('Resolution schedule: left and right move the end of the chosen stage, up and down its level')
    },
    chips,
    stage,
    outcome
  )

  /** Ask for a drawing; of requests that come while one is under way only the last is sent. */
  function request(edit, then) {
    waiting = { edit, then, base: drag?.fields }
    return work()
  }

  function refresh() {
    return waiting?.edit ? work() : request(null) // the end of a drag is not to be lost
  }

  /** Answer what waits, one by one: keys in their order, each on the plan that the one before has left. */
  async function work() {
    if (busy) return
    busy = true
    try {
      while (keys.length || waiting) {
        if (keys.length) await press()
        else {
          const { edit, then, base } = waiting
          waiting = null
          const answer = await answered(base ?? fields(), edit)
          then?.(answer.error ? null : answer)
        }
        draw()
      }
    } finally {
      busy = false
    }
  }

  /** Take the keys that wait; the widgets are written once, at their end. */
  async function press() {
    let base = fields()
    let text = null
    while (keys.length) {
      const edit = editOfKey(keys.shift(), plan, Math.min(chosen ?? 0, plan.stages.length - 1))
      if (!edit) continue
      const answer = await answered(base, edit)
      if (answer.error) continue
      text = answer.text
      base = { ...base, preset: 'from text', text }
      draw()
    }
    if (text !== null) finish({ text })
  }

  /** The server's answer, taken over into the drawing; {error} where there is none. */
  async function answered(base, edit) {
    let answer
    try {
      answer = await ask(edit ? { ...base, edit } : base)
    } catch (failure) {
      answer = { error: say('the server did not answer: {reason}', { reason: failure.message }) }
    }
    error = told(answer.error ?? null)
    if (answer.presets) showPresets(answer.presets, edit && !error ? 'from text' : base.preset)
    if (!error) plan = answer
    return answer
  }

  function finish(answer) {
    if (answer) write({ preset: 'from text', text: answer.text })
  }

  function showPresets(names, current) {
    chips.replaceChildren(
      ...names.map((name) => {
        const chip = make('button', { textContent: name, ariaPressed: String(name === current) })
        chip.disabled = locked() !== null
        chip.addEventListener('click', () => {
          write({ preset: name })
          refresh()
        })
        return chip
      })
    )
  }

  function draw() {
    const reason = locked()
    outcome.classList.toggle('failed', error !== null)
    problem.textContent = error ?? ''
    stage.hidden = plan === null
    if (!plan) return
    numbers.replaceChildren(
      ...figures(plan).map(([value, words]) => make('span', {}, make('b', { textContent: value }), ` ${words}`))
    )
    note.textContent = conflict() ?? reason ?? told(plan.reason) ?? basis(plan)
    note.title = note.textContent
    const paper = pen(canvas)
    if (paper) drawPlan(paper)
  }

  function drawPlan({ context, width, height }) {
    const places = layout(plan, width, height)
    const palette = colours(element)
    const { plot, floor } = places
    context.textBaseline = 'middle'
    for (const row of places.rows) {
      context.globalAlpha = 0.25
      context.strokeStyle = palette.ink
      line(context, [{ x: plot.x, y: row.y }, { x: plot.x + plot.width, y: row.y }], 0.5)
      context.globalAlpha = 0.8
      context.fillStyle = palette.ink
      context.textAlign = 'right'
      context.fillText(row.level < plan.levels.length ? levelName(row.level) : '', plot.x - 6, row.y)
    }
    for (const bar of places.bars) {
      context.fillStyle = palette.levels[Math.ceil(bar.level)]
      const wide = Math.max(bar.width - 1.2, 0.6)
      const coarse = bar.fine ? floor - places.rows[bar.level].y : bar.height
      context.globalAlpha = 0.55
      context.fillRect(bar.x + 0.6, floor - coarse, wide, coarse)
      if (bar.fine) {
        context.fillStyle = palette.levels[0] // the part of the blocks that a mixed step refines
        context.fillRect(bar.x + 0.6, bar.y, wide, bar.height - coarse)
      }
      context.globalAlpha = 1
      context.fillRect(bar.x + 0.6, bar.y, wide, 3)
    }
    const held = drag?.grip ?? hovered
    places.stages.forEach((part, index) => {
      const active = held?.kind === 'level' && held.stage === index
      if (!active && chosen !== index) return
      context.strokeStyle = error && drag ? palette.error : palette.ink
      context.lineWidth = 1.5
      const top = part.y
      context.strokeRect(part.x, top - 1, part.width, floor - top + 1)
    })
    context.strokeStyle = palette.ink
    context.globalAlpha = 0.9
    for (const points of places.lines) line(context, points, 1.5)
    context.globalAlpha = 1
    for (const boundary of places.boundaries) {
      const active = held?.kind === 'boundary' && held.stage === boundary.stage
      context.globalAlpha = active ? 1 : 0.55
      context.fillStyle = active && error && drag ? palette.error : palette.ink
      context.beginPath()
      context.roundRect(boundary.x - 2.5, floor - 30, 5, 26, 2.5)
      context.fill()
    }
    context.globalAlpha = 1
    for (const start of places.starts) {
      const active = held?.kind === 'start' && held.pass === start.pass
      context.beginPath()
      context.arc(start.x, start.y, active ? 6.5 : 5, 0, 7)
      context.fillStyle = error && drag && active ? palette.error : palette.ink
      context.fill()
      context.lineWidth = 2
      context.strokeStyle = palette.ground
      context.stroke()
    }
    drawAxes(context, places, palette)
  }

  function drawAxes(context, { plot, floor, starts }, palette) {
    context.fillStyle = palette.ink
    context.globalAlpha = 0.8
    context.textAlign = 'left'
    for (const sigma of [0, 0.5, 1]) {
      context.fillText(sigma === 1 ? 'σ 1' : String(sigma), plot.x + plot.width + 6, plot.y + (1 - sigma) * plot.height)
    }
    for (const start of starts) {
      const sigma = plan.steps.find((step) => step.pass === start.pass).sigma
      context.textAlign = 'right'
      context.fillText(`σ ${sigma.toFixed(2)}`, start.x - 8, start.y - 9)
    }
    context.textAlign = 'center'
    context.textBaseline = 'top'
    context.fillText(say('{count} steps', { count: plan.steps.length }), plot.x + plot.width / 2, floor + 5)
    context.globalAlpha = 1
  }

  function line(context, points, width) {
    context.lineWidth = width
    context.beginPath()
    points.forEach((point, index) => context[index ? 'lineTo' : 'moveTo'](point.x, point.y))
    context.stroke()
  }

  function under(event) {
    if (!plan || plan.reason || locked() !== null) return null
    const point = pointOn(canvas, event)
    return grip(layout(plan, canvas.clientWidth, canvas.clientHeight), point.x, point.y)
  }

  canvas.addEventListener('pointerdown', (event) => {
    const found = event.button === 0 ? under(event) : null
    if (!found) return
    event.preventDefault()
    event.stopPropagation()
    element.focus()
    canvas.setPointerCapture(event.pointerId)
    if (found.kind === 'level') chosen = found.stage
    const places = layout(plan, canvas.clientWidth, canvas.clientHeight)
    drag = { grip: found, places, fields: fields(), from: pointOn(canvas, event), moved: false, last: null }
    draw()
  })
  canvas.addEventListener('pointermove', (event) => {
    if (!drag) {
      hovered = under(event)
      canvas.style.cursor = hovered ? CURSORS[hovered.kind] : ''
      draw()
      return
    }
    event.stopPropagation()
    const point = pointOn(canvas, event)
    drag.moved ||= Math.hypot(point.x - drag.from.x, point.y - drag.from.y) > 3
    if (!drag.moved) return
    const edit = editOf(drag.grip, drag.places, point.x, point.y)
    if (JSON.stringify(edit) === JSON.stringify(drag.last)) return
    drag.last = edit
    request(edit)
  })
  canvas.addEventListener('pointerup', () => {
    if (!drag) return
    const { last, fields: base } = drag
    drag = null
    if (!last) return draw()
    waiting = { edit: last, base, then: (answer) => (answer ? finish(answer) : refresh()) }
    work() // what was wrong was told while it was dragged
  })
  canvas.addEventListener('pointercancel', () => {
    drag = null
    refresh()
  })
  canvas.addEventListener('pointerleave', () => {
    hovered = null
    draw()
  })
  keepKeys(element, (event) => {
    if (!plan || plan.reason || locked() !== null || event.target !== element) return false
    if (!editOfKey(event.key, plan, Math.min(chosen ?? 0, plan.stages.length - 1))) return false
    chosen ??= 0
    keys.push(event.key)
    work()
    return true
  })
  let stop = () => {}

  /** Redraw with the page from now on, until `destroy`: of a node that is in a graph. */
  function attach() {
    stop()
    stop = redrawOnChange(element, draw)
  }

  return { element, refresh, attach, destroy: () => stop() }
}
