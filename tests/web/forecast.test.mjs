import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { sentence } from '../../web/fresco/forecast.js'
import { nodeAt, samplerBehind, stepsBehind, valueOf } from '../../web/fresco/graph.js'
import { setSentences } from '../../web/fresco/told.js'
import { setWords } from '../../web/fresco/words.js'

const steps = (...levels) => levels.map((level) => ({ level, fine: 0 }))

test('a plan is one sentence, in the order of its looks', () => {
  const plan = { reason: null, open: false, steps: steps(2, 2, 1, 0, 0, 0) }
  assert.equal(sentence(plan, true), '6 steps: 2 at 1/4, then 1 at 1/2, then 3 in full')
  assert.match(sentence(plan, false), /in full; finer where the model or the size needs it$/)
  assert.match(sentence({ ...plan, open: true }, true), /finer where/)
  const mixed = { ...plan, steps: [...steps(1), { level: 1, fine: 0.5 }, ...steps(0)] }
  assert.equal(sentence(mixed, true), '3 steps: 1 at 1/2, then 1 of fine and coarse tokens, then 1 in full')
  assert.equal(sentence({ ...plan, steps: steps(0, 0) }, true), '2 full steps, as without Fresco')
  const fewer = [{ level: 1, fine: 0, halvings: 2 }, { level: 0, fine: 0, halvings: 1 }, ...steps(0)]
  assert.equal(
    sentence({ ...plan, steps: fewer }, true),
    '3 steps: 1 at 1/2 with quarter of the frames, then 1 in full with half of the frames, then 1 in full'
  )
  assert.equal(sentence({ ...plan, reason: 'too few steps' }, false), 'runs plain: too few steps')
})

test('in another language the reason is in it too', () => {
  const plan = { reason: "a run of 2 is too short for 'draft 1/2; refine', which needs 4 steps", open: false, steps: steps(0, 0) }
  const found = JSON.parse(readFileSync(new URL('../../locales/zh/main.json', import.meta.url), 'utf8'))
  setWords(found.fresco)
  setSentences(found.fresco_told)
  assert.equal(sentence(plan, true), "按普通方式运行：2 步的运行对 'draft 1/2; refine' 来说太短，它需要 4 步")
  assert.equal(sentence({ ...plan, reason: null, steps: steps(2, 0) }, true), '共 2 步：1/4 分辨率 1 步，然后全分辨率 1 步')
  setWords(undefined)
  setSentences(undefined)
})

/** Nodes by id, with links [from, slot, to, name of the input]. */
function graphOf(nodes, links) {
  const graph = { links: {}, getNodeById: (id) => nodes[id] ?? null }
  for (const [id, node] of Object.entries(nodes)) Object.assign(node, { id, graph, inputs: [], outputs: [{ links: [] }, { links: [] }] })
  links.forEach(([from, slot, to, name], id) => {
    graph.links[id] = { origin_id: from, target_id: to }
    nodes[from].outputs[slot].links.push(id)
    nodes[to].inputs.push({ name, link: id })
  })
  return nodes
}

const widgets = (values) => ({ widgets: Object.entries(values).map(([name, value]) => ({ name, value })) })

test('the sampler behind a model is found through patches and guiders', () => {
  const nodes = graphOf(
    { apply: {}, lora: widgets({ strength: 1 }), sampler: widgets({ steps: 8 }), latent: widgets({ width: 640, height: 480 }) },
    [['apply', 0, 'lora', 'model'], ['lora', 0, 'sampler', 'model'], ['latent', 0, 'sampler', 'latent_image']]
  )
  assert.deepEqual(samplerBehind(nodes.apply), { steps: 8, size: [640, 480], part: false })
  const custom = graphOf(
    { apply: {}, guider: widgets({ cfg: 1 }), sampler: {}, sigmas: widgets({ steps: 12 }) },
    [['apply', 0, 'guider', 'model'], ['guider', 0, 'sampler', 'guider'], ['sigmas', 0, 'sampler', 'sigmas']]
  )
  assert.deepEqual(samplerBehind(custom.apply), { steps: 12, size: null, part: false })
  assert.equal(stepsBehind(graphOf({ apply: {} }, []).apply), null)
  for (const [values, part] of [[{ denoise: 0.5 }, true], [{ denoise: 1 }, false], [{ start_at_step: 0, end_at_step: 10 }, true], [{ start_at_step: 0, end_at_step: 10000 }, false], [{ start_at_step: 3 }, true]]) {
    const stage = graphOf({ apply: {}, sampler: widgets({ steps: 20, ...values }) }, [['apply', 0, 'sampler', 'model']])
    assert.equal(samplerBehind(stage.apply).part, part, JSON.stringify(values))
  }
  const circle = graphOf({ apply: {}, other: {} }, [['apply', 0, 'other', 'a'], ['other', 0, 'apply', 'b']])
  assert.equal(stepsBehind(circle.apply), null, 'a graph that goes round ends')
})

test('what is linked to a widget says it, or nobody does', () => {
  const nodes = graphOf(
    { apply: {}, sampler: widgets({ steps: 20, denoise: 1 }), number: widgets({ value: 8 }), math: {} },
    [['apply', 0, 'sampler', 'model'], ['number', 0, 'sampler', 'steps'], ['math', 0, 'sampler', 'denoise']]
  )
  assert.deepEqual(samplerBehind(nodes.apply), { steps: 8, size: null, part: false })
  assert.equal(valueOf(nodes.sampler, 'denoise'), undefined)
  const unknown = graphOf({ apply: {}, sampler: widgets({ steps: 20 }), math: {} }, [['apply', 0, 'sampler', 'model'], ['math', 0, 'sampler', 'steps']])
  assert.equal(stepsBehind(unknown.apply), null)
})

test('a sampler that is muted or bypassed is not the one', () => {
  for (const mode of [2, 4]) {
    const nodes = graphOf(
      { apply: {}, muted: { mode, ...widgets({ steps: 30 }) }, sampler: widgets({ steps: 8 }) },
      [['apply', 0, 'muted', 'model'], ['apply', 0, 'sampler', 'model']]
    )
    assert.equal(stepsBehind(nodes.apply), 8)
  }
})

test('a node is found by its path through subgraphs, and no other of its number', () => {
  const inner = { id: 'inner' }
  const outer = { id: 'outer' }
  const nodes = { 3: outer, 12: { subgraph: { getNodeById: (id) => ({ 3: inner })[id] } } }
  const app = { graph: { getNodeById: (id) => nodes[id] } }
  assert.equal(nodeAt(app, '3'), outer)
  assert.equal(nodeAt(app, '12:3'), inner)
  for (const path of ['12:4', '7:3', '3:3', '9']) assert.equal(nodeAt(app, path), null)
})
