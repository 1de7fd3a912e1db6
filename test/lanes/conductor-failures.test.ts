// The conductor under random trouble: whatever is lost on the way, nothing is lost or doubled.

import { describe, expect, it } from 'vitest'
import type { Signal } from '../../services/pipeline/observe/signals.ts'
import { asScoredRecord, isApplied } from '../../services/pipeline/publish/applied-record.ts'
import type {
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../services/pipeline/publish/output-records.ts'
import { decodeJson } from '../support/memory-scorer.ts'
import { labelsIn, transactionIn } from '../support/memory-stream.ts'
import { recomputeVectors } from '../support/recompute-vectors.ts'
import { noTrouble, runTroubled, type Trouble, type TroubledRun } from '../support/troubled-run.ts'

const SEEDS = 40
/** A flood takes longer, and there is more trouble in one. */
const FLOODS = 12

const troubles: Readonly<Record<string, Trouble>> = {
  'deliveries in doubt': { ...noTrouble, doubt: 0.4 },
  'a store that fails': { ...noTrouble, storeFailure: 0.2 },
  'lanes that move': { ...noTrouble, move: 0.1 },
  'everything at once': {
    ...noTrouble,
    doubt: 0.3,
    storeFailure: 0.1,
    modelFailure: 0.1,
    away: 0.1,
    move: 0.03,
  },
  'a flood and a store that fails': { ...noTrouble, isFlooded: true, storeFailure: 0.2 },
  'a flood and everything at once': {
    isFlooded: true,
    doubt: 0.2,
    storeFailure: 0.1,
    modelFailure: 0.1,
    away: 0.1,
    // Turns are the event loop's: a busy machine takes fewer of them.
    move: 0.03,
  },
}

type Source = {
  readonly sourceTopic?: string
  readonly sourcePartition: number
  readonly sourceOffset: number
}
const placeOf = ({ sourceTopic = 'transactions', sourcePartition, sourceOffset }: Source): string =>
  `${sourceTopic}/${sourcePartition}/${sourceOffset}`

/** A lane publishes in the order of its offsets: whatever failed, nothing went past it. */
function checkNoGaps(events: readonly Source[], name: string): void {
  const last = new Map<string, number>()
  for (const event of events) {
    const lane = `${name} of ${event.sourceTopic}/${event.sourcePartition}`
    const before = last.get(lane) ?? -1
    if (event.sourceOffset <= before) {
      throw new Error(`${lane}: ${event.sourceOffset} was published after ${before}`)
    }
    last.set(lane, event.sourceOffset)
  }
}

async function judge({ broker, lanes, definition }: TroubledRun) {
  const read = <T>(topic: 'scored' | 'rejected' | 'late') =>
    broker.published(topic).map(({ record }) => decodeJson<T>(record.value))
  const scored = read<ScoredTransactionRecord>('scored')
  const refused = [...read<RejectedRecord>('rejected'), ...read<RejectedRecord>('late')]
  const messages = new Map(
    lanes.flatMap(({ address: { topic, partition }, messages: all }) =>
      all.map((message) => [`${topic}/${partition}/${message.offset}`, message]),
    ),
  )
  const labels = labelsIn(lanes)
  // A model that failed for an event alone, again and again: it is counted all the same.
  const setAside = read<RejectedRecord>('rejected')
    .filter(isApplied)
    .map((record) => {
      const isCounted = record.applied.ordinals[0]! >= 0
      const latenessMs = isCounted ? 0 : definition.late.allowedMs + 1
      return asScoredRecord(
        record,
        transactionIn(messages.get(placeOf(record))!),
        latenessMs,
        definition,
      )
    })
  const { differences } = await recomputeVectors(definition, {
    scored: [...scored, ...setAside],
    transactionOf: (event) => transactionIn(messages.get(placeOf(event))!),
    labelsOf: () => labels,
  })
  const outcomes = [...scored.map(placeOf), ...refused.map(placeOf)]
  for (const topic of ['scored', 'rejected'] as const) checkNoGaps(read<Source>(topic), topic)
  return { outcomes, expected: messages.size - labels.length, differences }
}

describe('the conductor, whatever fails', () => {
  it.each(Object.entries(troubles))(
    '%s: each event once, vectors as if undisturbed',
    async (name, trouble) => {
      const met = new Map<Signal['kind'], number>()
      const observe = ({ kind }: Signal) => void met.set(kind, (met.get(kind) ?? 0) + 1)
      const seeds = trouble.isFlooded ? FLOODS : SEEDS
      for (let seed = 1; seed <= seeds; seed++) {
        const run = await runTroubled(seed, trouble, { observe: () => observe })
        const { differences, outcomes, expected } = await judge(run)
        const place = `${name}, seed ${seed}`
        expect(differences.slice(0, 3), place).toEqual([])
        expect(new Set(outcomes).size, place).toBe(outcomes.length)
        expect(outcomes, place).toHaveLength(expected)
      }
      // The trouble was met, or the test proves nothing.
      expect(met.get('abandoned')).toBeGreaterThan(seeds / 2)
      if (trouble.move === 0) expect(met.get('producer_recreated')).toBeGreaterThan(seeds / 2)
      else expect(met.get('rebalanced')).toBeGreaterThan(2 * seeds)
    },
  )
})
