// Draws the picture of the editor and the viewer for the documentation, on a booted host with the pack:
//   FRESCO_URL=http://127.0.0.1:8188 FRESCO_CHROMIUM=/usr/bin/chromium node pictures.mjs ../../web/docs/on_the_nodes.jpg

import { scheduled } from './editor_in_browser.mjs'
import { frames, load, newPage, open, run } from './frontend.mjs'

const HEIGHT = 800
const STEP = '2'

const page = await newPage({ deviceScaleFactor: 1.5 })
await open(page, { 'Comfy.VueNodes.Enabled': true, 'Comfy.LinkRenderMode': 3, 'Comfy.ColorPalette': 'dark', 'Comfy.Locale': 'en' })
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
const slider = page.locator('.fresco-viewer input').first()
await slider.fill(STEP)
await slider.blur()
await page.waitForTimeout(2000)
await frames(page)
await page.screenshot({ path: process.argv[2], type: 'jpeg', quality: 82, clip: { x: 108, y: 84, width: 840, height: HEIGHT + 56 } })
await page.context().browser().close()
