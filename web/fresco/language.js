// The user's language, as the frontend's own texts have it; extensions await it before the first node is made.

import { api } from '../../../scripts/api.js'
import { app } from '../../../scripts/app.js'
import { setSentences } from './told.js'
import { setWords } from './words.js'

let loading = null

async function load() {
  const language = app.extensionManager.setting.get('Comfy.Locale')
  if (!language || language === 'en') return
  const response = await api.fetchApi('/i18n')
  if (!response.ok) return
  const found = (await response.json())[language]
  setWords(found?.fresco)
  setSentences(found?.fresco_told)
}

/** Load the translations, once per page. */
export function loadLanguage() {
  loading ??= load()
  return loading
}
