// `bench drain`: how fast a backlog is scored, exactly once, and whether the features are right.
//
//   rehearsal ─► prefill ─► limits ─► scorers, first claim to last commit ─► limits ─► proof
//
// In: a place. Out: the case's figures; counted are all prefilled transactions over the time that
// drain-backlog.ts takes. Refused: what its steps refuse. Invariants: drain and limit copy the same
// records from the same topic through the same broker; the proof rests on the topics alone.

import type { Stage } from '../../../services/pipeline/observe/signals.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { prefill } from '../environment/prefill-environment.ts'
import type { Usage } from '../measure/process-usage.ts'
import type { StageFigure } from '../measure/scorer-metrics.ts'
import { computeReference } from '../verify/reference-vectors.ts'
import { verifyScored } from '../verify/verify-scored.ts'
import { drainBacklog } from './drain-backlog.ts'
import { measureLimits, rateOf } from './limit.ts'
import { rehearse } from './rehearse.ts'

export type DrainCase = Usage & {
  readonly case: 'drain'
  readonly events: number
  readonly eventsPerSecond: number
  readonly limitEventsPerSecond: number
  readonly ratio: number
  /** Share of vectors equal to those of the perfectly ordered stream. */
  readonly exactShare: number
  readonly batchMean: number
  readonly missing: number
  readonly duplicated: number
  readonly ordinalGaps: number
  readonly seconds: number
  readonly processes: number
  readonly rehearsedEvents: number
  readonly stages: Readonly<Record<Stage, StageFigure>>
  readonly storeRoundTripMeanMs: number
}

export type DrainOptions = {
  readonly events: number
  readonly processes: number
  /** Events of the rehearsal; 0 = none. */
  readonly rehearsedEvents: number
  readonly say: (line: string) => void
}

export async function runDrain(place: BenchEnvironment, options: DrainOptions): Promise<DrainCase> {
  const { events, processes, rehearsedEvents, say } = options
  await rehearse(place, rehearsedEvents, say)
  say(`prefilling ${events} transactions`)
  await prefill(place, events)
  say('measuring the pass-through limit')
  const limits = await measureLimits(place, events)
  say(`draining with ${processes === 1 ? 'one scorer' : `${processes} scorers`}`)
  const drained = await drainBacklog(place, { events, processes })
  limits.push(...(await measureLimits(place, events)))
  say('comparing every vector with the perfectly ordered stream')
  const { scored: _, ...verdict } = await verifyScored(place, await computeReference(place))
  const eventsPerSecond = events / drained.seconds
  const limitEventsPerSecond = rateOf(limits)
  const ratio = eventsPerSecond / limitEventsPerSecond
  const rates = { eventsPerSecond, limitEventsPerSecond, ratio }
  return {
    case: 'drain',
    events,
    ...rates,
    ...verdict,
    ...drained,
    processes,
    rehearsedEvents,
  }
}
