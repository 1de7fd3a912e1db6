// Every published vector computed again, from the topics alone, in an undisturbed world.
//
// In: the pipeline, the scored events, the transactions and labels that came in. Out: what differs.
// Each entity's log is laid out anew in the order of the published ordinals and runs once through the
// memory store. Of the label log each event is shown as much as it says it saw: an event that was
// delivered again may have seen more than one behind it. A feature looks at one entity's log at most,
// so each entity is judged by a pipeline of its own.
// Ordinals are demanded dense and unique; that is part of the same proof.

import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import type {
  EntityDefinition,
  FeatureDefinition,
  PipelineDefinition,
} from '../../services/core/pipeline-definition.ts'
import { enrich } from '../../services/pipeline/enrich/enrich.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import type { Arrival, Batch, Label, Transaction } from '../../services/pipeline/records.ts'

export type ScoringHistory = {
  readonly scored: readonly ScoredTransactionRecord[]
  readonly transactionOf: (event: ScoredTransactionRecord) => Transaction
  /** Accepted labels, in the order in which they were applied. */
  readonly labels: readonly Label[]
}

export type Recomputation = {
  readonly vectors: number
  /** Human words, one per difference. */
  readonly differences: readonly string[]
}

export async function recomputeVectors(
  definition: PipelineDefinition,
  history: ScoringHistory,
): Promise<Recomputation> {
  const differences: string[] = []
  const judged = new Set<string>()
  const labelColumns = definition.entities.filter(({ name }) => hasLabels(definition, name))
  for (const [e, entity] of definition.entities.entries()) {
    const features = definition.features.filter((feature) =>
      readsOnly(definition, feature, entity.name),
    )
    const alone = { ...definition, entities: [entity], features }
    const labelColumn = labelColumns.indexOf(entity)
    const layout = layOut(history, { entity, column: e, labelColumn }, differences)
    for (const { name } of features) judged.add(name)
    differences.push(...(await compareEntity(definition, alone, layout)))
  }
  const skipped = definition.features.filter(({ name }) => !judged.has(name))
  if (skipped.length > 0) throw new Error(`looks at two logs: ${skipped.map((f) => f.name)}`)
  return { vectors: history.scored.length, differences }
}

const hasLabels = ({ features }: PipelineDefinition, entity: string): boolean =>
  features.some((f) => f.kind === 'window' && f.entity === entity && f.op === 'fraud_rate')

function readsOnly(
  { features }: PipelineDefinition,
  feature: FeatureDefinition,
  entity: string,
): boolean {
  if (feature.kind === 'window') return feature.entity === entity
  if (feature.kind !== 'ratio') return true
  const { numerator, denominator } = feature
  return features
    .filter(({ name }) => name === numerator || name === denominator)
    .every((part) => readsOnly({ features } as PipelineDefinition, part, entity))
}

/** What an entity's store is given: all labels, then the events of all logs in their order. */
type Layout = {
  readonly labels: readonly Label[]
  readonly events: readonly ScoredTransactionRecord[]
  readonly transactions: readonly Transaction[]
  /** How many labels of its log each event is shown; null = the entity has no labels. */
  readonly labelsSeen: readonly number[] | null
}

type Wanted = {
  readonly entity: EntityDefinition
  /** The entity's column in `ordinals`, and the one in `labelsSeen` (-1 = none). */
  readonly column: number
  readonly labelColumn: number
}

type Fields = Readonly<Record<string, unknown>>
const keyOf = ({ key }: EntityDefinition, event: Transaction | Label): string =>
  JSON.stringify(key.map((field) => (event as unknown as Fields)[field]))

/** All logs of an entity one after the other, each in the order of its ordinals. */
function layOut(history: ScoringHistory, wanted: Wanted, differences: string[]): Layout {
  const { entity, column, labelColumn } = wanted
  const { transactionOf } = history
  const logs = new Map<string, ScoredTransactionRecord[]>()
  for (const event of history.scored) push(logs, keyOf(entity, transactionOf(event)), event)
  const place = ({ ordinals, eventsSeen }: ScoredTransactionRecord): number =>
    ordinals[column]! >= 0 ? ordinals[column]! : eventsSeen[column]! - 0.5
  for (const [key, events] of logs) {
    events.sort((a, b) => place(a) - place(b))
    checkDense(`${entity.name} ${key}`, events, column, differences)
  }
  const events = [...logs.values()].flat()
  return {
    labels: labelColumn < 0 ? [] : history.labels,
    events,
    transactions: events.map(transactionOf),
    labelsSeen: labelColumn < 0 ? null : events.map(({ labelsSeen }) => labelsSeen[labelColumn]!),
  }
}

function checkDense(
  log: string,
  events: readonly ScoredTransactionRecord[],
  column: number,
  differences: string[],
): void {
  let next = 0
  for (const { ordinals, transactionId } of events) {
    const ordinal = ordinals[column]!
    if (ordinal < 0) continue
    if (ordinal !== next) {
      differences.push(`${log}: ${transactionId} has ordinal ${ordinal}, expected ${next}`)
    }
    next = ordinal + 1
  }
}

async function compareEntity(
  definition: PipelineDefinition,
  alone: PipelineDefinition,
  layout: Layout,
): Promise<string[]> {
  const plan = planFeatures(alone)
  const memory = createMemoryLogStore(plan.kinds)
  const epochs = [(await memory.claim(0)).epoch, (await memory.claim(1)).epoch] as const
  const store = showLabelsSeen(memory, layout)
  const enriched = await enrich(batchOfLayout(layout, epochs, alone), {
    plan,
    store,
    late: alone.late,
  })
  const columns = alone.features.map(({ name }) =>
    definition.features.findIndex((feature) => feature.name === name),
  )
  const differences: string[] = []
  for (const [row, event] of layout.events.entries()) {
    for (const [f, column] of columns.entries()) {
      const expected = enriched.vectors[row * columns.length + f]!
      const found = event.features[column]!
      if (Object.is(found, expected)) continue
      const { name } = definition.features[column]!
      differences.push(`${event.transactionId}: ${name} is ${found}, recomputed ${expected}`)
    }
  }
  return differences
}

/** Each event has two entries there, behind those of the labels: its log's, then the label log's. */
function showLabelsSeen(store: EntityLogStore, { events, labelsSeen }: Layout): EntityLogStore {
  if (labelsSeen === null) return store
  return {
    ...store,
    advance: async (request) => {
      const reply = await store.advance(request)
      const first = request.records.count - 2 * events.length
      for (const [row, seen] of labelsSeen.entries()) {
        const entry = first + 2 * row + 1
        if (seen > reply.logs[entry]!.count) {
          throw new Error(`an event saw ${seen} labels of ${reply.logs[entry]!.count}`)
        }
        reply.visible[entry] = seen
      }
      return reply
    },
  }
}

function batchOfLayout(
  { labels, events, transactions }: Layout,
  epochs: readonly [number, number],
  { late }: PipelineDefinition,
): Batch {
  const rawAt = (offset: number) => ({ offset, brokerTimeMs: 0, key: null, value: null })
  const arrivals: Arrival[] = [
    ...labels.map((label, i) => ({
      raw: rawAt(i),
      transaction: null,
      label,
      rejection: null,
    })),
    ...transactions.map((transaction, i) => ({
      raw: rawAt(i),
      transaction,
      label: null,
      rejection: null,
    })),
  ]
  const counts = [transactions.length, labels.length]
  const isUncounted = ({ ordinals }: ScoredTransactionRecord) => ordinals[0]! < 0
  return {
    lanes: epochs.map((epoch, laneId) => ({
      laneId,
      stream: laneId === 0 ? 'transactions' : 'labels',
      partition: 0,
      epoch,
      fromOffset: 0,
      firstOffset: 0,
      lastOffset: Math.max(0, counts[laneId]! - 1),
      watermarkMs: 0,
      isIdle: false,
    })),
    arrivals,
    laneIndexes: Uint16Array.from(arrivals, ({ label }) => (label === null ? 0 : 1)),
    latenessMs: Float64Array.from([
      ...labels.map(() => 0),
      ...events.map((event) => (isUncounted(event) ? late.allowedMs + 1 : 0)),
    ]),
    brakes: epochs.map(() => ({ events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 })),
  }
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
