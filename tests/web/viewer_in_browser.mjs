// The viewer on FrescoConvergence.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demo, eventually, intoSubgraph, load, lookAt, open, photograph, promptOf, read, run, savedOf, screenshot } from './frontend.mjs'

function locatorsOf(page) {
  const viewer = page.locator('.fresco-viewer')
  const lines = viewer.locator('.fresco-line > span')
  return { viewer, slider: viewer.locator('input').first(), reading: lines.nth(0), words: lines.nth(1) }
}

export function testViewer(on, renderer) {
  test('the steps of a run are looked through', async () => {
    const { page } = on
    await load(page, read('workflows/fresco_demo.json'))
    await lookAt(page, 'FrescoConvergence')
    const { viewer, slider, reading, words } = locatorsOf(page)
    assert.equal(await viewer.locator('.fresco-empty').isVisible(), true)
    await run(page)
    await slider.waitFor()
    assert.deepEqual([await slider.getAttribute('min'), await slider.getAttribute('max')], ['1', '20'], 'as many as the sampler')
    assert.match(await words.textContent(), /^step 20 of 20 · pass 2 · σ .* · full · 144 tokens$/)

    await slider.focus()
    await page.keyboard.press('Home')
    assert.match(await words.textContent(), /^step 1 of 20 · pass 1 · σ .* · 1\/4 · 9 tokens$/)
    assert.match(await reading.textContent(), /^no value yet/)
    await page.keyboard.press('ArrowRight')
    assert.match(await words.textContent(), /^step 2 of /)
    assert.match(await reading.textContent(), /^mean .* converged$/)
    await page.keyboard.press('Space')
    await eventually(() => words.textContent(), /^step 1[0-9] /, 'it plays')
    await slider.fill('5')
    await page.keyboard.press('Space')
    assert.match(await words.textContent(), /^step \d /)

    const box = await viewer.locator('canvas').boundingBox()
    await page.mouse.move(box.x + box.width * 0.1, box.y + box.height * 0.9)
    assert.match(await reading.textContent(), /^block 0, 5 · [\d.e-]+ · 1\/[24]$/)
    await photograph(page, `viewer_${renderer}`)
  })

  test('the viewer is not part of what is saved', async () => {
    const { page } = on
    const before = await promptOf(page)
    const saved = await savedOf(page)
    const [now, shipped] = [saved, read('workflows/fresco_demo.json')].map(
      (graph) => graph.nodes.find((node) => node.type === 'FrescoConvergence').widgets_values
    )
    assert.deepEqual(now, shipped)
    await load(page, saved)
    assert.deepEqual(await promptOf(page), before)
  })

  test('mixed steps, in a subgraph: what each step refined is outlined', async () => {
    const { page } = on
    await load(page, demo({ schedule: '', preset: 'progressive' }))
    const id = await intoSubgraph(page, 'FrescoConvergence')
    assert.match(id, /^\d+:\d+$/)
    await run(page)
    const { viewer, slider, reading, words } = locatorsOf(page)
    await slider.fill('12')
    assert.match(await words.textContent(), /^step 12 of 20 · pass 1 · σ .* · 1\/2 · (?!36 )\d+ tokens$/, 'between coarse and full')
    await screenshot(page, `viewer_mixed_${renderer}`)
    const box = await viewer.locator('canvas').boundingBox()
    const levels = new Set()
    for (let block = 0; block < 36; block++) {
      const [x, y] = [(block % 6) + 0.5, Math.floor(block / 6) + 0.5]
      await page.mouse.move(box.x + (box.width * x) / 6, box.y + (box.height * y) / 6)
      levels.add((await reading.textContent()).split(' · ').at(-1))
    }
    assert.deepEqual([...levels].sort(), ['1/2', 'full'])
  })
}

/** A run of no step, whose picture is the latent's own. */
export function testNothingToShow(on, renderer) {
  test('a run without steps does not fail, and the viewer says why there is nothing', async () => {
    const { page } = on
    await load(page, demo({ denoise: 0 }))
    await lookAt(page, 'FrescoConvergence')
    await run(page)
    await eventually(() => page.locator('.fresco-viewer .fresco-empty').innerText(), /^nothing was sampled/)
    await screenshot(page, `viewer_nothing_${renderer}`)
    await load(page, demo({ steps: 1 }))
    await lookAt(page, 'FrescoConvergence')
    await run(page)
    await eventually(() => page.locator('.fresco-viewer .fresco-empty').innerText(), /^one step was sampled/)
  })
}

/** To be the last, for it leaves the page in another language. */
export function testLanguage(on, renderer) {
  const [language, expected] = renderer === 'vue' ? ['zh', /^运行工作流/] : ['ja', /^実行すると/]

  test(`the viewer's words are in the language of the frontend: ${language}`, async () => {
    await open(on.page, { 'Comfy.Locale': language })
    await load(on.page, demo())
    await lookAt(on.page, 'FrescoConvergence')
    await eventually(() => on.page.locator('.fresco-empty').textContent(), expected)
    await run(on.page)
    await eventually(() => locatorsOf(on.page).words.textContent(), /σ .* · (全|フル) · 144/)
    await screenshot(on.page, `viewer_${language}`)
  })
}
