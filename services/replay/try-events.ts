// A look at some events through a pipeline's mapping: what each field becomes, and what is refused.
//
// In: the definition, events of files or of a topic as the mapping reads them, how many. Out: per
// field how often it is absent and what it looks like; rejections by code with a place and the
// field to look at; the first vectors. Nothing is written, and no model is asked. Memory: the
// events that are looked at.

import type { FileEvent } from '../adapters/event-files/event-block.ts'
import type { FieldValue } from '../core/input-mapping.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { createBrake } from '../pipeline/decide/decide.ts'
import type { Rejection, Transaction } from '../pipeline/records.ts'
import { planValidate } from '../pipeline/validate/validate.ts'
import { LABEL_LANE, replayBatches, TRANSACTION_LANE } from './replay-batches.ts'
import { openReplayStages } from './replay-stages.ts'

type Blocks<T> = AsyncGenerator<readonly FileEvent<T>[], void, undefined>

export type TriedField = {
  readonly name: string
  readonly kind: string
  readonly absent: number
  readonly examples: readonly FieldValue[]
}

export type TriedRejection = {
  readonly code: string
  readonly count: number
  /** Of the first of them. */
  readonly detail: string
  readonly file: number
  readonly row: number
  /** The field that the detail is about; null where it is about the whole. */
  readonly field: string | null
}

export type TryReport = {
  readonly read: number
  readonly events: number
  readonly skipped: number
  readonly fields: readonly TriedField[]
  readonly rejections: readonly TriedRejection[]
  readonly vectors: readonly {
    readonly transactionId: string
    readonly features: Readonly<Record<string, number>>
  }[]
}

type Refusals = Map<string, TriedRejection>

const EXAMPLES = 3
const VECTORS = 3

export async function tryEvents(
  definition: PipelineDefinition,
  source: Blocks<Transaction>,
  count: number,
): Promise<TryReport> {
  const looked = await take(source, count)
  const refusals: Refusals = new Map()
  let skipped = 0
  const note = ({ rejection, file, row }: { rejection: Rejection; file: number; row: number }) => {
    if (rejection.code === 'WEIR_DECODE_SKIPPED') skipped++
    else noteRefusal(refusals, definition, { ...rejection, file, row })
  }
  const { events, vectors } = await walk(definition, looked, note)
  return {
    read: looked.length,
    events: events.length,
    skipped,
    fields: definition.input.transactions.fields.map(({ name, type }) => {
      const values = events.map((event) => event[name] ?? null)
      const there = [...new Set(values.filter((value) => value !== null))]
      const absent = values.filter((value) => value === null).length
      return { name, kind: type.kind, absent, examples: there.slice(0, EXAMPLES) }
    }),
    rejections: [...refusals.values()].sort((a, b) => b.count - a.count),
    vectors,
  }
}

async function take(source: Blocks<Transaction>, count: number) {
  const events: FileEvent<Transaction>[] = []
  for await (const block of source) {
    events.push(...block.slice(0, count - events.length))
    if (events.length >= count) break
  }
  return events.sort((a, b) => a.timeMs - b.timeMs)
}

/** Through validate and enrich, as a replay walks them, with an empty store of its own. */
async function walk(
  definition: PipelineDefinition,
  looked: readonly FileEvent<Transaction>[],
  reject: Parameters<typeof replayBatches>[0]['reject'],
) {
  const events: Transaction[] = []
  const vectors: TryReport['vectors'][number][] = []
  const stages = await openReplayStages(definition, { isScoring: false, redisUrl: null })
  const names = definition.features.map(({ name }) => name)
  try {
    const batches = replayBatches({
      transactions: once(looked),
      labels: once([]),
      rules: planValidate(definition),
      batchEvents: 500,
      epochs: [await stages.claim(TRANSACTION_LANE), await stages.claim(LABEL_LANE)],
      brakes: [createBrake(), createBrake()],
      reject,
    })
    await stages.run(batches, async ({ batch, count, arrivalIndexes, vectors: rows }) => {
      for (let row = 0; row < count; row++) {
        const event = batch.arrivals[arrivalIndexes[row]!]!.transaction!
        events.push(event)
        const own = rows.subarray(row * names.length, (row + 1) * names.length)
        const features = Object.fromEntries(names.map((name, f) => [name, own[f]!]))
        vectors.push({ transactionId: event.transactionId, features })
      }
    })
  } finally {
    await stages.close()
  }
  // The last ones have met the longest histories.
  return { events, vectors: vectors.slice(-VECTORS) }
}

async function* once<T>(events: readonly FileEvent<T>[]): Blocks<T> {
  yield events
}

function noteRefusal(
  refusals: Refusals,
  { input }: PipelineDefinition,
  { code, detail, file, row }: Rejection & { readonly file: number; readonly row: number },
): void {
  const [name = ''] = /^\w+/.exec(detail) ?? []
  const field = input.transactions.fields.some((one) => one.name === name) ? name : null
  const key = `${code} ${field}`
  const known = refusals.get(key)
  if (known === undefined) refusals.set(key, { code, count: 1, detail, file, row, field })
  else refusals.set(key, { ...known, count: known.count + 1 })
}
