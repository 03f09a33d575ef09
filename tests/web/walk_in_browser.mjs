// What somebody does who has just installed the pack: look for it, put it into a graph of stock nodes, run it, read what
// was gained, see where the picture settles, come back after a reload.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inflateSync } from 'node:zlib'
import { demo, eventually, frames, load, lookAt, photograph, promptOf, reload, run, samplerOf, savedOf, screenshot } from './frontend.mjs'

const GAIN = /^[\d.]+ s for 20 steps: (?:[\d.]+x (?:faster|slower) than|as fast as) 20 full steps would have been$/
const HALF = 'draft 1/2 50%; refine 50%'
const COMING_OF_HALF = /^20 steps: 10 at 1\/2, then 10 in full/
const SEARCHES = ['faster', 'low res', 'two pass']

/** The graph that a new user has: the demo model before stock nodes. */
export function stock(seed) {
  const prompt = demo()
  const id = Object.keys(prompt).find((key) => prompt[key] === samplerOf(prompt))
  const { model, positive, negative, latent_image } = prompt[id].inputs
  const widgets = { seed, steps: 20, cfg: 2.5, sampler_name: 'euler', scheduler: 'simple', denoise: 1 }
  prompt[id] = { class_type: 'KSampler', inputs: { ...widgets, model, positive, negative, latent_image } }
  for (const [key, node] of Object.entries(prompt)) if (node.class_type === 'FrescoConvergence') delete prompt[key]
  return prompt
}

/** The texts of a PNG, {name: words}. */
function textsOf(png) {
  const found = {}
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const kind = png.toString('latin1', at + 4, at + 8)
    const data = png.subarray(at + 8, at + 8 + length)
    const end = data.indexOf(0)
    if (kind === 'tEXt') found[data.toString('latin1', 0, end)] = data.toString('latin1', end + 1)
    if (kind === 'zTXt') found[data.toString('latin1', 0, end)] = inflateSync(data.subarray(end + 2)).toString('latin1')
    at += 12 + length
  }
  return found
}

export function testWalk(on, renderer) {
  const kept = `Gemälde in ${renderer}`
  const said = (part) =>
    on.page.evaluate((selector) => {
      const node = app.canvas.graph.nodes.find((n) => n.type === 'FrescoApply')
      const paper = node?.widgets.map((w) => w.element).find((e) => e?.matches?.('.fresco-words'))
      return paper?.isConnected ? (paper.querySelector(selector)?.textContent ?? '') : 'not on the page'
    }, part)
  const set = (name, value) =>
    on.page.evaluate(
      ([n, v]) => {
        const node = app.canvas.graph.nodes.find((found) => found.type === 'FrescoApply')
        const widget = node.widgets.find((w) => w.name === n)
        widget.value = v
        widget.callback?.(v, app.canvas, node)
      },
      [name, value]
    )

  /** Which of the nodes that have presets offer one. */
  const offered = (name) =>
    on.page.evaluate((n) => app.graph.nodes.filter((node) => node.widgets?.find((w) => w.name === 'preset')?.options.values.includes(n)).map((node) => node.type).sort(), name)
  const bench = () => on.page.locator('.fresco-bench').first()
  const status = () => bench().locator('.status').innerText()
  const rows = async () => (await bench().locator('tr').allInnerTexts()).join('\n')

  /** Bring the table and what is below it into the window. */
  const lookAtBench = async () => {
    await lookAt(on.page, 'FrescoBench')
    await on.page.evaluate(() => {
      app.canvas.ds.scale = 0.55
      app.canvas.setDirty(true, true)
    })
    await frames(on.page, 6)
  }

  const inactive = (name) =>
    on.page.evaluate((n) => app.canvas.graph.nodes.find((found) => found.type === 'FrescoApply').widgets.find((w) => w.name === n).disabled === true, name)

  test('a walk: what people look for finds Fresco Apply', async () => {
    const { page } = on
    await load(page, stock(renderer === 'vue' ? 61 : 62))
    for (const words of SEARCHES) {
      await page.evaluate(() => app.extensionManager.command.execute('Workspace.SearchBox.Toggle')) // as a double click does
      await page.locator('input:focus').fill(words)
      await page.getByText('Fresco Apply', { exact: true }).first().waitFor()
      if (words === SEARCHES[0]) await screenshot(page, `walk_search_${renderer}`)
      if (words !== SEARCHES.at(-1)) await page.keyboard.press('Escape')
    }
    await page.getByText('Fresco Apply', { exact: true }).first().click()
    await eventually(async () => {
      await page.mouse.click(1000, 860) // newer frontends have the node follow the pointer until it is put down
      return page.evaluate(() => app.graph.nodes.filter((n) => n.type === 'FrescoApply' && !n.flags.ghost).length)
    }, 1)
  })

  test('a walk: between the model and the sampler it says what it will do', async () => {
    const { page } = on
    await page.evaluate(() => {
      const of = (type) => app.graph.nodes.find((n) => n.type === type)
      const [loader, apply, sampler] = ['FrescoDemoLoader', 'FrescoApply', 'KSampler'].map(of)
      apply.pos = [sampler.pos[0], sampler.pos[1] + sampler.size[1] + 420]
      loader.connect(0, apply, apply.inputs.findIndex((i) => i.name === 'model'))
      apply.connect(0, sampler, sampler.inputs.findIndex((i) => i.name === 'model'))
    })
    await lookAt(page, 'FrescoApply')
    await eventually(() => said('.fresco-coming'), /^20 steps: 10 at 1\/4, then 10 in full; finer where/)
    await set('preset', 'quality')
    await eventually(() => said('.fresco-coming'), /^20 steps: 8 at 1\/4, then 12 in full/)
    await set('schedule', 'draft 1/2 60%, refine 40%')
    await eventually(() => said('.fresco-problem'), /passes are separated by ';'/)
    assert.equal(await inactive('preset'), true)
    await screenshot(page, `walk_error_${renderer}`)
    await set('schedule', 'fast')
    await eventually(() => said('.fresco-coming'), /^20 steps: 15 at 1\/4, then 5 in full/)
    await set('schedule', '')
    await set('preset', 'balanced')
    await eventually(() => inactive('preset'), false)
    await screenshot(page, `walk_before_${renderer}`)
  })

  test('a walk: after the run it says what was gained, and the picture carries it', async () => {
    const { page } = on
    await run(page)
    await eventually(() => said('strong'), GAIN)
    await eventually(() => said('.fresco-coming'), /^20 steps: 10 at 1\/4, then 10 in full$/, 'sure of its model now')
    await frames(page, 6)
    await screenshot(page, `walk_gain_${renderer}`)
    const png = await page.evaluate(async () => {
      const [image] = Object.values(app.nodeOutputs).find((output) => output.images).images
      const bytes = new Uint8Array(await (await fetch(`/view?${new URLSearchParams(image)}`)).arrayBuffer())
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    })
    const texts = textsOf(Buffer.from(png, 'base64'))
    const [entry] = Object.values(JSON.parse(texts.prompt)).filter((node) => node.class_type === 'FrescoApply')
    const [told] = entry._meta.fresco
    assert.equal(told.schedule, 'draft 1/4 50% to refine; refine 50% min x2', 'the level that ~ came to')
    assert.deepEqual([told.steps, told.evaluations], [20, { '1/4': 10, full: 10 }])
    assert.ok(told.seconds > 0 && told.faster > 0 && JSON.stringify(told).length < 300)
    assert.ok(JSON.parse(texts.workflow).nodes.every((node) => !JSON.stringify(node).includes('"faster":')), 'the workflow is as it was')
  })

  test('a walk: the heatmap behind a stock sampler', async () => {
    const { page } = on
    await page.evaluate(() => {
      const of = (type) => app.graph.nodes.find((n) => n.type === type)
      const viewer = LiteGraph.createNode('FrescoConvergence')
      app.graph.add(viewer)
      const [apply, sampler] = [of('FrescoApply'), of('KSampler')]
      viewer.pos = [apply.pos[0] + 900, apply.pos[1]]
      apply.connect(1, viewer, viewer.inputs.findIndex((i) => i.name === 'trace'))
      sampler.connect(0, viewer, viewer.inputs.findIndex((i) => i.name === 'samples'))
      of('VAEDecode').connect(0, viewer, viewer.inputs.findIndex((i) => i.name === 'image'))
    })
    await lookAt(page, 'FrescoConvergence')
    await run(page)
    await eventually(() => page.locator('.fresco-viewer .fresco-line > span').nth(1).textContent(), /^step 20 of 20 · pass 2 · σ .* · full · 144 tokens$/)
    await frames(page, 6)
    await screenshot(page, `walk_heatmap_${renderer}`)
  })

  test('a walk: Fresco Bench measures, and what is kept of it is a preset of Fresco Apply', async () => {
    const { page } = on
    await page.evaluate((preset) => {
      const of = (type) => app.graph.nodes.find((n) => n.type === type)
      const bench = LiteGraph.createNode('FrescoBench')
      app.graph.add(bench)
      const sampler = LiteGraph.createNode('FrescoKSampler') // which offers presets too
      app.graph.add(sampler)
      sampler.pos = [of('FrescoApply').pos[0] + 2800, of('FrescoApply').pos[1]]
      bench.pos = [of('FrescoConvergence').pos[0] + 900, of('FrescoApply').pos[1]]
      const into = (name) => bench.inputs.findIndex((i) => i.name === name)
      for (const name of ['positive', 'negative', 'latent_image']) {
        const { origin_id, origin_slot } = app.graph.links[of('KSampler').inputs.find((i) => i.name === name).link]
        app.graph.getNodeById(origin_id).connect(origin_slot, bench, into(name))
      }
      const loader = of('FrescoDemoLoader')
      for (const name of ['model', 'vae']) loader.connect(loader.outputs.findIndex((o) => o.type === name.toUpperCase()), bench, into(name))
      for (const [name, value] of Object.entries({ steps: 4, cfg: 2.5, scheduler: 'simple', seeds: 1, presets: preset }))
        bench.widgets.find((w) => w.name === name).value = value
    }, HALF)
    await lookAt(page, 'FrescoBench')
    assert.match(await status(), /^Queue the graph/)
    await run(page)
    await eventually(rows, /plain, 4 steps.*\n[^]*draft 1\/2 50%/)
    await eventually(() => bench().locator('tr.recommended').count(), 1)
    await page.locator('.fresco-words').filter({ hasText: /^\s*Use / }).first().waitFor()
    const previewed = await page.evaluate(() => Object.keys(app.nodePreviewImages ?? {}).map((id) => app.graph.getNodeById(id)?.type))
    assert.equal(previewed.includes('FrescoBench'), false, 'no preview hides the plot')
    await lookAtBench() // which is below the window on some frontends
    const row = (await bench().locator('tr.recommended.keepable').count()) ? 'tr.recommended' : 'tr.keepable' // plain is no preset
    await bench().locator(row).first().click()
    const keep = bench().getByRole('button', { name: 'Keep as preset' })
    assert.equal(await keep.isDisabled(), true, 'without a name')
    await bench().locator('input').fill('balanced')
    await keep.click()
    await eventually(status, /'balanced' is taken/)
    on.errors.length = 0 // the console tells of the refusal too
    await bench().locator('input').fill(kept.normalize('NFD')) // as some keyboards and file names have it
    await keep.click()
    await eventually(status, new RegExp(`^Kept: ${kept}`))
    await photograph(page, `walk_bench_${renderer}`)
    await lookAt(page, 'FrescoApply')
    await eventually(() => offered(kept), ['FrescoApply', 'FrescoKSampler'])
    await set('preset', kept)
    await eventually(() => said('.fresco-coming'), COMING_OF_HALF)
  })

  test('a walk: after a reload everything is there', async () => {
    const { page } = on
    const before = await savedOf(page)
    await reload(page)
    await page.waitForFunction(() => app.graph.nodes.some((n) => n.type === 'FrescoApply'))
    const after = await savedOf(page)
    const values = (graph) => graph.nodes.find((n) => n.type === 'FrescoApply').widgets_values
    assert.deepEqual(values(after), values(before))
    await lookAt(page, 'FrescoApply')
    await eventually(() => said('strong'), GAIN)
    await eventually(() => said('.fresco-coming'), COMING_OF_HALF, 'the kept preset is chosen still')
    const sent = Object.values(await promptOf(page)).find((n) => n.class_type === 'FrescoApply')
    assert.equal(sent.inputs.preset, kept)
    await screenshot(page, `walk_reload_${renderer}`)
    await lookAtBench()
    await eventually(rows, /plain, 4 steps/)
  })

  test('a walk: a preset that is forgotten leaves every choice', async () => {
    await bench().locator('tr.keepable').first().click()
    await bench().locator('input').fill(kept.normalize('NFD')) // as some keyboards and file names have it
    await bench().getByRole('button', { name: 'Keep as preset' }).click()
    await eventually(status, new RegExp(`^Kept: ${kept}`))
    await bench().getByRole('button', { name: 'Forget' }).click()
    await eventually(status, new RegExp(`^Forgotten: ${kept}`))
    await eventually(() => offered(kept), [])
  })
}
