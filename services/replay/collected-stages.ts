// Stands where a replay's stages stand when the events are scored already: each is looked up.
//
// In: batches of all partitions in the order of time, and the run's scored topic. Out: the rows
// that were published, in the order of the batches. Refused (WEIR_ENRICH_STATE_LOST): an event that
// has no outcome, or more than one. Invariants: every accepted event has one record, or is late and
// diverted by the pipeline's own rule; every record has its event; memory holds one fetch of each
// partition.

import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import { type AppliedRejection, asScoredRecord } from '../pipeline/publish/applied-record.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Batch, DecidedBatch, Rejection, ScoringModel } from '../pipeline/records.ts'
import type { ReplayStages } from './replay-stages.ts'
import type { ScoredBook } from './scored-book.ts'
import { placeKey } from './set-aside-of-run.ts'

type CollectedRun = {
  readonly definition: PipelineDefinition
  /** The champion, then the challengers. */
  readonly models: readonly ScoringModel[]
  /** By partition of the transactions. */
  readonly books: ReadonlyMap<number, ScoredBook>
  /** Counted and then set aside, by partition and offset. */
  readonly setAside: ReadonlyMap<string, AppliedRejection>
  readonly close: () => Promise<void>
}

export function openCollectedStages(run: CollectedRun): ReplayStages {
  return {
    claim: async () => 0,
    models: run.models,
    run: async (batches, write, signal) => {
      for await (const batch of batches) {
        await turnOfTheLoop()
        signal?.throwIfAborted()
        const decided = composeDecided(batch, await findOutcomes(batch, run), run)
        write(decided.scored.enriched, decided)
      }
      for (const book of run.books.values()) await book.close()
    },
    close: run.close,
  }
}

type Outcomes = {
  /** Indexes into the batch's arrivals, parallel to the records. */
  readonly indexes: readonly number[]
  readonly records: readonly ScoredTransactionRecord[]
  readonly diverted: readonly number[]
  /** By row. */
  readonly setAside: ReadonlyMap<number, Rejection>
}

async function findOutcomes(
  { arrivals, lanes, laneIndexes, latenessMs }: Batch,
  { definition, books, setAside: asides }: CollectedRun,
): Promise<Outcomes> {
  const { late, topics } = definition
  const outcomes = { indexes: [] as number[], records: [] as ScoredTransactionRecord[] }
  const diverted: number[] = []
  const setAside = new Map<number, Rejection>()
  for (const [i, { transaction, raw }] of arrivals.entries()) {
    if (transaction === null) continue
    const { partition } = lanes[laneIndexes[i]!]!
    const isLate = latenessMs[i]! > late.allowedMs && late.then === 'divert'
    if (isLate) {
      diverted.push(i)
      continue
    }
    const aside = asides.get(placeKey(partition, raw.offset))
    if (aside !== undefined) {
      setAside.set(outcomes.records.length, refusalOf(aside))
      outcomes.indexes.push(i)
      outcomes.records.push(asScoredRecord(aside, transaction, latenessMs[i]!, definition))
      continue
    }
    const record = await books.get(partition)!.take(raw.offset)
    if (record?.transactionId !== transaction.transactionId) {
      const place = `${topics.transactions}/${partition}/${raw.offset}`
      const detail = `${place}: found no scored event of it in ${topics.scored}, expected one.`
      throw new WeirError('WEIR_ENRICH_STATE_LOST', detail)
    }
    outcomes.indexes.push(i)
    outcomes.records.push(record)
  }
  return { ...outcomes, diverted, setAside }
}

/** Codes and stages in the topic are those that a scorer of this version wrote. */
const refusalOf = ({ code, stage, detail }: AppliedRejection): Rejection =>
  ({ code, stage, detail }) as Rejection

function composeDecided(
  batch: Batch,
  { indexes, records, diverted, setAside }: Outcomes,
  { definition, models }: CollectedRun,
): DecidedBatch {
  const count = records.length
  const [champion, ...challengers] = models
  const columns = (
    width: number,
    valuesOf: (record: ScoredTransactionRecord) => readonly number[],
  ) => fillRows(new Float64Array(count * width), width, records.map(valuesOf))
  const plan = planFeatures(definition)
  const entities = plan.entities.length
  return {
    scored: {
      enriched: {
        batch,
        count,
        arrivalIndexes: Uint32Array.from(indexes),
        vectors: fillRows(
          new Float32Array(count * definition.features.length),
          definition.features.length,
          records.map(({ features }) => features),
        ),
        ordinals: columns(entities, ({ ordinals }) => ordinals),
        eventsSeen: columns(entities, ({ eventsSeen }) => eventsSeen),
        labelsSeen: columns(plan.labelEntityCount, ({ labelsSeen }) => labelsSeen),
        saturated: Uint8Array.from(records, ({ saturated }) => Number(saturated)),
        diverted,
      },
      champion: champion!,
      challengers,
      scores: Float32Array.from(records, ({ score }) => score),
      challengerScores: challengers.map((_, i) =>
        Float32Array.from(records, (record) => record.challengers[i]?.score ?? Number.NaN),
      ),
      setAside,
      reasons: new Map(),
    },
    decisions: records.map(({ decision }) => decision),
    decidedBy: records.map(({ decidedBy }) => decidedBy),
    brakesAfter: batch.brakes,
  }
}

function fillRows<Column extends Float32Array | Float64Array>(
  column: Column,
  width: number,
  rows: readonly (readonly number[])[],
): Column {
  rows.forEach((values, row) => {
    column.set(values, row * width)
  })
  return column
}
