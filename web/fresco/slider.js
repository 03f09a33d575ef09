// Two pictures in one place, parted by a line that follows the pointer; or their difference.

import { addStyle, element } from './style.js'
import { say } from './words.js'

export class PictureSlider {
  constructor() {
    addStyle()
    this.pairs = []
    this.names = ['', '']
    this.item = 0
    this.at = 50
    const picture = () => element('img', { draggable: false, alt: '', onerror: () => this.lose() })
    ;[this.a, this.b, this.difference] = [picture(), picture(), picture()]
    this.line = element('div', { className: 'fresco-divider' })
    this.tags = [element('span'), element('span')]
    this.stage = element('div', { className: 'fresco-pair' }, this.b, this.a, this.line, ...this.tags, this.difference)
    this.slide = element('input', { type: 'range', min: 0, max: 100, value: 50, title: say('Before and after') })
    this.slide.setAttribute('aria-label', say('Before and after'))
    this.items = element('select', { title: say('Which picture of the batch') })
    this.mode = element('button', { type: 'button', textContent: say('difference') })
    this.empty = element('div', { className: 'fresco-empty', textContent: say('Queue the graph to see both pictures here.') })
    const controls = element('div', { className: 'fresco-line' }, this.slide, this.items, this.mode)
    this.body = element('div', { style: 'display: contents' }, this.stage, controls)
    this.element = element('div', { className: 'fresco-viewer' }, this.empty, this.body)
    this.body.hidden = true
    this.listen()
  }

  listen() {
    const follow = (event) => {
      const box = this.a.getBoundingClientRect()
      if (box.width > 0) this.part((100 * (event.clientX - box.left)) / box.width)
    }
    this.stage.addEventListener('pointermove', follow)
    this.stage.addEventListener('pointerdown', follow)
    this.slide.addEventListener('input', () => this.part(Number(this.slide.value)))
    this.items.addEventListener('change', () => this.show(Number(this.items.value)))
    this.mode.addEventListener('click', () => {
      this.mode.ariaPressed = String(this.mode.ariaPressed !== 'true')
      this.show(this.item)
    })
    // else the host drags the node along with a slider
    this.element.addEventListener('pointerdown', (event) => event.stopPropagation())
  }

  /** Show pairs of addresses [{a, b, difference}, ...], and the names of both sides. */
  receive(pairs, names) {
    this.pairs = pairs
    this.names = names
    this.empty.textContent = say('Queue the graph to see both pictures here.')
    this.empty.hidden = pairs.length > 0
    this.body.hidden = pairs.length === 0
    this.items.replaceChildren(...pairs.map((_, i) => new Option(say('picture {number}', { number: i + 1 }), i)))
    this.items.hidden = pairs.length < 2
    if (pairs.length) this.show(Math.min(this.item, pairs.length - 1))
  }

  /** Say that the host has dropped the pictures, as it does when it starts. */
  lose() {
    this.empty.textContent = say('The host has this run no more: queue the graph again.')
    this.empty.hidden = false
    this.body.hidden = true
    for (const name of ['a', 'b', 'difference']) this[name].removeAttribute('src')
  }

  show(item) {
    this.item = item
    this.items.value = item
    const apart = this.mode.ariaPressed === 'true'
    for (const name of ['a', 'b', 'difference']) {
      if (this[name].getAttribute('src') !== this.pairs[item][name]) this[name].src = this.pairs[item][name]
      this[name].hidden = apart !== (name === 'difference')
    }
    this.tags.forEach((tag, i) => {
      tag.textContent = this.names[i]
      tag.hidden = apart
    })
    this.line.hidden = apart
    this.slide.disabled = apart
    this.part(this.at)
  }

  /** Show the first picture left of a part, in percent of the width, and the second right of it. */
  part(at) {
    this.at = Math.min(Math.max(at, 0), 100)
    this.slide.value = this.at
    this.stage.style.setProperty('--fresco-part', `${this.at}%`)
  }
}
