// The shipped graphs.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { demo, load, lookAt, PACK, photograph, promptOf, read, run, screenshot } from './frontend.mjs'

const GRAPHS = readdirSync(`${PACK}workflows`).filter((file) => file.endsWith('.json'))

export function testGraphs(on, renderer) {
  for (const name of GRAPHS.map((file) => file.replace('.json', '')))
    test(`${name} queues as its API twin; no node lies on another, with previews on, and all can be read at half size`, async () => {
      const { page } = on
      await load(page, read(`workflows/${name}.json`))
      assert.deepEqual(await promptOf(page), read(`workflows/api/${name}.json`))
      const found = await page.evaluate(async () => {
        const canvas = new OffscreenCanvas(512, 512)
        canvas.getContext('2d').fillRect(0, 0, 512, 512)
        const blob = await canvas.convertToBlob()
        const samplers = app.graph.nodes.filter((n) => /Sampler(Advanced|CustomAdvanced)?$/.test(n.type) && n.inputs.some((i) => i.name === 'latent_image'))
        for (const { id } of samplers) {
          const ids = { nodeId: String(id), displayNodeId: String(id), parentNodeId: String(id), realNodeId: String(id), promptId: '' }
          app.api.dispatchCustomEvent('b_preview_with_metadata', { blob, ...ids })
        }
        app.canvas.ds.scale = 0.5
        const left = Math.min(...app.graph.nodes.map((n) => n.pos[0]))
        const top = Math.min(...app.graph.nodes.map((n) => n.pos[1]))
        app.canvas.ds.offset = [160 - left, 160 - top]
        app.canvas.setDirty(true, true)
        await new Promise((resolve) => setTimeout(resolve, 700))
        const title = 30
        const boxes = app.graph.nodes.map((node) => {
          const shown = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect()
          const [width, height] = shown ? [shown.width / app.canvas.ds.scale, shown.height / app.canvas.ds.scale] : [node.size[0], node.size[1] + title]
          return { name: `${node.type} ${node.id}`, x: node.pos[0], y: node.pos[1] - title, width, height }
        })
        const over = []
        for (const [i, a] of boxes.entries())
          for (const b of boxes.slice(i + 1))
            if (a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height)
              over.push(`${a.name} (${a.y}+${Math.round(a.height)}) on ${b.name} (${b.y}+${Math.round(b.height)})`)
        return { over, previews: samplers.length }
      })
      await screenshot(page, `layout_${name}_${renderer}`)
      assert.deepEqual(found.over, [])
      assert.equal(found.previews > 0, name !== 'fresco_bench', 'the bench sends none')
    })
}

/** What the host sends, in which renderers have no part. */
export function testOutputs(on) {
  test('previews carry the plan along their bottom', async () => {
    const { page } = on
    await load(page, demo({ live_heatmap: true, seed: 6 }))
    await page.evaluate(() => {
      window.frescoPreviews = []
      app.api.addEventListener('b_preview_with_metadata', (event) => window.frescoPreviews.push(event.detail.blob))
    })
    await run(page)
    const [coarse, full] = await page.evaluate(async () => {
      const image = await createImageBitmap(window.frescoPreviews.at(-1))
      const context = new OffscreenCanvas(image.width, image.height).getContext('2d')
      context.drawImage(image, 0, 0)
      const middles = [6.5 / 20, 16.5 / 20] // of the bars of a coarse step and of a full one
      return middles.map((x) => [...context.getImageData(Math.round(x * image.width), image.height - 4, 1, 1).data])
    })
    assert.ok(Math.min(coarse[0], coarse[2]) - coarse[1] > 25, `purple: a quarter of the resolution, found ${coarse}`)
    assert.ok(full[2] - full[0] > 60, `blue: full resolution, found ${full}`)
  })

  test('plain against Fresco', async () => {
    await load(on.page, read('workflows/fresco_compare.json'))
    await lookAt(on.page, 'FrescoCompare')
    await run(on.page)
    const shown = await on.page.evaluate(() => Object.values(app.nodeOutputs).find((output) => output.comparison))
    assert.equal(shown.images.length, 1)
    assert.ok(shown.comparison[0][0].ssim > 0.5 && shown.comparison[0][0].ssim < 1)
    await photograph(on.page, 'compare')
  })
}
