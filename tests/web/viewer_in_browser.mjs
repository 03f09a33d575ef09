// The pack in a real browser on a booted host, in both renderers. Started by tests/host/test_browser.py, which says
// where the host, the browser and the folder for screenshots are.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { MINUTE, launch, load, lookAt, open, photograph, promptOf, read, run } from './frontend.mjs'

const { FRESCO_OUT } = process.env
const WORKFLOWS = ['fresco_demo', 'fresco_compare', 'fresco_flux']

let browser
before(async () => {
  mkdirSync(FRESCO_OUT, { recursive: true })
  browser = await launch()
})
after(() => browser.close())

for (const renderer of ['classic', 'vue']) {
  test(`${renderer}: shipped graphs queue as their API twins`, { timeout: 2 * MINUTE }, async () => {
    const { page, errors } = await open(browser, renderer)
    for (const name of WORKFLOWS) {
      await load(page, read(`workflows/${name}.json`))
      assert.deepEqual(await promptOf(page), read(`workflows/api/${name}.json`), name)
    }
    assert.deepEqual(errors, [])
    await page.close()
  })

  test(`${renderer}: run, look through the steps, save and reload`, { timeout: 3 * MINUTE }, async () => {
    const { page, errors } = await open(browser, renderer)
    const graph = read('workflows/fresco_demo.json')
    await load(page, graph)
    await lookAt(page, 'FrescoConvergence')
    const viewer = page.locator('.fresco-viewer')
    assert.equal(await viewer.locator('.fresco-empty').isVisible(), true)
    await run(page)

    const slider = viewer.getByRole('slider', { name: 'Step' })
    await slider.waitFor({ state: 'visible', timeout: MINUTE })
    assert.equal(await slider.getAttribute('max'), '17', '20 evaluations, the first of each pass without values')
    const words = viewer.locator('.fresco-line > span').nth(1)
    assert.match(await words.textContent(), /^step 17 · pass 2 · σ .* · full · 144 tokens$/)
    await photograph(page, `viewer_${renderer}`)

    await slider.focus()
    await page.keyboard.press('Home')
    assert.match(await words.textContent(), /^step 0 · pass 1 · σ .* · 1\/2 · 36 tokens$/)
    await page.keyboard.press('ArrowRight')
    assert.match(await words.textContent(), /^step 1 /)
    await slider.fill('5')
    assert.match(await words.textContent(), /^step 5 /)
    await page.keyboard.press('Space')
    await page.waitForFunction(() => /^step [89] /.test(document.querySelectorAll('.fresco-line > span')[1].textContent))
    await page.keyboard.press('Space')

    const box = await viewer.locator('.fresco-stage canvas').boundingBox()
    await page.mouse.move(box.x + box.width * 0.1, box.y + box.height * 0.9)
    const reading = viewer.locator('.fresco-line > span').first()
    assert.match(await reading.textContent(), /^block 0, 5 · [\d.e-]+ · 1\/2$/)
    await page.screenshot({ path: `${FRESCO_OUT}/pointer_${renderer}.png` })

    const before = await promptOf(page)
    const saved = JSON.parse(JSON.stringify(await page.evaluate(() => app.graph.serialize())))
    const node = saved.nodes.find((n) => n.type === 'FrescoConvergence')
    assert.deepEqual(node.widgets_values, graph.nodes.find((n) => n.type === 'FrescoConvergence').widgets_values)
    await load(page, saved)
    assert.deepEqual(await promptOf(page), before)
    assert.deepEqual(errors, [])
    await page.close()
  })

  test(`${renderer}: plain against Fresco`, { timeout: 3 * MINUTE }, async () => {
    const { page, errors } = await open(browser, renderer)
    await load(page, read('workflows/fresco_compare.json'))
    await lookAt(page, 'FrescoCompare')
    await run(page)
    await page.waitForTimeout(1000)
    const shown = await page.evaluate(() => Object.values(app.nodeOutputs).find((output) => output.comparison))
    assert.equal(shown.images.length, 1)
    assert.ok(shown.comparison[0][0].ssim > 0.5 && shown.comparison[0][0].ssim < 1)
    await photograph(page, `compare_${renderer}`)
    assert.deepEqual(errors, [])
    await page.close()
  })
}
