// Styles of the pack's widgets, in the palette that the frontend has loaded.

const CSS = `
.fresco-viewer { box-sizing: border-box; width: 100%; height: 100%; display: flex; flex-direction: column; gap: 6px;
  padding: 8px; border-radius: 8px; background: var(--component-node-widget-background, var(--comfy-input-bg)); color: var(--input-text);
  font: 12px/1.35 system-ui, sans-serif; outline: none; overflow: hidden; color-scheme: light; --fresco-accent: #1f77b4; }
.dark-theme .fresco-viewer { color-scheme: dark; --fresco-accent: #4a9eda; }
.fresco-viewer:focus-visible { box-shadow: inset 0 0 0 2px var(--fresco-accent); }
.fresco-viewer * { box-sizing: border-box; }
.fresco-viewer [hidden] { display: none !important; }
.fresco-empty { margin: auto; text-align: center; opacity: 0.75; }
.fresco-note { flex: none; opacity: 0.85; overflow-wrap: anywhere; }
.fresco-words { box-sizing: border-box; width: 100%; overflow-y: auto; padding: 2px 8px; color: var(--input-text);
  font: 12px/1.35 system-ui, sans-serif; white-space: pre-wrap; overflow-wrap: anywhere; user-select: text; min-height: var(--fresco-height); }
[data-node-id] .fresco-words { max-height: var(--fresco-height); }
.fresco-words strong { display: block; font-weight: 600; }
.fresco-words .fresco-hint { opacity: 0.75; font-weight: 400; }
.fresco-coming { padding-bottom: 4px; margin-bottom: 4px; border-bottom: 1px solid var(--border-color); }
.fresco-problem { color: var(--error-text, #f55); }
.fresco-caution { color: #8a5300; }
.dark-theme .fresco-caution { color: var(--warning-background, #fd9903); }
.fresco-stage { position: relative; flex: 1 1 0; min-height: 60px; }
.fresco-stage canvas { position: absolute; inset: 0; margin: auto; max-width: 100%; max-height: 100%;
  border-radius: 4px; cursor: crosshair; touch-action: none; }
.fresco-line { display: flex; gap: 8px; align-items: center; min-width: 0; }
.fresco-line > span { flex: 1; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; font-variant-numeric: tabular-nums; }
.fresco-line input[type=range] { flex: 1; min-width: 0; accent-color: var(--fresco-accent); margin: 0; }
.fresco-line button, .fresco-line select { font: inherit; color: var(--input-text); background: var(--comfy-menu-bg);
  border: 1px solid var(--border-color); border-radius: 5px; padding: 2px 8px; min-width: 30px; cursor: pointer; }
.fresco-line button:hover, .fresco-line select:hover { border-color: var(--fresco-accent); }
.fresco-line label { display: flex; gap: 5px; align-items: center; flex: 1; }
.fresco-viewer small { font-size: 10px; line-height: 1; opacity: 0.7; }
.fresco-line input[type=range]:focus-visible, .fresco-line button:focus-visible, .fresco-line select:focus-visible {
  outline: 2px solid var(--fresco-accent); outline-offset: 2px; border-radius: 5px; }
.fresco-pair { position: relative; flex: 1 1 0; min-height: 60px; cursor: ew-resize; touch-action: none; display: grid; place-items: center; overflow: hidden; }
.fresco-pair img { grid-area: 1 / 1; max-width: 100%; max-height: 100%; min-width: 0; min-height: 0; width: 100%; height: 100%; object-fit: contain; user-select: none; }
.fresco-pair img:nth-child(2) { clip-path: inset(0 calc(100% - var(--fresco-part)) 0 0); }
.fresco-divider { position: absolute; top: 0; bottom: 0; left: var(--fresco-part); width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 3px #000; pointer-events: none; }
.fresco-pair > span { position: absolute; top: 6px; left: 6px; padding: 1px 6px; border-radius: 4px; background: #000a; color: #fff; pointer-events: none; }
.fresco-pair > span + span { left: auto; right: 6px; }
.fresco-line button[aria-pressed="true"] { border-color: var(--fresco-accent); }
.fresco-scale { flex: 0 0 80px; height: 8px; border-radius: 3px; }
.fresco-tokens { position: relative; flex: none; height: 44px; border-bottom: 1px solid var(--border-color); }
.fresco-tokens small { position: absolute; left: 0; top: 2px; pointer-events: none; }
.fresco-curve { width: 100%; height: 100%; cursor: pointer; }
.fresco-curve polyline { fill: none; stroke: var(--fresco-accent); stroke-width: 2; vector-effect: non-scaling-stroke; }
.fresco-curve polygon { fill: var(--fresco-accent); opacity: 0.18; }
.fresco-curve line { stroke: var(--input-text); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
`

/** Put the styles into the page, once. */
export function addStyle() {
  if (document.getElementById('fresco-style')) return
  const style = document.createElement('style')
  style.id = 'fresco-style'
  style.textContent = CSS
  document.head.append(style)
}

/** An element with properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}
