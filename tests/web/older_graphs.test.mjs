import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { currentValues, update } from '../../web/fresco/older_graphs.js'

test('the value of the widget that left goes, and no other', () => {
  assert.deepEqual(currentValues('FrescoApply', ['draft 1/2; refine', 'zero', true]), ['balanced', 'draft 1/2; refine', true])
  const old = [1, 'fixed', 20, 2.5, 'euler', 'simple', 1, '', 'auto', 'smooth', 50, true]
  assert.deepEqual(currentValues('FrescoKSampler', old), [1, 'fixed', 20, 2.5, 'euler', 'simple', 1, '', 'spectral', 50, true])
  assert.deepEqual(currentValues('FrescoApply', ['', false]), ['balanced', '', false], 'before the preset')
  for (const now of [['fast', '', false, 0], ['off', 'full', true, 50], ['quality', '', true]]) assert.equal(currentValues('FrescoApply', now), now)
  assert.equal(currentValues('KSampler', old), old)
  assert.equal(currentValues('FrescoApply', undefined), undefined)
})

test('a preset that was renamed is found by its new name', () => {
  assert.deepEqual(currentValues('FrescoSchedule', ['auto', 'full', '1/2']), ['spectral', 'full', '1/2'])
  assert.deepEqual(currentValues('FrescoApply', ['distilled', '', true]), ['balanced', '', true])
  assert.deepEqual(currentValues('FrescoSchedule', ['turbo', '', '1/2']), ['fast', '', '1/2'])
  const text = ['from text', 'auto 80%, full']
  assert.equal(currentValues('FrescoSchedule', text), text)
})

test('a whole graph is updated, its subgraphs too, and today’s graphs stay', () => {
  const node = () => ({
    type: 'FrescoApply',
    widgets_values: ['full', 'wiener', false],
    inputs: [{ name: 'model', link: 3 }, { name: 'detail', link: null }]
  })
  const graph = { nodes: [node()], definitions: { subgraphs: [{ nodes: [node()] }] } }
  update(graph)
  for (const found of [graph.nodes[0], graph.definitions.subgraphs[0].nodes[0]]) {
    assert.deepEqual(found.widgets_values, ['balanced', 'full', false])
    assert.deepEqual(found.inputs.map((input) => input.name), ['model'])
  }
  const shipped = fileURLToPath(new URL('../../workflows/fresco_demo.json', import.meta.url))
  const today = JSON.parse(readFileSync(shipped, 'utf8'))
  const before = structuredClone(today)
  update(today)
  assert.deepEqual(today, before)
})
