// What stands around a node in the graph: its widgets, its links, the sampler behind it.

const FARTHEST = 8 // nodes between a model and its sampler

export function widget(node, name) {
  return node?.widgets?.find((w) => w.name === name)
}

/** The link of an input by name, null where there is none. */
export function link(node, name) {
  const input = node?.inputs?.find((i) => i.name === name)
  return input?.link == null ? null : linkOf(node.graph, input.link)
}

function linkOf(graph, id) {
  return graph?.getLink?.(id) ?? graph?.links?.[id] ?? null
}

/** The node that an input comes from, null where nothing is connected. */
export function origin(node, name) {
  return node?.graph?.getNodeById(link(node, name)?.origin_id) ?? null
}

/** Width and height in pixels of a latent, where the node that an input of that name comes from has them as widgets. */
export function sizeOf(node, name) {
  const from = origin(node, name)
  const size = ['width', 'height'].map((side) => widget(from, side)?.value)
  return size.every((n) => Number.isFinite(n) && n >= 16) ? size : null
}

/** What a widget says, or what is linked to it where a primitive says that; undefined where it is not known. */
export function valueOf(node, name) {
  return widget(node, name) && link(node, name) ? widget(origin(node, name), 'value')?.value : widget(node, name)?.value
}

/** The node of an execution path, "6" or "12:3" in a subgraph; null where the open graph has none. */
export function nodeAt(app, path) {
  const ids = String(path).split(':')
  const last = ids.pop()
  const graph = ids.reduce((inside, id) => inside?.getNodeById(id)?.subgraph, app.rootGraph ?? app.graph)
  return graph?.getNodeById(last) ?? null
}

/** The number of steps that a node takes, from its own widget or from what makes its sigmas; null where it has none. */
export function stepsOf(node) {
  const own = valueOf(node, 'steps') ?? valueOf(origin(node, 'sigmas'), 'steps')
  return Number.isInteger(own) && own > 0 ? own : null
}

/** Whether a sampler's run starts or ends part way: from a picture, or as a stage of a longer run. */
export function partial(node) {
  const of = (name) => valueOf(node, name) ?? valueOf(origin(node, 'sigmas'), name)
  return of('denoise') < 1 || of('start_at_step') > 0 || of('end_at_step') < of('steps')
}

/** The nodes behind an output, nearest first. */
function* behind(node, slot) {
  const seen = new Set([node])
  let next = [[node, slot]]
  for (let far = 0; far < FARTHEST && next.length; far++) {
    const targets = next.flatMap(([from, output]) =>
      (from.outputs?.[output]?.links ?? []).map((id) => from.graph?.getNodeById(linkOf(from.graph, id)?.target_id))
    )
    const fresh = [...new Set(targets)].filter((target) => target && !seen.has(target))
    for (const target of fresh) {
      seen.add(target)
      if (target.mode !== 2 && target.mode !== 4) yield target // neither muted nor bypassed
    }
    next = fresh.flatMap((target) => (target.outputs ?? []).map((_, output) => [target, output]))
  }
}

/** What the first sampler behind an output tells: {steps, size, part}, null for what it does not. */
export function samplerBehind(node, slot = 0) {
  for (const found of behind(node, slot)) {
    const steps = stepsOf(found)
    if (steps !== null) return { steps, size: sizeOf(found, 'latent_image'), part: partial(found) }
  }
  return { steps: null, size: null, part: false }
}

/** The number of steps of the sampler that a schedule goes to, through Fresco Apply or not; null where it is not known. */
export function stepsBehind(node) {
  const { steps } = samplerBehind(node)
  return steps
}
