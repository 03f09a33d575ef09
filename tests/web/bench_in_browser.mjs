// Fresco Bench on its node: the figures of a run, and a schedule kept as a preset of every node.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, frames, load, lookAt, photograph, read, run } from './frontend.mjs'

const HALF = 'draft 1/2 50%; refine 50%'

export function testBench(on, renderer) {
  const name = `kept in ${renderer}`
  const panel = () => on.page.locator('.fresco-bench').first()
  const status = () => panel().locator('.status').innerText()

  /** What nodes of a type offer as presets. */
  const offered = (type) =>
    on.page.evaluate((t) => app.canvas.graph.nodes.find((n) => n.type === t).widgets.find((w) => w.name === 'preset').options.values, type)

  /** Bring the table and what is below it into the window. */
  const lookAtPanel = async () => {
    await lookAt(on.page, 'FrescoBench')
    await on.page.evaluate(() => {
      app.canvas.ds.scale = 0.55
      app.canvas.setDirty(true, true)
    })
    await frames(on.page, 6)
  }

  test('a bench shows its figures, and a schedule of it becomes a preset of every node', async () => {
    const { page } = on
    const graph = read('workflows/fresco_bench.json')
    const bench = graph.nodes.find((n) => n.type === 'FrescoBench')
    // seed, steps, cfg, sampler, scheduler, denoise, seeds, presets, near enough
    bench.widgets_values = [renderer === 'vue' ? 31 : 32, 4, 2.5, 'euler', 'simple', 1, 2, HALF, 30]
    await load(page, graph)
    await page.evaluate(() => {
      const sampler = LiteGraph.createNode('FrescoKSampler')
      sampler.pos = [2200, 60]
      app.graph.add(sampler)
    })
    await lookAt(page, 'FrescoBench')
    assert.match(await status(), /^Queue the graph/)
    await run(page)
    await eventually(async () => (await panel().locator('tr').allInnerTexts()).join('\n'), /plain, 4 steps.*\n[^]*draft 1\/2 50%/)
    await frames(page, 6)
    assert.equal(await panel().locator('tr.recommended').count(), 1)
    await eventually(() => page.locator('.fresco-words').first().innerText(), /^Use /)
    assert.deepEqual(await page.evaluate(() => Object.keys(app.nodePreviewImages ?? {})), [], 'no preview hides the plot')
    await lookAtPanel() // which is below the window on some frontends
    const keep = panel().getByRole('button', { name: 'Keep as preset' })
    await panel().locator('tr.keepable').first().click()
    assert.equal(await keep.isDisabled(), true, 'without a name')
    await panel().locator('input').fill('balanced')
    await keep.click()
    await eventually(status, /'balanced' is taken/)
    on.errors.length = 0 // the console tells of the refusal too
    await panel().locator('input').fill(name)
    await keep.click()
    await eventually(status, new RegExp(`^Kept: ${name}`))
    await eventually(async () => (await offered('FrescoKSampler')).includes(name), true)
    await photograph(page, `bench_${renderer}`)
  })

  test('forgetting a preset takes it out of every choice', async () => {
    await lookAtPanel()
    await panel().locator('tr.keepable').first().click()
    await panel().locator('input').fill(name)
    await panel().getByRole('button', { name: 'Keep as preset' }).click()
    await eventually(status, new RegExp(`^Kept: ${name}`))
    await panel().getByRole('button', { name: 'Forget' }).click()
    await eventually(status, new RegExp(`^Forgotten: ${name}`))
    await eventually(async () => (await offered('FrescoKSampler')).includes(name), false)
  })
}
