// Prints, for texts in JSON on standard input, what the page makes of them in each language: {language: [text, ...]}, each
// text null where a line of it is not wholly translated. Started by tests/translations.py.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setSentences, translated } from '../../web/fresco/told.js'

const LOCALES = fileURLToPath(new URL('../../locales/', import.meta.url))
const texts = JSON.parse(readFileSync(0, 'utf8'))
const found = {}
for (const language of ['zh', 'ja']) {
  setSentences(JSON.parse(readFileSync(`${LOCALES}${language}/main.json`, 'utf8')).fresco_told)
  found[language] = texts.map((text) => {
    const lines = text.split('\n').map(translated)
    return lines.includes(null) ? null : lines.join('\n')
  })
}
console.log(JSON.stringify(found))
