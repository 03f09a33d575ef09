// The shipped graphs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load, lookAt, photograph, promptOf, read, run } from './frontend.mjs'

export function testGraphs(on, renderer) {
  for (const name of ['fresco_demo', 'fresco_compare', 'fresco_flux'])
    test(`${name} queues as its API twin`, async () => {
      await load(on.page, read(`workflows/${name}.json`))
      assert.deepEqual(await promptOf(on.page), read(`workflows/api/${name}.json`))
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
