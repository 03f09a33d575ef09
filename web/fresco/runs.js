// The last run of a node, for panels that are made anew with every undo, change of tabs and reload of the page.
//
// The host's own record (app.nodeOutputs) comes first: it is of the open tab, or of the job that was opened. What it has
// lost, after a reload, this browser remembers by the graph's and the node's id.

const STORE = 'Fresco.Runs'
const MOST_RUNS = 40
const MOST_LETTERS = 20_000 // of one run

/** The name that the host gives a node among its outputs: "6", or "<subgraph>:6". */
function locatorOf(node, app) {
  const inside = node.graph && node.graph !== (app.rootGraph ?? app.graph)
  return inside ? `${node.graph.id}:${node.id}` : String(node.id)
}

function keyOf(node, app) {
  return [(app.rootGraph ?? app.graph).id, locatorOf(node, app), node.type].join(' ')
}

let last = { text: null, runs: [] } // what was read last

function stored() {
  try {
    const text = localStorage.getItem(STORE) ?? '[]'
    if (text !== last.text) {
      const found = JSON.parse(text)
      last = { text, runs: Array.isArray(found) ? found : [] }
    }
    return last.runs
  } catch {
    return [] // written by something else, or storage is switched off
  }
}

/** Keep parts of a node's last output, {name: value}, beside what is kept of it. */
export function remember(node, app, parts) {
  const key = keyOf(node, app)
  const runs = stored()
  const before = runs.find(([other]) => other === key)?.[1]
  let now = { ...before, ...parts }
  if (JSON.stringify(now).length > MOST_LETTERS) now = Object.fromEntries(Object.entries(before ?? {}).filter(([name]) => !(name in parts)))
  try {
    const others = runs.filter(([other]) => other !== key)
    localStorage.setItem(STORE, JSON.stringify([...others, [key, now]].slice(-MOST_RUNS)))
  } catch {
    // a full or forbidden storage: the run is gone after a reload, as the host's own previews are
  }
}

/** The node's last output, {name: value}; empty where it has not run. */
export function recall(node, app) {
  const key = keyOf(node, app)
  return app.nodeOutputs?.[locatorOf(node, app)] ?? stored().find(([other]) => other === key)?.[1] ?? {}
}
