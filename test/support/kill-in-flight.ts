// Kills a scorer at a moment when it has certainly done more than it has committed.
//
// In: a place and a scorer at work on a backlog. Out: the scorer is gone. It is stopped again and
// again, looked at, and let go on, until the store has applied offsets that are not committed; then
// it is killed. So the test's hard case is met every time, not by luck.

import type { ScorerProcess } from '../../load/scorer/scorer-process.ts'
import { readCommitted, sumOf } from './committed-offsets.ts'
import { openRedisWitness } from './redis-witness.ts'
import type { ScoringEnvironment } from './scoring-environment.ts'
import { waitFor } from './wait-for.ts'

/** Part of the backlog that must be committed before, so that the kill falls in the middle. */
const COMMITTED_SHARE_MIN = 0.1

export async function killWithWorkInFlight(
  place: ScoringEnvironment,
  scorer: ScorerProcess,
): Promise<void> {
  const { kafka, groupId, definition, stack, keyPrefix } = place
  const topic = definition.topics.transactions
  const admin = kafka.admin()
  const witness = openRedisWitness(stack.redisUrl, keyPrefix)
  await admin.connect()
  try {
    const ends = await admin.fetchTopicOffsets(topic)
    const endSum = ends.reduce((sum, { high }) => sum + Number(high), 0)
    await waitFor(
      async () => {
        scorer.assertRunning()
        const started = await readCommitted(admin, groupId, topic)
        if (sumOf(started) < endSum * COMMITTED_SHARE_MIN) return false
        scorer.signal('SIGSTOP')
        const committed = await readCommitted(admin, groupId, topic)
        const applied = await witness.applied()
        const isInFlight = [...committed].some(
          ([partition, offset]) => (applied.get(partition * 2) ?? -1) >= offset,
        )
        if (isInFlight && sumOf(committed) < endSum) return true
        if (sumOf(committed) >= endSum) throw new Error('the backlog was too short for a kill')
        scorer.signal('SIGCONT')
        return false
      },
      () => `no moment with work in flight; see ${scorer.logFile}`,
      { everyMs: 2 },
    )
  } finally {
    scorer.signal('SIGKILL')
    witness.close()
    await admin.disconnect()
  }
  await scorer.ended
}
