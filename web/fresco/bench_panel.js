// The table of a bench and the line that keeps one of its schedules under a name.

import { addStyle, element } from './style.js'
import { told } from './told.js'
import { say } from './words.js'

const CSS = `
.fresco-bench { box-sizing: border-box; width: 100%; height: 100%; display: flex; flex-direction: column; gap: 6px; padding: 6px 8px;
  color: var(--input-text); font: 12px/1.35 system-ui, sans-serif; overflow: hidden; --fresco-accent: #1f77b4; }
.dark-theme .fresco-bench { --fresco-accent: #4a9eda; }
.fresco-bench [hidden] { display: none !important; }
.fresco-bench .table { flex: 1 1 0; min-height: 120px; overflow: auto; border: 1px solid var(--border-color); border-radius: 6px; }
.fresco-bench table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.fresco-bench th { position: sticky; top: 0; background: var(--comfy-menu-bg); font-weight: 600; }
.fresco-bench th, .fresco-bench td { padding: 3px 7px; text-align: right; white-space: nowrap; }
.fresco-bench th:first-child, .fresco-bench td:first-child { text-align: left; }
.fresco-bench tr.keepable { cursor: pointer; }
.fresco-bench tr.keepable:hover, .fresco-bench tr[aria-selected=true] { background: var(--comfy-input-bg); }
.fresco-bench tr[aria-selected=true] td:first-child { box-shadow: inset 3px 0 0 var(--fresco-accent); }
.fresco-bench tr.recommended { font-weight: 700; }
.fresco-bench input { flex: 1; min-width: 0; font: inherit; color: var(--input-text); background: var(--comfy-input-bg);
  border: 1px solid var(--border-color); border-radius: 5px; padding: 3px 8px; }
.fresco-bench input:focus-visible { outline: 2px solid var(--fresco-accent); }
.fresco-bench .status { flex: none; min-height: 16px; overflow-wrap: anywhere; opacity: 0.85; }
.fresco-bench .status.failed { color: var(--error-text); opacity: 1; }
.fresco-bench .fresco-line button:disabled { opacity: 0.45; cursor: default; }
`

function addOwnStyle() {
  addStyle()
  if (document.getElementById('fresco-bench-style')) return
  document.head.append(element('style', { id: 'fresco-bench-style', textContent: CSS }))
}

/**
 * A panel: {element, show(bench)}. `change(request)` has the host keep or forget a preset and resolves to an error's words
 * or null; `list()` resolves to the names of those that are kept.
 */
export function createBenchPanel(change, list) {
  addOwnStyle()
  const table = element('table')
  table.setAttribute('role', 'grid')
  const name = element('input', { type: 'text', maxLength: 40, placeholder: say('A name for it'), spellcheck: false })
  name.setAttribute('aria-label', say('A name for it'))
  const keep = element('button', { textContent: say('Keep as preset') })
  const forget = element('button', { textContent: say('Forget'), hidden: true })
  const status = element('div', { className: 'status', role: 'status' })
  const line = element('div', { className: 'fresco-line' }, name, keep, forget)
  const paper = element('div', { className: 'fresco-bench' }, element('div', { className: 'table' }, table), line, status)
  let bench = null
  let chosen = null
  let kept = new Set()

  const given = () => name.value.trim().normalize() // as names are kept, whatever the keyboard makes of an accent

  const tell = (words, failed = false) => {
    status.textContent = words
    status.classList.toggle('failed', failed)
  }

  function draw() {
    line.hidden = bench === null
    keep.disabled = chosen === null || given() === ''
    forget.hidden = !kept.has(given())
    if (bench === null) {
      table.replaceChildren()
      return tell(say('Queue the graph: the figures of each way of sampling appear here.'))
    }
    const used = [0, 1, 2, 3, 4].filter((i) => bench.trials.some((trial) => trial.figures[i]))
    const heads = [say('seconds'), say('gain'), 'PSNR', 'SSIM', 'LPIPS']
    const head = element('tr', {}, element('th'), ...used.map((i) => element('th', { textContent: heads[i] })))
    table.replaceChildren(head, ...bench.trials.map((trial) => rowOf(trial, used)))
  }

  function rowOf(trial, used) {
    const cells = [trial.name, ...used.map((i) => trial.figures[i])].map(told).map((textContent) => element('td', { textContent }))
    const row = element('tr', { title: told(trial.note || trial.words || '') }, ...cells)
    row.classList.toggle('recommended', trial.name === bench.recommendation.name)
    if (trial.schedule === null) return row
    row.classList.add('keepable')
    row.ariaSelected = String(trial === chosen)
    row.tabIndex = 0
    const choose = () => {
      chosen = trial
      draw()
      table.rows[bench.trials.indexOf(trial) + 1]?.focus()
    }
    row.addEventListener('click', choose)
    row.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return
      event.preventDefault()
      event.stopPropagation()
      choose()
    })
    return row
  }

  async function renew() {
    kept = new Set(await list().catch(() => []))
    draw()
  }

  async function send(request, done) {
    keep.disabled = true
    const error = await change(request)
    tell(error ?? done, error !== null)
    return error === null
  }

  keep.addEventListener('click', async () => {
    const { schedule } = chosen
    const request = { name: given(), schedule, model: bench.model, note: `${chosen.name}: ${chosen.figures.join(' ')}`.trim() }
    await send(request, say('Kept: {name} is a preset in every node now.', { name: request.name }))
    await renew()
  })
  forget.addEventListener('click', async () => {
    const request = { name: given(), do: 'forget' }
    await send(request, say('Forgotten: {name}', { name: request.name }))
    await renew()
  })
  name.addEventListener('input', draw)
  for (const kind of ['keydown', 'keyup', 'keypress', 'paste', 'copy', 'cut']) name.addEventListener(kind, (event) => event.stopPropagation())

  /** Show a bench's figures, as the node sends them; null where it has not run. */
  function show(found) {
    if (JSON.stringify(found) === JSON.stringify(bench) && status.textContent) return
    bench = found
    chosen = found?.trials.find((trial) => trial.schedule !== null && trial.name === found.recommendation.name) ?? null
    draw()
    if (found) tell(chosen ? '' : say('Plain is recommended. Another row may be chosen and kept all the same.'))
  }

  draw()
  renew()
  return { element: paper, show }
}
