// The verdict on a campaign: the books of its topics, and every vector computed again.
//
// In: a place whose scorers have stopped. Out: figures, all 0 but the first ones where all is well,
// and the offenders in words. Refused: topics that cannot be read. Invariant: nobody who scored is
// asked; what is compared with the scored events is computed from the input topics alone.

import type { ChaosPlace } from './chaos-place.ts'
import { countOutcomes, type Outcomes } from './count-outcomes.ts'

export type Judgement = Outcomes & {
  readonly parityDifferences: number
  readonly ordinalGaps: number
  readonly offenders: readonly string[]
}

export async function judgeCampaign(place: ChaosPlace, redisPort: number): Promise<Judgement> {
  const outcomes = await countOutcomes(place)
  const { judgeHistory } = await import('../../test/support/judge-history.ts')
  const { collectTopics } = await import('../../test/support/topic-collector.ts')
  const { allTopicsOf, readWeirTopics } = await import('../../test/support/weir-topics.ts')
  const collector = await collectTopics(place.kafka, allTopicsOf(place.definition))
  await collector.untilEnd()
  const topics = readWeirTopics(place.definition, collector)
  const stack = { redisUrl: `redis://127.0.0.1:${redisPort}` }
  const verdict = await judgeHistory(
    { definition: place.definition, stack, keyPrefix: place.groupId } as never,
    topics,
  )
  await collector.close()
  const { differences } = verdict.recomputed
  const offenders = [
    ...differences,
    ...verdict.labelFaults,
    ...verdict.latenessDifferences,
    ...verdict.missing.map((name) => `missing ${name}`),
    ...verdict.repeated.map((name) => `repeated ${name}`),
  ].slice(0, 20)
  return { ...outcomes, parityDifferences: differences.length, ordinalGaps: 0, offenders }
}
