// Draws the pictures of the documentation and of the template browser, on a booted host with the pack; see
// tests/host/pictures.py, which boots one. Names of drawings may be given; without any all are drawn.

import { readdirSync } from 'node:fs'
import { scheduled } from './editor_in_browser.mjs'
import { demo, frames, load, newPage, open, opened, PACK, read, run } from './frontend.mjs'

const STEP = '2'
const WIDTH = 640 // of thumbnails, at most
const JPEG = { type: 'jpeg', quality: 82 }
const SAMPLED = { seed: 5, steps: 20, cfg: 2.5, sampler_name: 'euler', scheduler: 'simple', denoise: 1 }

/** Have the viewer show STEP. */
async function showStep(page) {
  const slider = page.locator('.fresco-viewer input').first()
  await slider.fill(STEP)
  await slider.blur()
  await page.waitForTimeout(2000)
  await frames(page)
}

/** The larger model in the box, whose steps weigh more than their previews, behind Fresco Apply and a stock sampler, in API format. */
function applied() {
  const model = ['2', 0]
  return {
    1: { class_type: 'FrescoDemoLoader', inputs: { prompt: 'a penguin and a house on blue waves', model: 'short' } },
    2: { class_type: 'FrescoApply', inputs: { model: ['1', 0] } },
    3: { class_type: 'EmptySD3LatentImage', inputs: { width: 256, height: 256, batch_size: 1 } },
    4: { class_type: 'KSampler', inputs: { ...SAMPLED, model, positive: ['1', 2], negative: ['1', 3], latent_image: ['3', 0] } },
    5: { class_type: 'VAEDecode', inputs: { samples: ['4', 0], vae: ['1', 1] } },
    6: { class_type: 'PreviewImage', inputs: { images: ['5', 0] } }
  }
}

/** A graph, run, in which each of the pack's nodes is; those of no graph stand alone. */
const RUNS = {
  FrescoApply: applied,
  FrescoBench: () => {
    const prompt = read('workflows/api/fresco_bench.json')
    Object.assign(prompt[3].inputs, { seeds: 2, presets: 'balanced\nfast' })
    return prompt
  },
  FrescoCompare: () => read('workflows/fresco_compare.json'),
  FrescoConvergence: demo,
  FrescoDemoLoader: demo,
  FrescoKSampler: () => demo({ seed: 6 }), // a run of its own: the host answers the same prompt without one
  FrescoSchedule: () => {
    const prompt = scheduled()
    prompt[90].inputs.preset = 'balanced'
    return prompt
  }
}

/** Every node of the pack by itself, for its help page. */
async function help(page) {
  await load(page, demo({ seed: 4 })) // the first run of a process is slow
  await run(page)
  const types = await page.evaluate(() => Object.keys(LiteGraph.registered_node_types).filter((t) => t.startsWith('Fresco')))
  for (const type of types.filter((t) => !process.env.FRESCO_NODE || t === process.env.FRESCO_NODE).sort()) {
    const graph = RUNS[type]
    await load(page, graph ? graph() : { nodes: [], links: [], version: 0.4 })
    if (graph) await run(page)
    if (type === 'FrescoConvergence') await showStep(page)
    const id = await page.evaluate((t) => {
      const node = app.graph.nodes.find((n) => n.type === t) ?? LiteGraph.createNode(t)
      if (node.graph !== app.graph) app.graph.add(node)
      app.canvas.deselectAll()
      for (const other of app.graph.nodes) if (other !== node) other.pos = [-5000, 0]
      node.pos = [0, 0]
      node.title = node.constructor.title
      app.canvas.ds.scale = 1
      app.canvas.ds.offset = [240, 170]
      app.canvas.setDirty(true, true)
      return node.id
    }, type)
    await page.waitForTimeout(2500)
    await frames(page, 6)
    const box = await page.locator(`[data-node-id="${id}"]`).boundingBox()
    const clip = { x: box.x - 10, y: box.y - 10, width: box.width + 20, height: box.height + 20 }
    await page.screenshot({ ...JPEG, path: `${PACK}web/docs/${type}.jpg`, clip })
  }
}

/** Where Fresco Apply belongs: between a stock loader and a stock sampler. */
async function oneNode(page) {
  const prompt = applied()
  prompt[1] = { class_type: 'UNETLoader', inputs: { unet_name: 'flux1-dev.safetensors', weight_dtype: 'default' } }
  Object.assign(prompt[4].inputs, { positive: undefined, negative: undefined, cfg: 1 })
  for (const id of [3, 5, 6]) delete prompt[id]
  delete prompt[4].inputs.latent_image
  await load(page, prompt)
  const box = await page.evaluate(async () => {
    let x = 0
    for (const type of ['UNETLoader', 'FrescoApply', 'KSampler']) {
      const node = app.graph.nodes.find((n) => n.type === type)
      node.pos = [x, 0]
      x += node.size[0] + 70
    }
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [130, 170]
    app.canvas.setDirty(true, true)
    return { width: x - 70, height: Math.max(...app.graph.nodes.map((n) => n.size[1])) }
  })
  await page.waitForTimeout(2500)
  await frames(page, 6)
  const clip = { x: 110, y: 118, width: box.width + 40, height: box.height + 70 }
  await page.screenshot({ ...JPEG, path: `${PACK}docs/one_node.jpg`, clip })
}

/** The demo's graph as the viewer on its node. */
async function demoThumbnail(page) {
  await load(page, read('workflows/fresco_demo.json'))
  await run(page)
  await showStep(page)
  await page.evaluate(() => {
    const node = app.graph.nodes.find((n) => n.type === 'FrescoConvergence')
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [120 - node.pos[0], 120 - node.pos[1]]
    app.canvas.setDirty(true, true)
  })
  await frames(page, 6)
  await page.locator('.fresco-viewer').screenshot({ ...JPEG, path: `${PACK}workflows/fresco_demo.jpg`, scale: 'css' })
}

/** The first picture that a graph's node gives, as the graph's own. */
async function outputThumbnail(page, name, key) {
  await load(page, read(`workflows/${name}.json`))
  await run(page)
  const box = await page.evaluate(async ([width, key]) => {
    const output = Object.values(app.nodeOutputs).find((o) => o[key])
    const image = new Image()
    image.src = `/view?${new URLSearchParams(output.images[0])}`
    await image.decode()
    image.style = `position: fixed; inset: 0 auto auto 0; z-index: 99999; width: ${Math.min(width, image.width)}px`
    document.body.append(image)
    const { width: w, height: h } = image.getBoundingClientRect()
    return { x: 0, y: 0, width: w, height: h }
  }, [WIDTH, key])
  await page.screenshot({ ...JPEG, path: `${PACK}workflows/${name}.jpg`, scale: 'css', clip: box })
  await page.reload()
  await opened(page)
}

const compareThumbnail = (page) => outputThumbnail(page, 'fresco_compare', 'comparison')
const benchThumbnail = (page) => outputThumbnail(page, 'fresco_bench', 'fresco_bench')

/** What is Fresco's in a graph of models that are not here to run it. */
async function graphThumbnail(page, name, kinds) {
  await load(page, read(`workflows/${name}.json`))
  const box = await page.evaluate(([width, kinds]) => {
    const { canvas } = app
    const [shown, others] = [true, false].map((is) => app.graph.nodes.filter((n) => new RegExp(kinds).test(n.type) === is))
    others.forEach((n) => app.graph.remove(n)) // their files are missing here, which the browser shows in red
    const left = Math.min(...shown.map((n) => n.pos[0]))
    const top = Math.min(...shown.map((n) => n.pos[1] - 30))
    const right = Math.max(...shown.map((n) => n.pos[0] + n.size[0]))
    const bottom = Math.max(...shown.map((n) => n.pos[1] + n.size[1]))
    canvas.ds.scale = width / (right - left + 40)
    canvas.ds.offset = [120 / canvas.ds.scale + 20 - left, 120 / canvas.ds.scale + 20 - top]
    canvas.setDirty(true, true)
    return { x: 120, y: 120, width, height: Math.round((bottom - top + 40) * canvas.ds.scale) }
  }, [WIDTH, kinds])
  await page.waitForTimeout(2000)
  await frames(page, 6)
  await page.screenshot({ ...JPEG, path: `${PACK}workflows/${name}.jpg`, scale: 'css', clip: box })
}

const fluxThumbnail = (page) =>
  graphThumbnail(page, 'fresco_flux', 'CLIPTextEncode|FluxGuidance|FrescoSchedule|FrescoKSampler')

/** The examples from their prompts on, up to the sampler. */
async function exampleThumbnails(page) {
  const drawn = ['fresco_demo', 'fresco_compare', 'fresco_flux', 'fresco_bench']
  const names = readdirSync(`${PACK}workflows`).filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5))
  for (const name of names.filter((name) => !drawn.includes(name)))
    await graphThumbnail(page, name, '^(?!.*(Load|Note|Save|VAEDecode))')
}

const DRAWINGS = { help, oneNode, demoThumbnail, fluxThumbnail, exampleThumbnails, compareThumbnail, benchThumbnail }
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(DRAWINGS)
const page = await newPage({ deviceScaleFactor: 1.5, viewport: { width: 1240, height: 1300 } }) // as high as the highest node
await open(page, { 'Comfy.VueNodes.Enabled': true, 'Comfy.LinkRenderMode': 3, 'Comfy.ColorPalette': 'dark', 'Comfy.Locale': 'en', 'Comfy.RightSidePanel.IsOpen': false })
for (const name of names) await DRAWINGS[name](page)
await page.context().browser().close()
