// What Python tells nodes, in the language of the frontend. Behind testLanguage, which has chosen that.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scheduled } from './editor_in_browser.mjs'
import { eventually, frames, load, lookAt, run, screenshot } from './frontend.mjs'
import { stock } from './walk_in_browser.mjs'

const WORDS = {
  zh: {
    forecast: /^共 20 步：1\/4 分辨率 10 步，然后全分辨率 10 步；/,
    problem: /^'draft 1\/2 60%, refine 40%'：在一遍之内出现 'refine'；各遍用 ';' 分隔/,
    plain: /^按普通方式运行：20 步的运行对 'draft 1\/2 min x30; refine' 来说太短，它需要 31 步/,
    gain: /^20 步用时 [\d.]+ 秒：对比全分辨率采样，(速度|用时)是 20 步的 [\d.]+ 倍$|^20 步用时 [\d.]+ 秒：对比全分辨率采样，与 20 步同样快$/,
    details: /20 个全分辨率步：[\d.]+ 秒；一次全分辨率求值用时 [\d.]+ 秒，在本次运行中测得[^]*第 1 遍：sigma 1 至 0\.9\d+，10 步 1\/4 分辨率（9 个 token）[^]*为 20 个全分辨率步的 1\/[\d.]+$/,
    unknown: /^'draf 1\/2 60%' 中有未知的词 'draf'；是否想写 'draft'？/,
    plan: /^draft ~1\/4 50% to refine; refine 50% min x2\n?第 1 遍：sigma 1 至 0\.9\d+，/
  },
  ja: {
    forecast: /^全 20 ステップ: 1\/4で 10 ステップ、続いてフル解像度で 10 ステップ。/,
    problem: /^'draft 1\/2 60%, refine 40%': パスの中に 'refine' があります。パスは ';' で区切ります/,
    plain: /^通常どおり実行します: 20 ステップの実行は 'draft 1\/2 min x30; refine' には短すぎます。31 ステップ必要です/,
    gain: /^20 ステップに [\d.]+ 秒: フル解像度に比べると、20 ステップ(の [\d.]+ 倍の(速さ|時間)|と同じ速さ)$/,
    details: /フル解像度 20 ステップ: [\d.]+ 秒。フル解像度の評価 1 回に [\d.]+ 秒、この実行で測定[^]*パス 1: sigma 1～0\.9\d+、1\/4 解像度で 10 ステップ（9 トークン）[^]*フル解像度 20 ステップの [\d.]+ 分の 1$/,
    unknown: /^'draf 1\/2 60%' に未知の語 'draf' があります。'draft' のことですか？/,
    plan: /^draft ~1\/4 50% to refine; refine 50% min x2\n?パス 1: sigma 1～0\.9\d+、/
  }
}

/** The stock graph with Fresco Apply before its sampler. */
function applied(seed) {
  const prompt = stock(seed)
  const sampler = Object.values(prompt).find((node) => node.class_type === 'KSampler')
  prompt[900] = { class_type: 'FrescoApply', inputs: { model: sampler.inputs.model, preset: 'balanced', schedule: '', live_heatmap: false, baseline_steps: 0 } }
  sampler.inputs.model = ['900', 0]
  return prompt
}

export function testTold(on, renderer) {
  const language = renderer === 'vue' ? 'zh' : 'ja'
  const words = WORDS[language]
  const said = (type, part) => on.page.evaluate(
    ([kind, selector]) => {
      const node = app.canvas.graph.nodes.find((n) => n.type === kind)
      const paper = node?.widgets.map((w) => w.element).find((e) => e?.matches?.('.fresco-words'))
      return paper?.isConnected ? (paper.querySelector(selector)?.textContent ?? '') : 'not on the page'
    },
    [type, part]
  )
  const schedule = (line) => on.page.evaluate((value) => {
    const node = app.canvas.graph.nodes.find((n) => n.type === 'FrescoApply')
    const target = node.widgets.find((w) => w.name === 'schedule')
    target.value = value
    target.callback?.(value, app.canvas, node)
  }, line)

  test(`before and after a run Fresco Apply speaks ${language}`, async () => {
    const { page } = on
    await load(page, applied(renderer === 'vue' ? 71 : 72))
    await lookAt(page, 'FrescoApply')
    await eventually(() => said('FrescoApply', '.fresco-coming'), words.forecast)
    await screenshot(page, `told_before_${language}`)
    await schedule('draft 1/2 60%, refine 40%')
    await eventually(() => said('FrescoApply', '.fresco-problem'), words.problem)
    await screenshot(page, `told_problem_${language}`)
    await schedule('draft 1/2 min x30; refine')
    await eventually(() => said('FrescoApply', '.fresco-coming'), words.plain)
    await schedule('')
    await run(page)
    await eventually(() => said('FrescoApply', 'strong'), words.gain)
    await eventually(() => said('FrescoApply', 'strong + div'), words.details)
    await frames(page, 6)
    await screenshot(page, `told_after_${language}`)
    const kept = await page.evaluate(() => localStorage.getItem('Fresco.Runs'))
    assert.match(kept, /for 20 steps: .* full steps would have been/, 'what is kept is as Python has said it')
  })

  test(`Fresco Schedule and its editor speak ${language}`, async () => {
    const { page } = on
    await load(page, scheduled('draf 1/2 60%; refine 0.75'))
    await lookAt(page, 'FrescoSchedule')
    await eventually(() => page.locator('.fresco-editor .problem').innerText(), words.unknown)
    await load(page, scheduled('balanced'))
    await lookAt(page, 'FrescoSchedule')
    await run(page)
    await eventually(async () => (await said('FrescoSchedule', 'strong')) + (await said('FrescoSchedule', 'strong + div')), words.plan)
    await screenshot(page, `told_schedule_${language}`)
  })
}
