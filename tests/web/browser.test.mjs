// The pack in a real browser on a booted host, in both renderers. Started by tests/host/test_browser.py, which says
// where the host, the browser and the folder for screenshots are.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const { FRESCO_URL, FRESCO_CHROMIUM, FRESCO_OUT } = process.env
const PACK = fileURLToPath(new URL('../..', import.meta.url))
const WORKFLOWS = ['fresco_demo', 'fresco_compare', 'fresco_flux']
const MINUTE = 60_000
const read = (path) => JSON.parse(readFileSync(PACK + path, 'utf8'))

let browser
before(async () => {
  mkdirSync(FRESCO_OUT, { recursive: true })
  browser = await chromium.launch({ executablePath: FRESCO_CHROMIUM, args: ['--no-sandbox'] })
})
after(() => browser.close())

/** A page with the host's frontend in one renderer, and the errors that its console shows. */
async function open(renderer) {
  const page = await browser.newPage({ viewport: { width: 1500, height: 1100 } })
  await page.goto(FRESCO_URL)
  // the host's own first graph has to be there, or it would replace the one that a test loads
  const ready = () => window.app?.extensionManager && window.LiteGraph?.registered_node_types.FrescoConvergence && app.canvas?.graph?.nodes.length
  await page.waitForFunction(ready, null, { timeout: MINUTE })
  const errors = []
  page.on('console', (message) => {
    // files of the user that a new installation has not, and addresses outside, are the host's own business
    if (message.type() === 'error' && !/status of 404|huggingface|Content Security Policy/.test(message.text())) errors.push(message.text())
  })
  page.on('pageerror', (error) => errors.push(error.message))
  await page.evaluate(async (vue) => {
    const { setting } = app.extensionManager
    await setting.set('Comfy.TutorialCompleted', true)
    await setting.set('Comfy.VueNodes.Enabled', vue)
    await setting.set('Comfy.Workflow.ShowMissingModelsWarning', false)
  }, renderer === 'vue')
  return { page, errors }
}

async function load(page, graph) {
  await page.evaluate((g) => app.loadGraphData(g, true, true), graph)
  await page.waitForTimeout(300)
}

const promptOf = (page) => page.evaluate(async () => (await app.graphToPrompt()).output)

/** Bring a node to the middle of the window. */
async function lookAt(page, type) {
  await page.evaluate((t) => {
    const node = app.graph.nodes.find((n) => n.type === t)
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [-node.pos[0] + 540, -node.pos[1] + 110]
    app.canvas.setDirty(true, true)
  }, type)
  await page.waitForTimeout(400)
}

async function run(page) {
  await page.evaluate(() => {
    window.frescoDone = new Promise((resolve, reject) => {
      app.api.addEventListener('execution_success', () => resolve(), { once: true })
      app.api.addEventListener('execution_error', (e) => reject(new Error(e.detail.exception_message)), { once: true })
    })
    return app.queuePrompt(0)
  })
  await page.evaluate(() => window.frescoDone)
}

async function photograph(page, name) {
  for (const palette of ['dark', 'light']) {
    await page.evaluate((p) => app.extensionManager.setting.set('Comfy.ColorPalette', p), palette)
    await page.waitForTimeout(500)
    await page.screenshot({ path: `${FRESCO_OUT}/${name}_${palette}.png` })
  }
}

for (const renderer of ['classic', 'vue']) {
  test(`${renderer}: shipped graphs queue as their API twins`, { timeout: 2 * MINUTE }, async () => {
    const { page, errors } = await open(renderer)
    for (const name of WORKFLOWS) {
      await load(page, read(`workflows/${name}.json`))
      assert.deepEqual(await promptOf(page), read(`workflows/api/${name}.json`), name)
    }
    assert.deepEqual(errors, [])
    await page.close()
  })

  test(`${renderer}: run, look through the steps, save and reload`, { timeout: 3 * MINUTE }, async () => {
    const { page, errors } = await open(renderer)
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
    const { page, errors } = await open(renderer)
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
