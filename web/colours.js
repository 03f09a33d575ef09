// Colours of the pack's own links, and of its nodes' titles, that no saved graph has to carry.

import { app } from '../../scripts/app.js'

const LINKS = { FRESCO_SCHEDULE: '#5b9bd5', FRESCO_TRACE: '#e0a458' }
const TITLE = '#2f4f5e'

/** The links' colours in both renderers; a change of palette takes them away. */
function colourLinks() {
  Object.assign(LGraphCanvas.link_type_colors, LINKS)
  const slots = app.canvas?.default_connection_color_byType
  if (slots) Object.assign(slots, LINKS)
  for (const [type, colour] of Object.entries(LINKS)) document.documentElement.style.setProperty(`--color-datatype-${type}`, colour)
}

app.registerExtension({
  name: 'fresco.Colours',

  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.name?.startsWith('Fresco') && nodeData.category === 'sampling/fresco') nodeType.color = TITLE
  },

  setup() {
    colourLinks()
    new MutationObserver(() => {
      if (!document.documentElement.style.getPropertyValue('--color-datatype-FRESCO_TRACE')) colourLinks()
    }).observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] })
  }
})
