// What a node will do, in a sentence, from the server's answer. No browser objects here.

import { told } from './told.js'
import { levelName, say } from './words.js'

/** The steps of a plan by what they look at, in their order: [[words, count], ...]. */
function parts(plan) {
  const counts = new Map()
  for (const step of plan.steps) {
    const size = step.fine ? say('of fine and coarse tokens') : step.level ? say('at {level}', { level: levelName(step.level) }) : say('in full')
    const words = !step.halvings ? size : step.halvings === 1 ? say('{where} with half of the frames', { where: size }) : say('{where} with quarter of the frames', { where: size })
    counts.set(words, (counts.get(words) ?? 0) + 1)
  }
  return [...counts]
}

/**
 * The sentence for a plan as the server draws it. `sure` says whether it is of the node's own model and size; else the
 * levels are the coarsest that the schedule may take.
 */
export function sentence(plan, sure) {
  if (plan.reason) return say('runs plain: {reason}', { reason: told(plan.reason) })
  if (!plan.steps.some((step) => step.level || step.fine || step.halvings)) return say('{count} full steps, as without Fresco', { count: plan.steps.length })
  const looks = parts(plan).map(([words, count]) => say('{count} {where}', { count, where: words }))
  const words = say('{count} steps: {looks}', { count: plan.steps.length, looks: looks.join(say(', then ')) })
  return sure && !plan.open ? words : say('{told}; finer where the model or the size needs it', { told: words })
}
