// The record of a run that FrescoConvergence leaves for the viewer, made ready for drawing. No browser objects here.

import { levelName, say } from './words.js'

/** Base64 text as bytes. */
export function bytesOf(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}

/**
 * The readout of a run's record: `rows`, one per step, which the slider counts from 0 and the user from 1; and the values
 * and levels of their blocks. Null where no step has values.
 */
export function readoutOf(record) {
  const rows = record?.evaluations
  const maps = record?.maps
  if (!rows?.length || !maps) return null
  const [count, batch, height, width] = maps.shape
  const bytes = bytesOf(maps.values)
  const codes = new Uint16Array(count * batch * height * width)
  for (let i = 0; i < codes.length; i++) codes[i] = bytes[2 * i] | (bytes[2 * i + 1] << 8)
  const fine = maps.fine ? bytesOf(maps.fine) : null
  let found = 0
  const mapOf = rows.map((row) => (row.converged === null ? null : found++))
  const at = (step, item, y, x) => ((mapOf[step] * batch + item) * height + y) * width + x
  return {
    rows,
    steps: rows.length,
    batch,
    height,
    width,
    pixels: maps.size,
    block: maps.block,
    mixed: fine !== null,
    fullTokens: maps.full_tokens,
    palette: maps.palette,
    decades: maps.decades,
    /** Whether a step has values: the first of a pass has none. */
    valued: (step) => mapOf[step] !== null,
    /** Convergence value of a block; null in a step without values. */
    value(step, item, y, x) {
      if (mapOf[step] === null) return null
      return 10 ** (maps.lowest + (maps.span * codes[at(step, item, y, x)]) / 65535)
    },
    /** Level that a block was seen at: 0 is full resolution. */
    level(step, item, y, x) {
      return mapOf[step] !== null && fine?.[at(step, item, y, x)] ? 0 : rows[step].level
    }
  }
}

/** Position of a value on the palette: log10 over `decades` below 1, in [0, 1]. */
export function brightness(value, decades) {
  return Math.min(Math.max((Math.log10(Math.max(value, 1e-30)) + decades) / decades, 0), 1)
}

/** Red, green and blue (0 to 255) of a position in [0, 1], linear between the palette's points. */
export function colour(position, palette) {
  const scaled = position * (palette.length - 1)
  const low = Math.min(Math.floor(scaled), palette.length - 2)
  const part = scaled - low
  return palette[low].map((c, i) => Math.round(255 * (c * (1 - part) + palette[low + 1][i] * part)))
}

/** One step of one batch item as RGBA bytes, a pixel per block; clear where the step has no values. */
export function pixelsOf(readout, step, item) {
  const out = new Uint8ClampedArray(readout.width * readout.height * 4)
  if (!readout.valued(step)) return out
  for (let y = 0; y < readout.height; y++)
    for (let x = 0; x < readout.width; x++) {
      const position = brightness(readout.value(step, item, y, x), readout.decades)
      out.set([...colour(position, readout.palette), 255], (y * readout.width + x) * 4)
    }
  return out
}

/** The block under a point given as parts of the picture's width and height, or null outside. */
export function blockAt(readout, across, down) {
  if (!(across >= 0 && across < 1 && down >= 0 && down < 1)) return null
  const x = Math.floor((across * readout.pixels[1]) / readout.block)
  const y = Math.floor((down * readout.pixels[0]) / readout.block)
  return { x: Math.min(x, readout.width - 1), y: Math.min(y, readout.height - 1) }
}

/**
 * The outline [[x1, y1, x2, y2], ...], in blocks, of what a mixed step refined; nothing of other steps.
 */
export function refinedOutline(readout, step, item) {
  if (!readout.mixed || readout.rows[step].level === 0) return []
  const { width, height } = readout
  const inside = (y, x) => y >= 0 && x >= 0 && y < height && x < width && readout.level(step, item, y, x) === 0
  const edges = []
  for (let y = 0; y <= height; y++)
    for (let x = 0; x <= width; x++) {
      if (inside(y, x) !== inside(y - 1, x)) edges.push([x, y, x + 1, y])
      if (inside(y, x) !== inside(y, x - 1)) edges.push([x, y, x, y + 1])
    }
  return edges
}

/** The step after `step` by `by`, kept within the run. */
export function stepBy(readout, step, by) {
  return Math.min(Math.max(step + by, 0), readout.steps - 1)
}

/** Points "x,y ..." of a staircase of tokens per evaluation in a box of 100 x 100, full resolution at the top. */
export function tokenCurve(readout) {
  const count = readout.rows.length
  return readout.rows
    .flatMap((row, i) => {
      const y = 100 * (1 - row.tokens / readout.fullTokens)
      return [`${((100 * i) / count).toFixed(2)},${y.toFixed(2)}`, `${((100 * (i + 1)) / count).toFixed(2)},${y.toFixed(2)}`]
    })
    .join(' ')
}

/** The line above the slider. */
export function stepWords(readout, step) {
  const row = readout.rows[step]
  const own = readout.rows.filter((other) => other.step === row.step)
  const shown = {
    step: row.step,
    count: readout.rows.at(-1).step,
    pass: row.pass + 1,
    sigma: row.sigma.toPrecision(3),
    level: levelName(row.level),
    tokens: row.tokens
  }
  const words = say('step {step} of {count} · pass {pass} · σ {sigma} · {level} · {tokens} tokens', shown)
  return own.length > 1 ? `${words} · ${say('evaluation {number}', { number: own.indexOf(row) + 1 })}` : words
}
