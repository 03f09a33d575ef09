// Draws the pictures of the documentation and of the template browser, on a booted host with the pack:
//   FRESCO_URL=http://127.0.0.1:8188 FRESCO_CHROMIUM=/usr/bin/chromium node pictures.mjs

import { readdirSync } from 'node:fs'
import { scheduled } from './editor_in_browser.mjs'
import { frames, load, newPage, open, PACK, read, run } from './frontend.mjs'

const HEIGHT = 800
const STEP = '2'
const WIDTH = 640 // of thumbnails, at most
const JPEG = { type: 'jpeg', quality: 82 }

/** Have the viewer show STEP. */
async function showStep(page) {
  const slider = page.locator('.fresco-viewer input').first()
  await slider.fill(STEP)
  await slider.blur()
  await page.waitForTimeout(2000)
  await frames(page)
}

/** The editor and the viewer on their nodes. */
async function nodes(page) {
  const prompt = scheduled()
  prompt[90].inputs.preset = 'balanced'
  await load(page, prompt)
  await page.evaluate((height) => {
    for (const node of app.graph.nodes) node.pos = [-5000, 0]
    const shown = ['FrescoSchedule', 'FrescoConvergence'].map((type) => app.graph.nodes.find((node) => node.type === type))
    shown.forEach((node, i) => {
      node.pos = [420 * i, 0]
      node.setSize([396, height])
    })
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [120, 120]
    app.canvas.setDirty(true, true)
  }, HEIGHT)
  await run(page)
  await showStep(page)
  await page.screenshot({ ...JPEG, path: `${PACK}web/docs/on_the_nodes.jpg`, clip: { x: 108, y: 84, width: 840, height: HEIGHT + 56 } })
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

/** The comparison as the picture that it gives. */
async function compareThumbnail(page) {
  await load(page, read('workflows/fresco_compare.json'))
  await run(page)
  const box = await page.evaluate(async (width) => {
    const output = Object.values(app.nodeOutputs).find((o) => o.comparison)
    const image = new Image()
    image.src = `/view?${new URLSearchParams(output.images[0])}`
    await image.decode()
    image.style = `position: fixed; inset: 0 auto auto 0; z-index: 99999; width: ${Math.min(width, image.width)}px`
    document.body.append(image)
    const { width: w, height: h } = image.getBoundingClientRect()
    return { x: 0, y: 0, width: w, height: h }
  }, WIDTH)
  await page.screenshot({ ...JPEG, path: `${PACK}workflows/fresco_compare.jpg`, scale: 'css', clip: box })
  await page.reload()
}

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
  const drawn = ['fresco_demo', 'fresco_compare', 'fresco_flux']
  const names = readdirSync(`${PACK}workflows`).filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5))
  for (const name of names.filter((name) => !drawn.includes(name)))
    await graphThumbnail(page, name, '^(?!.*(Load|Note|Save|VAEDecode))')
}

const page = await newPage({ deviceScaleFactor: 1.5 })
await open(page, { 'Comfy.VueNodes.Enabled': true, 'Comfy.LinkRenderMode': 3, 'Comfy.ColorPalette': 'dark', 'Comfy.Locale': 'en' })
for (const draw of [nodes, demoThumbnail, fluxThumbnail, exampleThumbnails, compareThumbnail]) await draw(page)
await page.context().browser().close()
