// The schedule editor on FrescoSchedule.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demo, eventually, intoSubgraph, load, lookAt, photograph, promptOf, run, samplerOf, savedOf, screenshot } from './frontend.mjs'

const TEXT = 'draft 1/2 60%; refine 0.75 40%'
const PLACE_OF_STEP_12 = 0.596 // of the canvas's width, in a drawing of 12 and 8 steps

/** The demo's graph in API format with a Fresco Schedule of its own before its sampler. */
export function scheduled(text = TEXT) {
  const prompt = demo({ schedule: ['90', 0] })
  const { model, latent_image } = samplerOf(prompt).inputs
  const widgets = { preset: 'from text', text, draft_level: '1/2', draft_share: 0.6, refine_from: 0.75 }
  prompt[90] = {
    class_type: 'FrescoSchedule',
    inputs: { ...widgets, steps: 20, scheduler: 'simple', model, latent: latent_image, baseline_steps: 50 }
  }
  return prompt
}

export function testEditor(on, renderer) {
  const editor = () => on.page.locator('.fresco-editor')
  const text = (part) => editor().locator(part).innerText()
  const widgets = () =>
    on.page.evaluate(() => app.canvas.graph.nodes.find((n) => n.type === 'FrescoSchedule').widgets.slice(0, 2).map((w) => w.value))
  const drag = async (from, to) => {
    const box = await editor().locator('canvas').boundingBox()
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height]
    await on.page.mouse.move(...at(from))
    await on.page.mouse.down()
    await on.page.mouse.move(...at(to), { steps: 5 })
  }

  test('stages are dragged, undone, saved and reloaded', async () => {
    const { page } = on
    await load(page, scheduled())
    await lookAt(page, 'FrescoSchedule')
    await eventually(() => text('.basis'), /flux\.1-dev, latent 24×24 \(until the node has run/)
    await run(page)
    await eventually(() => text('.basis'), /^[^(]+, latent 24×24$/)
    await eventually(() => text('.figures'), /less than 20 full steps[^]*1,584[^]*of 2,880 tokens[^]*less than the baseline[^]*GFLOPs/)
    await photograph(page, `editor_${renderer}`)

    await drag([PLACE_OF_STEP_12, 0.8], [0.42, 0.8])
    await eventually(() => text('.figures'), /2,016\s+of 2,880 tokens/, 'while dragging')
    assert.deepEqual(await widgets(), ['from text', TEXT], 'nothing is written before the end of the drag')
    await screenshot(page, `editor_drag_${renderer}`)
    await page.mouse.up()
    await eventually(widgets, ['from text', 'draft 1/2 40%; refine 0.75 60%'])

    await drag([0.2, 0.7], [0.2, 0.46])
    await page.mouse.up()
    await eventually(widgets, ['from text', 'draft 1/4 40%; refine 0.75 60%'])

    await drag([0.7, 0.3], [0.7, 0.55])
    await eventually(() => text('.problem'), /never becomes full/)
    await screenshot(page, `editor_invalid_${renderer}`)
    await page.mouse.up()
    await eventually(() => text('.figures'), /of 2,880 tokens/, 'the drawing is of the node again')
    assert.deepEqual(await widgets(), ['from text', 'draft 1/4 40%; refine 0.75 60%'], 'what is invalid is not kept')

    await page.evaluate(() => app.extensionManager.command.execute('Comfy.Undo'))
    await eventually(widgets, ['from text', 'draft 1/2 40%; refine 0.75 60%'])
    await eventually(() => text('.figures'), /2,016\s+of 2,880 tokens/, 'the drawing is undone with the widgets')

    await editor().focus()
    for (let i = 0; i < 4; i++) page.keyboard.press('ArrowRight')
    await eventually(widgets, ['from text', 'draft 1/2 60%; refine 0.75 40%'], 'each of four quick keys counts')
    for (let i = 0; i < 3; i++) page.keyboard.press('ArrowLeft')
    page.keyboard.press('ArrowDown')
    await eventually(widgets, ['from text', 'draft 1/4 45%; refine 0.75 55%'])
  })

  test('the editor is not part of what is saved, and presets are a click', async () => {
    const { page } = on
    const before = await promptOf(page)
    const saved = await savedOf(page)
    const values = saved.nodes.find((n) => n.type === 'FrescoSchedule').widgets_values
    assert.equal(values.length, 8, 'the editor itself is not saved')
    await load(page, saved)
    assert.deepEqual(await promptOf(page), before)
    await eventually(() => text('.figures'), /of 2,880 tokens/)
    for (const preset of ['fast', 'progressive']) {
      await editor().getByRole('button', { name: preset }).click()
      await eventually(async () => (await widgets())[0], new RegExp(`^${preset}$`))
    }
    await eventually(() => editor().getByRole('button', { pressed: true }).innerText(), /^progressive$/)
    await screenshot(page, `editor_progressive_${renderer}`)
  })

  test('in a subgraph', async () => {
    const { page } = on
    await load(page, scheduled())
    const id = await intoSubgraph(page, 'FrescoSchedule')
    await run(page)
    await eventually(() => text('.basis'), /^[^(]+, latent 24×24$/)
    await drag([PLACE_OF_STEP_12, 0.8], [0.42, 0.8])
    await page.mouse.up()
    await eventually(async () => (await promptOf(page))[id].inputs.text, /^draft 1\/2 40%; refine 0\.75 60%$/)
  })
}
