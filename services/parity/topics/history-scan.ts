// Logs whose beginning is not read: where each of them can be taken up.
//
//   ordinals of one log     7  9 | 10 11 12 13 ...      8 was scored before the range that is read:
//                           edge   base                 rows scored near the edge are passed over
//
// In: the scored events of a range. Out: per entity the ordinal from which on every row was read.
// Rows are applied nearly in the order in which they are scored; EDGE_MS allows for a lane that was
// taken over. Memory: two numbers per entity.

import type { TopicRange } from '../../adapters/kafka/ranges/topic-ranges.ts'
import { planFeatures } from '../../pipeline/enrich/feature-plan.ts'
import type { JoinedOutcome } from '../labels/joined-outcome.ts'
import { readValues } from '../naive/read-values.ts'
import type { ParityEnvironment } from './parity-environment.ts'

/** Time between applying and scoring an event, a take-over included. */
const EDGE_MS = 60_000

type ScoredScan = {
  /** Lowest offset of each input partition that an event names. */
  readonly lowestOffsets: ReadonlyMap<number, number>
  /** Events scored up to here may have predecessors that are not read; ms. */
  readonly edgeMs: number
}

/** @param lowOf first offset that an input partition still holds. */
export async function scanScored(
  { kafka, decoders }: ParityEnvironment,
  scored: readonly TopicRange[],
  lowOf: (partition: number) => number,
): Promise<ScoredScan> {
  const lowestOffsets = new Map<number, number>()
  let firstMs = Number.POSITIVE_INFINITY
  let edgeMs = Number.NEGATIVE_INFINITY
  for await (const { value } of readValues({ kafka, ranges: scored, decoder: decoders.scored })) {
    const { sourcePartition, sourceOffset, scoredTime } = value
    const known = lowestOffsets.get(sourcePartition) ?? Number.POSITIVE_INFINITY
    lowestOffsets.set(sourcePartition, Math.min(known, sourceOffset))
    firstMs = Math.min(firstMs, scoredTime)
    if (sourceOffset < lowOf(sourcePartition)) edgeMs = Math.max(edgeMs, scoredTime)
  }
  const isCut = scored.some(({ from }) => from > 0)
  return { lowestOffsets, edgeMs: isCut ? Math.max(edgeMs, firstMs + EDGE_MS) : edgeMs }
}

/** Gathers where the logs begin, outcome by outcome, and then tells. */
export function createHistoryScan({ definition }: ParityEnvironment, edgeMs: number) {
  const { entities } = planFeatures(definition)
  const edges = entities.map(() => new Map<string, Edge>())
  return {
    visit: (outcomes: readonly JoinedOutcome[]): void => {
      for (const { record, transaction } of outcomes) {
        for (const [e, { readKey }] of entities.entries()) {
          const key = readKey(transaction)
          const known = edges[e]!.get(key) ?? { behind: 0, lowest: Number.POSITIVE_INFINITY }
          const ordinal = record.ordinals[e]!
          // What is not counted shows how long the log was all the same.
          const length = ordinal < 0 ? (record.eventsSeen[e] ?? 0) : ordinal + 1
          const lowest = ordinal < 0 ? length : ordinal
          edges[e]!.set(key, {
            behind: record.scoredTime <= edgeMs ? Math.max(known.behind, length) : known.behind,
            lowest: Math.min(known.lowest, lowest),
          })
        }
      }
    },
    bases: () =>
      edges.map((known) => new Map([...known].map(([key, edge]) => [key, baseOf(edge)]))),
  }
}

type Edge = { readonly behind: number; readonly lowest: number }

/** The ordinal from which on every row was read; 0 = the log is whole. */
const baseOf = ({ behind, lowest }: Edge): number => Math.max(behind, lowest)
