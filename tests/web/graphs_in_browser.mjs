// The shipped graphs.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { demo, load, lookAt, PACK, photograph, promptOf, read, run } from './frontend.mjs'

const GRAPHS = readdirSync(`${PACK}workflows`).filter((file) => file.endsWith('.json'))

export function testGraphs(on, renderer) {
  for (const name of GRAPHS.map((file) => file.replace('.json', '')))
    test(`${name} queues as its API twin`, async () => {
      await load(on.page, read(`workflows/${name}.json`))
      assert.deepEqual(await promptOf(on.page), read(`workflows/api/${name}.json`))
    })

  test('previews carry the plan along their bottom', async () => {
    const { page } = on
    const seed = renderer === 'vue' ? 6 : 7 // the host answers the same prompt without running it again
    await load(page, demo({ live_heatmap: true, seed }))
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
    await photograph(on.page, `compare_${renderer}`)
  })
}
