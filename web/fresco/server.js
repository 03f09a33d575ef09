// The pack's own route on the server, which knows the grammar and the costs.

import { api } from '../../../scripts/api.js'

function post(request) {
  return api.fetchApi('/fresco/plan', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(request)
  })
}

/** The server's answer; without what a run has told where it takes that for no request, as of another version. */
export async function ask(request) {
  const response = await post(request)
  if (response.status !== 400 || !request.known) return response.json()
  return (await post({ ...request, known: undefined })).json()
}
