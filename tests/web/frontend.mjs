// Pages of the host's frontend, and what browser tests do with them.

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { after, afterEach, before, describe } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { chromium } from 'playwright-core'

const { FRESCO_URL, FRESCO_CHROMIUM, FRESCO_OUT, FRESCO_SCREENSHOTS } = process.env
export const PACK = fileURLToPath(new URL('../..', import.meta.url))
const SETTINGS = {
  'Comfy.TutorialCompleted': true, // else a new installation shows its templates instead of a graph
  'Comfy.Workflow.ShowMissingModelsWarning': false,
  'Comfy.Minimap.Visible': false,
  'Comfy.Graph.CanvasInfo': false,
  'Comfy.Execution.PreviewMethod': 'latent2rgb'
}
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-gpu-rasterization'] // a software GPU is slower than none
export const MINUTE = 60_000
export const read = (path) => JSON.parse(readFileSync(PACK + path, 'utf8'))

/** The demo's graph in API format, for one picture, and its sampler's inputs changed. */
export function demo(changes = {}) {
  const prompt = read('workflows/api/fresco_demo.json')
  for (const { inputs } of Object.values(prompt)) if ('batch_size' in inputs) inputs.batch_size = 1
  Object.assign(samplerOf(prompt).inputs, changes)
  return prompt
}

/** The Fresco KSampler of a prompt. */
export const samplerOf = (prompt) => Object.values(prompt).find((node) => node.class_type === 'FrescoKSampler')

/**
 * Runs `tests(on, renderer)` in the classic canvas and in Nodes 2.0, each with a page of its own, `on.page`. A test
 * fails if the console showed an error meanwhile.
 */
export function inBothRenderers(tests) {
  for (const renderer of ['classic', 'vue'])
    describe(renderer, { timeout: 12 * MINUTE }, () => {
      const on = { page: null, errors: [] }
      let browser
      before(async () => {
        mkdirSync(FRESCO_OUT, { recursive: true })
        on.page = await newPage()
        browser = on.page.context().browser()
        collectErrors(on.page, on.errors)
        await open(on.page, { 'Comfy.VueNodes.Enabled': renderer === 'vue', 'Comfy.Locale': 'en' })
      })
      afterEach(() => assert.deepEqual(on.errors.splice(0), [], 'errors in the console'))
      after(() => browser.close())
      tests(on, renderer)
    })
}

/** An empty page of a new browser. */
export async function newPage(options = {}) {
  const browser = await chromium.launch({ executablePath: FRESCO_CHROMIUM, args: FLAGS })
  const page = await browser.newPage({ viewport: { width: 1240, height: 1040 }, ...options })
  page.setDefaultTimeout(2 * MINUTE)
  return page
}

function collectErrors(page, errors) {
  // files of the user that a new installation has not, addresses outside, and the order in which the frontend starts
  // its own parts are the host's own business
  const foreign = /status of 404|huggingface|Content Security Policy|net::ERR|accessed before initialization/
  page.on('console', (message) => {
    if (message.type() === 'error' && !foreign.test(message.text())) errors.push(message.text())
  })
  page.on('pageerror', (error) => errors.push(error.message))
}

/** Load the host's frontend with these settings, up to its first graph, which would replace that of a test. */
export async function open(page, settings) {
  await fetch(`${FRESCO_URL}/api/settings`, { method: 'POST', body: JSON.stringify({ ...SETTINGS, ...settings }) })
  await page.goto(FRESCO_URL)
  await opened(page)
}

/** Wait until the frontend has its first graph. */
export async function opened(page) {
  const ready = () => window.app?.extensionManager && window.LiteGraph?.registered_node_types.FrescoConvergence && app.canvas?.graph?.nodes.length
  await page.waitForFunction(ready)
}

/** Load the page anew with the graph that is open, as it is now. */
export async function reload(page) {
  await page.evaluate(() => {
    const tracker = app.extensionManager.workflow.activeWorkflow.changeTracker
    tracker.captureCanvasState ? tracker.captureCanvasState() : tracker.checkState()
  })
  await page.waitForTimeout(1500) // the host keeps drafts now and then
  await page.reload()
  await opened(page)
}

let files = 0

/** Load a graph as the host loads a file, in a tab of its own; a prompt in API format is made a graph first. */
export async function load(page, graph) {
  const name = `graph_${++files}.json` // newer hosts put a file of the same name into the same tab
  await page.evaluate(async ([g, file]) => {
    app.canvas.setGraph(app.graph) // out of the subgraph that a test may have left open
    if (!g.nodes) {
      await app.loadApiJson(g, 'prompt')
      g = app.graph.serialize()
    }
    await app.handleFile(new File([JSON.stringify(g)], file, { type: 'application/json' }))
  }, [graph, name])
  await frames(page)
}

export const promptOf = (page) => page.evaluate(async () => (await app.graphToPrompt()).output)

/** The graph as a file has it. */
export const savedOf = (page) => page.evaluate(() => JSON.parse(JSON.stringify(app.graph.serialize())))

/** Wait until the page has drawn what was changed. */
export async function frames(page, count = 3) {
  await page.evaluate(async (n) => {
    for (let i = 0; i < n; i++) await new Promise(requestAnimationFrame)
  }, count)
}

/** Bring a node of the open graph to the left of the window. */
export async function lookAt(page, type) {
  await page.evaluate((t) => {
    const node = app.canvas.graph.nodes.find((n) => n.type === t)
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [-node.pos[0] + 340, -node.pos[1] + 110]
    app.canvas.setDirty(true, true)
  }, type)
  await frames(page)
}

/** Put nodes into a subgraph, open it, and give the first one's id as messages have it, "5:3". */
export async function intoSubgraph(page, ...types) {
  const id = await page.evaluate((kinds) => {
    const inside = kinds.map((kind) => app.graph.nodes.find((n) => n.type === kind))
    const { node: holder } = app.graph.convertToSubgraph(new Set(inside))
    app.canvas.openSubgraph(holder.subgraph, holder)
    return `${holder.id}:${holder.subgraph.nodes.find((n) => n.type === kinds[0]).id}`
  }, types)
  await page.waitForFunction(() => app.canvas.graph !== app.graph)
  await frames(page)
  await lookAt(page, types[0])
  return id
}

/** Queue the graph and wait for its end; rejects with the words of an error. */
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

/** Wait until `find` gives what is expected (a pattern or a value), or say what it gives instead. */
export async function eventually(find, expected, message) {
  const matches = (found) => (expected instanceof RegExp ? expected.test(found) : isDeepStrictEqual(found, expected))
  const end = Date.now() + MINUTE / 2
  let found = await find()
  while (!matches(found) && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    found = await find()
  }
  assert[expected instanceof RegExp ? 'match' : 'deepEqual'](found, expected, message)
}

/** A picture of the page for people, where they want them: it costs as much as many a test. */
export async function screenshot(page, name) {
  if (FRESCO_SCREENSHOTS) await page.screenshot({ path: `${FRESCO_OUT}/${name}.png` })
}

/** A screenshot in the dark and one in the light palette. */
export async function photograph(page, name) {
  for (const palette of FRESCO_SCREENSHOTS ? ['light', 'dark'] : []) {
    await page.evaluate((p) => app.extensionManager.setting.set('Comfy.ColorPalette', p), palette)
    await frames(page, 6)
    await screenshot(page, `${name}_${palette}`)
  }
}
