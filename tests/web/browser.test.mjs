// The pack in a real browser on a booted host. Started by tests/host/test_browser.py, which says where the host, the
// browser and the folder for screenshots are.

import { testEditor } from './editor_in_browser.mjs'
import { testErrors } from './errors_in_browser.mjs'
import { inBothRenderers } from './frontend.mjs'
import { testGraphs, testOutputs } from './graphs_in_browser.mjs'
import { testSurvival } from './survival_in_browser.mjs'
import { testTold } from './told_in_browser.mjs'
import { testWalk } from './walk_in_browser.mjs'
import { testLanguage, testNothingToShow, testViewer } from './viewer_in_browser.mjs'

inBothRenderers((on, renderer) => {
  testGraphs(on, renderer)
  if (renderer === 'classic') testOutputs(on)
  testViewer(on, renderer)
  testEditor(on, renderer)
  testSurvival(on, renderer)
  testNothingToShow(on, renderer)
  testErrors(on, renderer)
  testWalk(on, renderer)
  testLanguage(on, renderer)
  testTold(on, renderer)
})
