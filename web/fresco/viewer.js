// The viewer on FrescoConvergence: a heatmap per step over the picture, a slider, play, and the tokens per step.

import { blockAt, colour, pixelsOf, readoutOf, refinedOutline, stepBy, stepWords, tokenCurve } from './readout.js'
import { addStyle, element } from './style.js'
import { levelName, say, short } from './words.js'

const SVG = 'http://www.w3.org/2000/svg'
const MILLISECONDS_A_STEP = 250

function svg(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return made
}

export class ConvergenceViewer {
  constructor() {
    addStyle()
    this.readout = null
    this.pictures = []
    this.step = 0
    this.item = 0
    this.playing = null
    this.pointer = null
    this.build()
  }

  build() {
    this.canvas = element('canvas')
    this.canvas.setAttribute('role', 'img')
    this.stage = element('div', { className: 'fresco-stage' }, this.canvas)
    this.words = element('span')
    this.items = element('select', { title: say('Which picture of the batch') })
    this.play = element('button', { type: 'button', textContent: '▶', title: say('Play (space)'), ariaLabel: say('Play (space)') })
    this.slider = element('input', { type: 'range', min: 1, step: 1, title: say('Step (arrow keys, Home, End)') })
    this.slider.setAttribute('aria-label', say('Step'))
    this.strength = element('input', { type: 'range', min: 0, max: 100, value: 55, title: say('Heatmap over the picture') })
    const strength = element('label', {}, say('picture'), this.strength, say('heatmap'))
    this.strengthLine = element('div', { className: 'fresco-line' }, strength)
    this.reading = element('span')
    this.least = element('small')
    this.scale = element('div', { className: 'fresco-scale', title: say('dark: converged; bright: still changing') })
    this.curve = svg('svg', { class: 'fresco-curve', viewBox: '0 -4 100 104', preserveAspectRatio: 'none' })
    this.area = svg('polygon')
    this.stairs = svg('polyline')
    this.marker = svg('line', { y1: -4, y2: 100 })
    const title = svg('title')
    title.textContent = say('Tokens per step; full resolution is the top')
    this.curve.append(title, this.area, this.stairs, this.marker)
    const tokens = element('small', { textContent: say('tokens per step') })
    this.body = element(
      'div',
      { style: 'display: contents' },
      this.stage,
      element('div', { className: 'fresco-line' }, this.reading, this.least, this.scale, element('small', { textContent: '1' })),
      element('div', { className: 'fresco-line' }, this.words),
      element('div', { className: 'fresco-line' }, this.play, this.slider, this.items),
      this.strengthLine,
      element('div', { className: 'fresco-tokens' }, this.curve, tokens)
    )
    this.empty = element('div', { className: 'fresco-empty', textContent: say('Queue the graph to see where the picture settles, step by step.') })
    this.hint = this.empty.textContent
    this.note = element('div', { className: 'fresco-note', role: 'status', hidden: true })
    this.element = element('div', { className: 'fresco-viewer', tabIndex: 0, role: 'group', ariaLabel: say('heatmap') }, this.empty, this.note, this.body)
    this.body.hidden = true
    this.listen()
  }

  listen() {
    this.slider.addEventListener('input', () => this.show(Number(this.slider.value) - 1))
    this.strength.addEventListener('input', () => this.draw())
    this.play.addEventListener('click', () => this.toggle())
    this.items.addEventListener('change', () => {
      this.item = Number(this.items.value)
      this.draw()
    })
    this.element.addEventListener('keydown', (event) => this.key(event))
    this.canvas.addEventListener('pointermove', (event) => {
      const box = this.canvas.getBoundingClientRect()
      this.pointer = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
      this.read()
    })
    this.canvas.addEventListener('pointerleave', () => {
      this.pointer = null
      this.read()
    })
    this.curve.addEventListener('pointerdown', (event) => {
      const box = this.curve.getBoundingClientRect()
      this.show(Math.floor(((event.clientX - box.left) / box.width) * this.readout.steps))
    })
    // else the host drags the node along with a slider
    this.element.addEventListener('pointerdown', (event) => event.stopPropagation())
  }

  /** Show the record of a run, null for none, and a note about it. */
  receive(record, note = '') {
    this.stop()
    this.readout = readoutOf(record)
    this.empty.hidden = this.readout !== null
    this.body.hidden = this.readout === null
    this.empty.textContent = note || this.hint
    this.note.textContent = note
    this.note.hidden = !note || this.readout === null
    if (!this.readout) return
    const { steps, batch, palette, decades } = this.readout
    this.slider.max = steps
    this.item = Math.min(this.item, batch - 1)
    this.items.replaceChildren(...Array.from({ length: batch }, (_, i) => new Option(say('picture {number}', { number: i + 1 }), i)))
    this.items.value = this.item
    this.items.hidden = batch === 1
    this.least.textContent = `1e-${decades}`
    const stops = palette.map((_, i) => `rgb(${colour(i / (palette.length - 1), palette)})`)
    this.scale.style.background = `linear-gradient(to right, ${stops})`
    const curve = tokenCurve(this.readout)
    this.stairs.setAttribute('points', curve)
    this.area.setAttribute('points', `0,100 ${curve} 100,100`)
    this.pictures = record.pictures.map((text) => {
      const image = new Image()
      image.onload = () => this.draw()
      image.src = `data:image/jpeg;base64,${text}`
      return image
    })
    this.strengthLine.hidden = this.pictures.length === 0
    this.show(steps - 1)
  }

  show(step) {
    this.step = stepBy(this.readout, step, 0)
    this.slider.value = this.step + 1
    this.words.textContent = stepWords(this.readout, this.step)
    const x = (100 * (this.step + 0.5)) / this.readout.steps
    this.marker.setAttribute('x1', x)
    this.marker.setAttribute('x2', x)
    this.draw()
  }

  draw() {
    if (!this.readout) return
    const { width, height, pixels, block } = this.readout
    const shrink = Math.min(1, 768 / Math.max(...pixels))
    this.canvas.width = Math.round(pixels[1] * shrink)
    this.canvas.height = Math.round(pixels[0] * shrink)
    this.stage.style.aspectRatio = `${pixels[1]} / ${pixels[0]}`
    this.canvas.setAttribute('aria-label', stepWords(this.readout, this.step))
    const context = this.canvas.getContext('2d')
    const picture = this.pictures[this.item]
    const below = picture?.complete && picture.naturalWidth > 0
    if (below) context.drawImage(picture, 0, 0, this.canvas.width, this.canvas.height)
    const blocks = element('canvas', { width, height })
    blocks.getContext('2d').putImageData(new ImageData(pixelsOf(this.readout, this.step, this.item), width), 0, 0)
    context.globalAlpha = below ? Number(this.strength.value) / 100 : 1
    context.imageSmoothingEnabled = false
    context.drawImage(blocks, 0, 0, width * block * shrink, height * block * shrink)
    context.globalAlpha = 1
    this.outline(context, block * shrink)
    this.fit()
    this.read()
  }

  /** A line around the blocks that a mixed step looked at in full resolution. */
  outline(context, side) {
    for (const [style, width] of [['#000', 4], ['#fff', 2]]) {
      context.strokeStyle = style
      context.lineWidth = width
      context.beginPath()
      for (const [x1, y1, x2, y2] of refinedOutline(this.readout, this.step, this.item)) {
        context.moveTo(x1 * side, y1 * side)
        context.lineTo(x2 * side, y2 * side)
      }
      context.stroke()
    }
  }

  /** Show the canvas as large as the stage allows, its shape kept. */
  fit() {
    const { clientWidth, clientHeight } = this.stage
    const factor = Math.min(clientWidth / this.canvas.width, clientHeight / this.canvas.height)
    if (!(factor > 0)) return
    this.canvas.style.width = `${Math.floor(this.canvas.width * factor)}px`
    this.canvas.style.height = `${Math.floor(this.canvas.height * factor)}px`
  }

  read() {
    if (!this.readout) return
    const block = this.pointer && blockAt(this.readout, ...this.pointer)
    const row = this.readout.rows[this.step]
    if (!this.readout.valued(this.step)) {
      this.reading.textContent = say('no value yet: the first step of its pass')
    } else if (block) {
      const value = this.readout.value(this.step, this.item, block.y, block.x)
      const level = levelName(this.readout.level(this.step, this.item, block.y, block.x))
      this.reading.textContent = say('block {x}, {y} · {value} · {level}', { ...block, value: short(value), level })
    } else {
      const mean = row.convergence === null ? '∞' : short(row.convergence)
      const shown = { mean, percent: Math.round(100 * row.converged) }
      this.reading.textContent = say('mean {mean} · {percent} % converged', shown)
    }
  }

  key(event) {
    if (!this.readout || event.ctrlKey || event.metaKey || event.altKey || event.target === this.items) return
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 }
    if (event.target === this.strength && event.key in moves) return event.stopPropagation()
    if (event.key in moves) this.show(stepBy(this.readout, this.step, moves[event.key]))
    else if (event.key === 'Home') this.show(0)
    else if (event.key === 'End') this.show(this.readout.steps - 1)
    else if (event.key === ' ') this.toggle()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  toggle() {
    if (this.playing) return this.stop()
    if (!this.readout) return
    if (this.step === this.readout.steps - 1) this.show(0)
    this.play.textContent = '⏸'
    this.playing = setInterval(() => {
      this.show(this.step + 1)
      if (this.step === this.readout.steps - 1) this.stop()
    }, MILLISECONDS_A_STEP)
  }

  stop() {
    clearInterval(this.playing)
    this.playing = null
    this.play.textContent = '▶'
  }
}
