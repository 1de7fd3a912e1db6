// How a world ended: from what readers of committed records have before them, and from its exits.
//
// In: the inputs, the outputs, what the processes did. Out: the first fault, in words, or none.
// Judged: every input event has exactly one outcome (difference 0); ordinals are dense and unique
// and every vector is that of a naive recomputation; nothing died unasked; no promise was left to
// itself.

import { WeirError } from '../../services/core/errors.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { asScoredRecord, isApplied } from '../../services/pipeline/publish/applied-record.ts'
import type {
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../services/pipeline/publish/output-records.ts'
import type { MemoryLane } from '../support/memory-broker.ts'
import { recomputeVectors } from '../support/recompute-vectors.ts'
import { labelOf, transactionOf } from './world-inputs.ts'

export type Published = {
  readonly scored: readonly ScoredTransactionRecord[]
  readonly refused: readonly RejectedRecord[]
}

export type Outcomes = {
  readonly definition: PipelineDefinition
  readonly lanes: readonly MemoryLane[]
  readonly published: Published
}

const placeOf = (topic: string, partition: number, offset: number): string =>
  `${topic}/${partition}@${offset}`

/** Each event once: the places that have no outcome or several, in words; null = none. */
export function findDifference({ lanes, published, definition }: Outcomes): string | null {
  const wanted = new Map<string, number>()
  for (const { address, messages } of lanes) {
    for (const { offset, value } of messages) {
      const isCountedOnly = address.stream === 'labels' && labelOf(value) !== null
      if (!isCountedOnly) wanted.set(placeOf(address.topic, address.partition, offset), 0)
    }
  }
  const outcomes = [
    ...published.scored.map(({ sourcePartition, sourceOffset }) =>
      placeOf(definition.topics.transactions, sourcePartition, sourceOffset),
    ),
    ...published.refused.map(({ sourceTopic, sourcePartition, sourceOffset }) =>
      placeOf(sourceTopic, sourcePartition, sourceOffset),
    ),
  ]
  for (const place of outcomes) {
    const times = wanted.get(place)
    if (times === undefined) return `${place} has an outcome and is no event`
    wanted.set(place, times + 1)
  }
  const wrong = [...wanted].filter(([, times]) => times !== 1)
  if (wrong.length === 0) return null
  const [place, times] = wrong[0]!
  return `${wrong.length} events have not one outcome: ${place} has ${times}`
}

/** Vectors and ordinals against the naive recomputation; null = all are right. */
export async function findWrongVector(outcomes: Outcomes): Promise<string | null> {
  const { definition, lanes, published } = outcomes
  const values = new Map(
    lanes.flatMap(({ address, messages }) =>
      messages.map(({ offset, value }) => [
        placeOf(address.topic, address.partition, offset),
        value,
      ]),
    ),
  )
  const labels = lanes
    .filter(({ address }) => address.stream === 'labels')
    .flatMap(({ messages }) => messages)
    .flatMap(({ value }) => labelOf(value) ?? [])
  const transactionAt = (place: string) => transactionOf(values.get(place)!)!
  // What was counted before it was set aside has its place in the logs all the same.
  // What was not counted was late: by how much, a rejected record does not say.
  const setAside = published.refused
    .filter(isApplied)
    .map((record) =>
      asScoredRecord(
        record,
        transactionAt(placeOf(record.sourceTopic, record.sourcePartition, record.sourceOffset)),
        record.applied.ordinals[0]! < 0 ? definition.late.allowedMs + 1 : 0,
        definition,
      ),
    )
  const { differences } = await recomputeVectors(definition, {
    scored: [...published.scored, ...setAside],
    transactionOf: ({ sourcePartition, sourceOffset }) =>
      transactionOf(
        values.get(placeOf(definition.topics.transactions, sourcePartition, sourceOffset))!,
      )!,
    labelsOf: () => labels,
  })
  return differences[0] ?? null
}

export type Exit = {
  readonly life: string
  readonly atMs: number
  /** killed: by its world; drained: as it was told; failed: by itself. */
  readonly how: 'killed' | 'drained' | 'failed'
  readonly error: Error | null
}

export const describeError = (error: unknown): string =>
  error instanceof WeirError || error instanceof Error ? error.message : String(error)
