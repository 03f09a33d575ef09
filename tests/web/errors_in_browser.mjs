// What is wrong appears on the node that it is about.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scheduled } from './editor_in_browser.mjs'
import { demo, eventually, load, lookAt, screenshot } from './frontend.mjs'

const WRONG = 'draf 1/2 60%; refine 0.75'

export function testErrors(on, renderer) {
  /** What the frontend has marked: {type of node: words}. */
  const marked = () =>
    on.page.evaluate(() =>
      Object.fromEntries(
        Object.values(app.lastNodeErrors ?? {}).map(({ class_type, errors }) => [class_type, errors.map((e) => e.details).join()])
      )
    )

  const queue = async () => {
    await on.page.evaluate(() => app.queuePrompt(0).catch(() => false))
    on.errors.length = 0 // the console tells of the refusal too
  }

  test('a line that is no schedule marks Fresco KSampler', async () => {
    await load(on.page, demo({ schedule: WRONG }))
    await lookAt(on.page, 'FrescoKSampler')
    await queue()
    await eventually(async () => (await marked()).FrescoKSampler, /^schedule - unknown word 'draf'.*did you mean 'draft'/)
    const words = () => on.page.locator('.fresco-words .fresco-problem').first().innerText()
    await eventually(words, /^unknown word 'draf'.*did you mean 'draft'/, 'and stands under its widgets')
    await screenshot(on.page, `error_ksampler_${renderer}`)
  })

  test('a line that is no schedule marks Fresco Schedule, and its editor says why', async () => {
    await load(on.page, scheduled(WRONG))
    await lookAt(on.page, 'FrescoSchedule')
    await eventually(() => on.page.locator('.fresco-editor .problem').innerText(), /unknown word 'draf'/)
    await queue()
    await eventually(async () => (await marked()).FrescoSchedule, /unknown word 'draf'/)
    await screenshot(on.page, `error_schedule_${renderer}`)
    assert.deepEqual(Object.keys(await marked()), ['FrescoSchedule'])
  })
}
