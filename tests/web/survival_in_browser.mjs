// The editor, the viewer and the words of a run through everything that makes nodes anew: undo, redo, tabs, copies,
// subgraphs, a reload of the page. Each time what is on the page has to be of the node that is in the graph.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scheduled } from './editor_in_browser.mjs'
import { eventually, frames, intoSubgraph, load, lookAt, reload, run, savedOf, screenshot } from './frontend.mjs'

const PLACES = { FrescoSchedule: [0, 0], FrescoConvergence: [420, 0] }

/** A graph of a file in which editor and viewer are side by side; the seed makes its run its own. */
async function graphOf(page, seed) {
  const prompt = scheduled()
  Object.assign(prompt[90].inputs, { preset: 'balanced' })
  for (const node of Object.values(prompt)) if ('seed' in node.inputs) node.inputs.seed = seed
  await load(page, prompt)
  const graph = await savedOf(page)
  for (const node of graph.nodes) node.pos = PLACES[node.type] ?? [-900, 1500]
  return graph
}

export function testSurvival(on, renderer) {
  const { seed } = { classic: { seed: 31 }, vue: { seed: 32 } }[renderer]
  const command = (name) => on.page.evaluate((n) => app.extensionManager.command.execute(n), name)

  /** What the page shows of the open graph's editor and viewer, and whether it is theirs. */
  const shown = (which = 0) =>
    on.page.evaluate((index) => {
      const of = (type) => app.canvas.graph.nodes.filter((n) => n.type === type)[index]
      const visible = (node, selector) => {
        const found = node.widgets.map((w) => w.element).find((e) => e?.matches?.(selector))
        return found?.isConnected && found.getBoundingClientRect().width > 0 ? found : null
      }
      const [schedule, convergence] = [of('FrescoSchedule'), of('FrescoConvergence')]
      const editor = visible(schedule, '.fresco-editor')
      const viewer = visible(convergence, '.fresco-viewer')
      const maps = viewer?.querySelector('canvas')
      return {
        preset: schedule.widgets[0].value,
        chip: editor?.querySelector('[aria-pressed=true]')?.textContent ?? null,
        drawn: editor ? editor.querySelectorAll('.figures span').length > 0 : null,
        basis: editor?.querySelector('.basis').textContent ?? null,
        plan: visible(schedule, '.fresco-words')?.textContent.split('\n').length ?? 0,
        step: viewer && !viewer.querySelector('.fresco-empty').checkVisibility() ? viewer.querySelectorAll('.fresco-line > span')[1].textContent : null,
        maps: maps?.width > 0 && maps.checkVisibility() ? maps.toDataURL().length : 0,
        panels: document.querySelectorAll('.fresco-editor').length
      }
    }, which)

  const last = /^step 20 of 20 · pass 2 /
  let maps

  /** Everything is there: the editor shows `preset`, the viewer the last run, the words the plan. */
  const whole = async (preset, message) => {
    await eventually(async () => JSON.stringify([(await shown()).preset, (await shown()).chip]), new RegExp(`^\\["${preset}","${preset}"\\]$`), message)
    await eventually(async () => (await shown()).step, last, `${message}: the viewer shows the last run`)
    await eventually(async () => (await shown()).maps, maps, `${message}: with its maps`)
    await eventually(async () => (await shown()).basis, /^[^(]+, latent 24×24$/, `${message}: the drawing is of the run's model`)
    const found = await shown()
    assert.equal(found.drawn, true, message)
    assert.ok(found.plan >= 3, `${message}: the plan's words in their lines, found ${found.plan}`)
  }

  /** The editor that is on the page edits the node that is in the graph. */
  const choose = async (preset, message) => {
    await on.page.locator('.fresco-editor').first().getByRole('button', { name: preset, exact: true }).click()
    await eventually(async () => (await shown()).preset, new RegExp(`^${preset}$`), `${message}: the editor edits the node`)
  }

  const looked = async () => {
    await lookAt(on.page, 'FrescoSchedule')
    await frames(on.page, 10)
  }

  test('editor and viewer survive undo and redo', async () => {
    const { page } = on
    await load(page, await graphOf(page, seed))
    await looked()
    await run(page)
    await eventually(async () => (await shown()).step, last)
    await eventually(async () => (await shown()).maps > 1000, true)
    await frames(page, 10)
    maps = (await shown()).maps
    await whole('balanced', 'after the run')
    await page.mouse.click(1180, 700) // on nothing, which lets the host look for changes: previews may enlarge a node
    await choose('spectral', 'before undo')
    await choose('fast', 'before undo')
    await command('Comfy.Undo')
    await whole('spectral', 'undo')
    await command('Comfy.Undo')
    await whole('balanced', 'undo twice')
    await page.mouse.click(1180, 700)
    await command('Comfy.Redo')
    await whole('spectral', 'redo')
    await choose('quality', 'redo')
    await command('Comfy.Undo')
    await whole('spectral', 'undo after redo')
    await screenshot(page, `survival_undo_${renderer}`)
    assert.equal((await shown()).panels, 1, 'no panel of a node that is no more')
  })

  test('editor and viewer survive a change of tabs', async () => {
    const { page } = on
    const other = await savedOf(page)
    delete other.id
    await load(page, other) // in a tab of its own, its nodes with the same ids
    await looked()
    await eventually(async () => JSON.stringify([(await shown()).chip, (await shown()).step]), /^\["spectral",null\]$/, 'the new tab has not run')
    await choose('off', 'the new tab')
    await command('Workspace.PreviousOpenedWorkflow')
    await looked()
    await whole('spectral', 'back in the first tab')
    await choose('quality', 'back in the first tab')
    await command('Workspace.NextOpenedWorkflow')
    await looked()
    await eventually(async () => JSON.stringify([(await shown()).chip, (await shown()).step]), /^\["off",null\]$/, 'the other tab is as it was left')
    await command('Workspace.PreviousOpenedWorkflow')
    await looked()
    await whole('quality', 'in the first tab again')
  })

  test('a copy has an editor of its own', async () => {
    const { page } = on
    await page.evaluate(() => {
      const kept = app.canvas.graph.nodes.filter((n) => ['FrescoSchedule', 'FrescoConvergence'].includes(n.type))
      app.canvas.deselectAll?.()
      app.canvas.selectItems(kept)
      app.canvas.copyToClipboard()
      app.canvas.pasteFromClipboard()
    })
    await frames(page, 10)
    const type = 'FrescoSchedule'
    await page.evaluate((t) => {
      const [, copy] = app.canvas.graph.nodes.filter((n) => n.type === t)
      const [, viewer] = app.canvas.graph.nodes.filter((n) => n.type === 'FrescoConvergence')
      copy.pos = [900, 0]
      viewer.pos = [1320, 0]
      app.canvas.ds.scale = 0.6
      app.canvas.ds.offset = [200, 150]
      app.canvas.setDirty(true, true)
    }, type)
    await frames(page, 10)
    await whole('quality', 'the original')
    await eventually(async () => (await shown(1)).chip, /^quality$/)
    assert.equal((await shown(1)).step, null, 'a copy has not run')
    await on.page.locator('.fresco-editor').last().getByRole('button', { name: 'off', exact: true }).click()
    await eventually(async () => JSON.stringify([(await shown(0)).preset, (await shown(1)).preset].sort()), /^\["off","quality"\]$/)
    await screenshot(page, `survival_copy_${renderer}`)
    await command('Comfy.Undo')
    await frames(page, 10)
    await whole('quality', 'undo beside a copy')
    await page.evaluate((kinds) => {
      for (const kind of kinds) app.canvas.graph.remove(app.canvas.graph.nodes.filter((n) => n.type === kind)[1])
    }, Object.keys(PLACES))
  })

  test('editor and viewer survive a reload of the page', async () => {
    const { page } = on
    await reload(page)
    await looked()
    await whole('quality', 'reload')
    await choose('spectral', 'reload')
    await screenshot(page, `survival_reload_${renderer}`)
  })

  test('editor and viewer survive in a subgraph', async () => {
    const { page } = on
    await load(page, await graphOf(page, seed + 10))
    await intoSubgraph(page, 'FrescoSchedule', 'FrescoConvergence')
    await run(page)
    await looked()
    await eventually(async () => (await shown()).step, last)
    await frames(page, 10)
    maps = (await shown()).maps
    await whole('balanced', 'after a run in a subgraph')
    await choose('spectral', 'in a subgraph')
    await choose('fast', 'in a subgraph')
    await command('Comfy.Undo')
    await page.evaluate(() => {
      if (app.canvas.graph !== app.graph) return // some frontends leave the subgraph
      const holder = app.graph.nodes.find((n) => n.subgraph)
      app.canvas.openSubgraph(holder.subgraph, holder)
    })
    await looked()
    await whole('spectral', 'undo in a subgraph')
    await page.evaluate(() => app.canvas.setGraph(app.graph))
    await frames(page, 10)
    await page.evaluate(() => {
      const holder = app.graph.nodes.find((n) => n.subgraph)
      app.canvas.openSubgraph(holder.subgraph, holder)
    })
    await looked()
    await whole('spectral', 'out of the subgraph and back')
    await choose('quality', 'out of the subgraph and back')
    await screenshot(page, `survival_subgraph_${renderer}`)
  })
}
