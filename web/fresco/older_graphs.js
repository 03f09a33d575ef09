// Graphs that were saved before a widget left or a word changed: their values go by position.

const PRIORS = ['zero', 'smooth', 'wiener', 'smooth_wiener'] // values of the widget `detail`, which left
const RENAMED = { auto: 'spectral', distilled: 'balanced', turbo: 'fast' } // presets

/** The widget values of a node of that type as this version has them; the same array where nothing changes. */
export function currentValues(type, values) {
  if (!Array.isArray(values)) return values
  if (type === 'FrescoApply' || type === 'FrescoKSampler') {
    const place = type === 'FrescoApply' ? 1 : 9 // behind schedule; behind schedule and preset
    if (PRIORS.includes(values[place])) values = values.filter((_, i) => i !== place)
  }
  // Fresco Apply had no preset: schedule, live_heatmap
  if (type === 'FrescoApply' && typeof values[1] === 'boolean') values = ['balanced', ...values]
  const preset = { FrescoApply: 0, FrescoKSampler: 8, FrescoSchedule: 0 }[type]
  const name = RENAMED[values[preset]]
  return name === undefined ? values : values.map((value, i) => (i === preset ? name : value))
}

/** Bring all nodes of a saved graph, and of its subgraphs, up to date, in place. */
export function update(graph) {
  for (const node of graph?.nodes ?? []) {
    node.widgets_values = currentValues(node.type, node.widgets_values)
    if (node.type === 'FrescoApply' || node.type === 'FrescoKSampler') {
      node.inputs = node.inputs?.filter((input) => !(input.name === 'detail' && input.link == null))
    }
  }
  for (const subgraph of graph?.definitions?.subgraphs ?? []) update(subgraph)
}
