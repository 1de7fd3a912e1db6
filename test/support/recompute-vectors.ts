// Every published vector computed again, from the topics alone, in an undisturbed world.
//
// In: the pipeline, the scored events, the transactions and labels that came in. Out: what differs.
// Each entity's log is laid out anew in the order of the published ordinals, with as many labels
// before each event as it says it saw, and runs once through the memory store. A feature looks at
// one entity's log at most, so each entity is judged by a pipeline of its own.
// Ordinals are demanded dense and unique; that is part of the same proof.

import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import type {
  EntityDefinition,
  FeatureDefinition,
  PipelineDefinition,
} from '../../services/core/pipeline-definition.ts'
import { enrich } from '../../services/pipeline/enrich/enrich.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
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
  const labelColumns = definition.entities.filter(({ name }) => hasLabels(definition, name))
  for (const [e, entity] of definition.entities.entries()) {
    const features = definition.features.filter((feature) =>
      readsOnly(definition, feature, entity.name),
    )
    const alone = { ...definition, entities: [entity], features }
    const labelColumn = labelColumns.indexOf(entity)
    const rows = layOut(history, { entity, column: e, labelColumn }, differences)
    differences.push(...(await compareEntity(definition, alone, rows)))
  }
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

type Step =
  | { readonly label: Label; readonly event?: undefined }
  | {
      readonly label?: undefined
      readonly event: ScoredTransactionRecord
      readonly transaction: Transaction
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
function layOut(history: ScoringHistory, wanted: Wanted, differences: string[]): Step[] {
  const { entity, column, labelColumn } = wanted
  const logs = new Map<string, ScoredTransactionRecord[]>()
  for (const event of history.scored) push(logs, keyOf(entity, history.transactionOf(event)), event)
  const labels = new Map<string, Label[]>()
  for (const label of history.labels) {
    if (label.isFraud) push(labels, keyOf(entity, label), label)
  }
  const steps: Step[] = []
  for (const [key, events] of logs) {
    const place = (event: ScoredTransactionRecord): number =>
      event.ordinals[column]! >= 0 ? event.ordinals[column]! : event.eventsSeen[column]! - 0.5
    events.sort((a, b) => place(a) - place(b))
    checkDense(`${entity.name} ${key}`, events, column, differences)
    const known = labels.get(key) ?? []
    let seen = 0
    for (const event of events) {
      const wantedLabels = labelColumn < 0 ? 0 : event.labelsSeen[labelColumn]!
      while (seen < Math.min(wantedLabels, known.length)) steps.push({ label: known[seen++]! })
      if (wantedLabels > known.length) {
        differences.push(`${event.transactionId}: saw ${wantedLabels} labels of ${known.length}`)
      }
      steps.push({ event, transaction: history.transactionOf(event) })
    }
  }
  return steps
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
  steps: readonly Step[],
): Promise<string[]> {
  const plan = planFeatures(alone)
  const store = createMemoryLogStore(plan.kinds)
  const epochs = [(await store.claim(0)).epoch, (await store.claim(1)).epoch] as const
  const batch = batchOfSteps(steps, epochs, alone)
  const enriched = await enrich(batch, { plan, store, late: alone.late })
  const columns = alone.features.map(({ name }) =>
    definition.features.findIndex((feature) => feature.name === name),
  )
  const differences: string[] = []
  for (let row = 0; row < enriched.count; row++) {
    const { event } = steps[enriched.arrivalIndexes[row]!]!
    for (const [f, column] of columns.entries()) {
      const expected = enriched.vectors[row * columns.length + f]!
      const found = event!.features[column]!
      if (Object.is(found, expected)) continue
      const { name } = definition.features[column]!
      differences.push(`${event!.transactionId}: ${name} is ${found}, recomputed ${expected}`)
    }
  }
  return differences
}

function batchOfSteps(
  steps: readonly Step[],
  epochs: readonly [number, number],
  { late }: PipelineDefinition,
): Batch {
  const offsets = [0, 0]
  const arrivals = steps.map((step): Arrival => {
    const lane = step.label === undefined ? 0 : 1
    const raw = { offset: offsets[lane]!++, brokerTimeMs: 0, key: null, value: null }
    return step.label === undefined
      ? { raw, transaction: step.transaction, label: null, rejection: null }
      : { raw, transaction: null, label: step.label, rejection: null }
  })
  const isUncounted = ({ event }: Step) => event !== undefined && event.ordinals[0]! < 0
  return {
    lanes: epochs.map((epoch, laneId) => ({
      laneId,
      stream: laneId === 0 ? 'transactions' : 'labels',
      partition: 0,
      epoch,
      fromOffset: 0,
      firstOffset: 0,
      lastOffset: Math.max(0, offsets[laneId]! - 1),
      watermarkMs: 0,
      isIdle: false,
    })),
    arrivals,
    laneIndexes: Uint16Array.from(steps, ({ label }) => (label === undefined ? 0 : 1)),
    latenessMs: Float64Array.from(steps, (step) => (isUncounted(step) ? late.allowedMs + 1 : 0)),
    brakes: epochs.map(() => ({ events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 })),
  }
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
