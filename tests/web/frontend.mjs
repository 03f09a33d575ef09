// Pages of the host's frontend, and what browser tests do with them.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const { FRESCO_URL, FRESCO_CHROMIUM, FRESCO_OUT } = process.env
const PACK = fileURLToPath(new URL('../..', import.meta.url))
export const MINUTE = 60_000
export const read = (path) => JSON.parse(readFileSync(PACK + path, 'utf8'))

export const launch = () => chromium.launch({ executablePath: FRESCO_CHROMIUM, args: ['--no-sandbox'] })

/** A page with the host's frontend in one renderer, and the errors that its console shows. */
export async function open(browser, renderer) {
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

export async function load(page, graph) {
  await page.evaluate((g) => app.loadGraphData(g, true, true), graph)
  await page.waitForTimeout(300)
}

export const promptOf = (page) => page.evaluate(async () => (await app.graphToPrompt()).output)

/** Bring a node to the middle of the window. */
export async function lookAt(page, type) {
  await page.evaluate((t) => {
    const node = app.graph.nodes.find((n) => n.type === t)
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [-node.pos[0] + 540, -node.pos[1] + 110]
    app.canvas.setDirty(true, true)
  }, type)
  await page.waitForTimeout(400)
}

export async function run(page) {
  await page.evaluate(() => {
    window.frescoDone = new Promise((resolve, reject) => {
      app.api.addEventListener('execution_success', () => resolve(), { once: true })
      app.api.addEventListener('execution_error', (e) => reject(new Error(e.detail.exception_message)), { once: true })
    })
    return app.queuePrompt(0)
  })
  await page.evaluate(() => window.frescoDone)
}

export async function photograph(page, name) {
  for (const palette of ['dark', 'light']) {
    await page.evaluate((p) => app.extensionManager.setting.set('Comfy.ColorPalette', p), palette)
    await page.waitForTimeout(500)
    await page.screenshot({ path: `${FRESCO_OUT}/${name}_${palette}.png` })
  }
}
