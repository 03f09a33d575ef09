// The schedule editor in a real browser, in both renderers; started as browser.test.mjs is.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { MINUTE, launch, load, lookAt, open, photograph, promptOf, read, run } from './frontend.mjs'

const { FRESCO_OUT } = process.env
const TEXT = 'draft 1/2 60%; refine 0.75 40%'
const SHARE_OF_STEP_12 = 0.596 // of the canvas's width, in a drawing of 12 and 8 steps

let browser
before(async () => {
  mkdirSync(FRESCO_OUT, { recursive: true })
  browser = await launch()
})
after(() => browser.close())

/** The demo's graph in API format with a Fresco Schedule of its own before its sampler. */
function graph() {
  const prompt = read('workflows/api/fresco_demo.json')
  const [sampler] = Object.entries(prompt).find(([, node]) => node.class_type === 'FrescoKSampler')
  const { model, latent_image } = prompt[sampler].inputs
  const widgets = { preset: 'from text', text: TEXT, draft_level: '1/2', draft_share: 0.6, refine_from: 0.75 }
  prompt[90] = {
    class_type: 'FrescoSchedule',
    inputs: { ...widgets, steps: 20, scheduler: 'simple', model, latent: latent_image, baseline_steps: 50 }
  }
  prompt[sampler].inputs.schedule = ['90', 0]
  return prompt
}

/** Wait until `find` gives what is expected, or say what it gives instead. */
async function eventually(find, expected, message) {
  const matches = (found) => (expected instanceof RegExp ? expected.test(found) : isDeepStrictEqual(found, expected))
  let found = await find()
  for (let tries = 0; !matches(found) && tries < 100; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    found = await find()
  }
  assert[expected instanceof RegExp ? 'match' : 'deepEqual'](found, expected, message)
}

async function start(renderer) {
  const { page, errors } = await open(browser, renderer)
  await page.evaluate((prompt) => app.loadApiJson(prompt, 'editor'), graph())
  await lookAt(page, 'FrescoSchedule')
  const editor = page.locator('.fresco-editor')
  await editor.locator('.figures b').first().waitFor()
  const widgets = () =>
    page.evaluate(() => app.graph.nodes.find((n) => n.type === 'FrescoSchedule').widgets.slice(0, 2).map((w) => w.value))
  const text = (part) => editor.locator(part).textContent()
  const drag = async (from, to) => {
    const box = await editor.locator('canvas').boundingBox()
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height]
    await page.mouse.move(...at(from))
    await page.mouse.down()
    await page.mouse.move(...at(to), { steps: 5 })
  }
  return { page, errors, editor, widgets, text, drag }
}

for (const renderer of ['classic', 'vue']) {
  test(`${renderer}: stages are dragged, undone, saved and reloaded`, { timeout: 3 * MINUTE }, async () => {
    const { page, errors, editor, widgets, text, drag } = await start(renderer)
    await eventually(() => text('.basis'), /flux\.1-dev, latent 24×24 \(until the node has run/)
    await run(page)
    await eventually(() => text('.basis'), /^[^(]+, latent 24×24$/)
    await eventually(() => text('.figures'), /less than 20 full steps\s*1,584 of 2,880 tokens.*GFLOPs.*less than the baseline/)
    await photograph(page, `editor_${renderer}`)

    await drag([SHARE_OF_STEP_12, 0.8], [0.42, 0.8])
    await eventually(() => text('.figures'), /2,016 of 2,880 tokens/, 'while dragging')
    await eventually(widgets, ['from text', TEXT], 'nothing is written before the end of the drag')
    await page.screenshot({ path: `${FRESCO_OUT}/editor_drag_${renderer}.png` })
    await page.mouse.up()
    await eventually(widgets, ['from text', 'draft 1/2 40%; refine 0.75 60%'])

    await drag([0.2, 0.7], [0.2, 0.46])
    await page.mouse.up()
    await eventually(widgets, ['from text', 'draft 1/4 40%; refine 0.75 60%'])

    await drag([0.7, 0.3], [0.7, 0.55])
    await eventually(() => text('.problem'), /never becomes full/)
    await page.screenshot({ path: `${FRESCO_OUT}/editor_invalid_${renderer}.png` })
    await page.mouse.up()
    await eventually(widgets, ['from text', 'draft 1/4 40%; refine 0.75 60%'], 'what is invalid is not kept')

    await page.evaluate(() => app.extensionManager.command.execute('Comfy.Undo'))
    await eventually(widgets, ['from text', 'draft 1/2 40%; refine 0.75 60%'])
    await eventually(() => text('.figures'), /of [\d,]+ tokens/)

    await editor.focus()
    await page.keyboard.press('ArrowRight')
    await eventually(widgets, ['from text', 'draft 1/2 45%; refine 0.75 55%'])

    const before = await promptOf(page)
    const saved = await page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())))
    const values = saved.nodes.find((n) => n.type === 'FrescoSchedule').widgets_values
    assert.equal(values.length, 8, 'the editor itself is not saved')
    await load(page, saved)
    assert.deepEqual(await promptOf(page), before)
    await editor.getByRole('button', { name: 'fast' }).click()
    await eventually(async () => (await widgets())[0], /^fast$/)
    assert.deepEqual(errors, [])
    await page.close()
  })

  test(`${renderer}: in a subgraph`, { timeout: 3 * MINUTE }, async () => {
    const { page, errors, editor, widgets, drag } = await start(renderer)
    const id = await page.evaluate(() => {
      const node = app.graph.nodes.find((n) => n.type === 'FrescoSchedule')
      const { node: holder } = app.graph.convertToSubgraph(new Set([node]))
      app.canvas.openSubgraph(holder.subgraph, holder)
      return `${holder.id}:${holder.subgraph.nodes[0].id}`
    })
    await page.waitForTimeout(800)
    await page.evaluate(() => {
      const node = app.canvas.graph.nodes[0]
      app.canvas.ds.scale = 1
      app.canvas.ds.offset = [-node.pos[0] + 540, -node.pos[1] + 110]
      app.canvas.setDirty(true, true)
    })
    await page.waitForTimeout(500)
    await run(page)
    await editor.getByText(/^[^(]+, latent 24×24$/).waitFor()
    await drag([SHARE_OF_STEP_12, 0.8], [0.42, 0.8])
    await page.mouse.up()
    await eventually(async () => (await promptOf(page))[id].inputs.text, /^draft 1\/2 40%; refine 0\.75 60%$/)
    assert.deepEqual(errors, [])
    await page.close()
  })
}
