// The numbers that FrescoConvergence sends with its ui output, made ready for drawing. No browser objects here.

import { levelName, say } from './words.js'

/** Base64 text as bytes. */
export function bytesOf(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}

/**
 * The readout of a run: `evaluations` (one row per call of the model), `recorded` (those with values, which the
 * slider counts), and per recorded step and batch item the values and levels of its blocks.
 */
export function readoutOf(output) {
  const rows = output?.evaluations?.[0]
  const maps = output?.maps?.[0]
  if (!rows?.length || !maps) return null
  const [steps, batch, height, width] = maps.shape
  const bytes = bytesOf(maps.values)
  const codes = new Uint16Array(steps * batch * height * width)
  for (let i = 0; i < codes.length; i++) codes[i] = bytes[2 * i] | (bytes[2 * i + 1] << 8)
  const fine = maps.fine ? bytesOf(maps.fine) : null
  const recorded = rows.filter((row) => row.step !== null)
  return {
    rows,
    recorded,
    steps,
    batch,
    height,
    width,
    pixels: maps.size,
    block: maps.block,
    mixed: fine !== null,
    fullTokens: maps.full_tokens,
    palette: maps.palette,
    decades: maps.decades,
    summary: output.summary?.[0] ?? '',
    /** Convergence value of a block. */
    value(step, item, y, x) {
      const code = codes[((step * batch + item) * height + y) * width + x]
      return 10 ** (maps.lowest + (maps.span * code) / 65535)
    },
    /** Level that a block was seen at: 0 is full resolution. */
    level(step, item, y, x) {
      const seen = fine?.[((step * batch + item) * height + y) * width + x]
      return seen ? 0 : recorded[step].level
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

/** One step of one batch item as RGBA bytes, a pixel per block. */
export function pixelsOf(readout, step, item) {
  const out = new Uint8ClampedArray(readout.width * readout.height * 4)
  for (let y = 0; y < readout.height; y++)
    for (let x = 0; x < readout.width; x++) {
      const position = brightness(readout.value(step, item, y, x), readout.decades)
      out.set([...colour(position, readout.palette), 255], (y * readout.width + x) * 4)
    }
  return out
}

/** The block under a point given as shares of the picture's width and height, or null outside. */
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
  if (!readout.mixed || readout.recorded[step].level === 0) return []
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

/** The step after `step` by `by`, kept within the recorded ones. */
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
  const row = readout.recorded[step]
  const shown = { step, pass: row.pass + 1, sigma: row.sigma.toPrecision(3), level: levelName(row.level), tokens: row.tokens }
  return say('step {step} · pass {pass} · σ {sigma} · {level} · {tokens} tokens', shown)
}
