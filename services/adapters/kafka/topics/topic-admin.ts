// Brings brokers and registry to the plan: a plan in, what differs, and what was done about it,
// out.
//
//   read all ─► judge all ─► (plan shown, asked) ─► level and schema of each subject ─► topics
//
// `judgeTopics` and `checkTopics` change nothing. `applyTopics` refuses before anything is created,
// altered, set or registered: WEIR_TOPICS_DIFFER with each topic's reason,
// WEIR_REGISTRY_INCOMPATIBLE where only schemas are in the way. What is somebody else's is left
// alone, with the command for its owner (topic-differences.ts). Invariant: after applyTopics,
// checkTopics finds only that.

import { setTimeout } from 'node:timers/promises'
import { WeirError } from '../../../core/errors.ts'
import { limits } from '../../../core/limits.ts'
import { askBroker } from '../client/broker-answer.ts'
import { type FoundSubject, readSubjects, readTopics, type TopicAdmin } from './found-topics.ts'
import { compareAll, type TopicDifference } from './topic-differences.ts'
import { askFirst, isDone, runSteps, stepsOf } from './topic-steps.ts'

const firstPauseMs = 20

export const checkTopics = async (deps: TopicAdmin): Promise<readonly TopicDifference[]> =>
  compareTopics(deps, await readSubjects(deps.registry, deps.plan))

async function compareTopics(
  { admin, registry, plan, mayAddPartitions = false }: TopicAdmin,
  subjects: ReadonlyMap<string, FoundSubject>,
): Promise<readonly TopicDifference[]> {
  const names = plan.map(({ topic }) => topic)
  const topics = await readTopics(admin, names)
  const { brokers } = await askBroker(() => admin.describeCluster())
  const bootstrap = brokers.map(({ host, port }) => `${host}:${port}`).join(',')
  const addresses = { bootstrap, registry: registry.address }
  return compareAll(plan, { topics, subjects }, { addresses, mayAddPartitions })
}

/** What apply would find and do; thrown where it would do nothing because of what it found. */
export async function judgeTopics(deps: TopicAdmin): Promise<readonly TopicDifference[]> {
  const differences = await checkTopics(deps)
  refuse(differences)
  await askFirst(stepsOf(deps, differences))
  return differences
}

/** Gives back what it changed. */
export async function applyTopics(deps: TopicAdmin): Promise<readonly TopicDifference[]> {
  return carryOut(deps, await judgeTopics(deps))
}

/** @param judged by judgeTopics, shown and agreed to. */
export async function carryOut(
  deps: TopicAdmin,
  judged: readonly TopicDifference[],
): Promise<readonly TopicDifference[]> {
  await runSteps(stepsOf(deps, judged))
  const done = judged.filter(isDone)
  if (done.some(({ kind }) => isOfBrokers(kind))) await awaitTopics(deps)
  return done
}

function refuse(differences: readonly TopicDifference[]): void {
  const refused = differences.filter(({ action }) => action === 'refuse')
  if (refused.length === 0) return
  const lines = refused.map(
    ({ topic, setting, found, planned, reason }) =>
      `${topic}: ${setting} is ${found}, planned ${planned}. ${reason}`,
  )
  const isOfSchemas = refused.every(({ kind }) => kind === 'schema')
  const code = isOfSchemas ? 'WEIR_REGISTRY_INCOMPATIBLE' : 'WEIR_TOPICS_DIFFER'
  throw new WeirError(code, [...lines, 'Nothing was changed.'].join('\n'))
}

const isOfBrokers = (kind: TopicDifference['kind']): boolean =>
  kind !== 'compatibility' && kind !== 'schema'

/**
 * A broker answers from its copy of the metadata, which follows the controller's a moment later.
 */
async function awaitTopics(deps: TopicAdmin): Promise<void> {
  const subjects = await readSubjects(deps.registry, deps.plan)
  for (let attempt = 0; attempt < limits.retryAttemptsMax; attempt++) {
    await setTimeout(Math.min(firstPauseMs * 2 ** attempt, limits.retryPauseMsMax))
    if (await isAsPlanned(deps, subjects)) return
  }
  const detail = 'The brokers took the changes but do not show them yet; run `weir topics check`.'
  throw new WeirError('WEIR_TOPICS_DIFFER', detail)
}

async function isAsPlanned(
  deps: TopicAdmin,
  subjects: ReadonlyMap<string, FoundSubject>,
): Promise<boolean> {
  try {
    const differences = await compareTopics(deps, subjects)
    return !differences.some((one) => isDone(one) && isOfBrokers(one.kind))
  } catch (error) {
    if (error instanceof WeirError && error.canRetry) return false
    throw error
  }
}
