// Every published vector computed again, from the topics alone, in an undisturbed world.
//
// In: the pipeline, the scored events, the transactions and labels that came in. Out: what differs.
// Each entity's log is laid out anew in the order of the published ordinals and run once through the
// memory store; of its label log each event is shown as much as it says it saw, because an event that
// was delivered again may have seen more than one behind it. Then the enrich room computes all
// vectors on those logs. Part of the same proof: ordinals are dense and unique, and only an event that
// is later than allowed has none.

import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import type {
  EntityDefinition,
  PipelineDefinition,
} from '../../services/core/pipeline-definition.ts'
import { enrich } from '../../services/pipeline/enrich/enrich.ts'
import type { EntityLog } from '../../services/pipeline/enrich/entity-log.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { AdvanceReply, EntityLogStore } from '../../services/pipeline/enrich/log-store.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import type { Arrival, Batch, Label, Transaction } from '../../services/pipeline/records.ts'
import { holdLane } from './hold-lane.ts'

export type ScoringHistory = {
  readonly scored: readonly ScoredTransactionRecord[]
  readonly transactionOf: (event: ScoredTransactionRecord) => Transaction
  /** Labels in the order in which an entity's logs got them; only the order within a log counts. */
  readonly labelsOf: (entity: string) => readonly Label[]
}

export type Recomputation = {
  readonly vectors: number
  /** Human words, one per difference. */
  readonly differences: readonly string[]
}

type Event = {
  readonly record: ScoredTransactionRecord
  readonly transaction: Transaction
}

/** Where an event stands in one entity's log, and what it may see there. */
type Place = { readonly log: EntityLog; readonly position: number; readonly visible: number }

/** An entity with its column in `ordinals` and the one in `labelsSeen`; -1 = it has no labels. */
type Column = {
  readonly entity: EntityDefinition
  readonly index: number
  readonly labels: number
}

export async function recomputeVectors(
  definition: PipelineDefinition,
  { scored, transactionOf, labelsOf }: ScoringHistory,
): Promise<Recomputation> {
  const events = scored.map((record) => ({ record, transaction: transactionOf(record) }))
  const differences = findUncounted(definition, events)
  const places: (readonly Place[])[] = []
  const labelPlaces: (readonly Place[])[] = []
  for (const column of columnsOf(definition)) {
    const ordered = orderByLogs(events, column, differences)
    const found = await layOut(definition, column, ordered, labelsOf)
    const inOrder = (of: ReadonlyMap<Event, Place>) => events.map((event) => of.get(event)!)
    places.push(inOrder(found.own))
    if (column.labels >= 0) labelPlaces.push(inOrder(found.labels))
  }
  if (differences.length === 0) {
    const columns = [...places, ...labelPlaces]
    differences.push(...(await compareVectors(definition, events, columns)))
  }
  return { vectors: events.length, differences }
}

/** Late beyond what is allowed is the one reason not to be counted, and counts for all entities. */
function findUncounted({ late }: PipelineDefinition, events: readonly Event[]): string[] {
  return events.flatMap(({ record: { ordinals, latenessMs, transactionId } }) => {
    const isLate = latenessMs > late.allowedMs
    if (ordinals.every((ordinal) => ordinal < 0 === isLate)) return []
    return [`${transactionId}: ordinals ${ordinals}, ${latenessMs} ms late`]
  })
}

function columnsOf({ entities, features }: PipelineDefinition): Column[] {
  const isLabelled = ({ name }: EntityDefinition) =>
    features.some((f) => f.kind === 'window' && f.entity === name && f.op === 'fraud_rate')
  const labelled = entities.filter(isLabelled)
  return entities.map((entity, index) => ({ entity, index, labels: labelled.indexOf(entity) }))
}

type Fields = Readonly<Record<string, unknown>>

/** All logs of an entity one after the other, each in the order of its ordinals. */
function orderByLogs(
  events: readonly Event[],
  { entity, index }: Column,
  differences: string[],
): Event[] {
  const logs = new Map<string, Event[]>()
  for (const event of events) {
    const fields = event.transaction as unknown as Fields
    const key = JSON.stringify(entity.key.map((field) => fields[field]))
    const log = logs.get(key) ?? []
    logs.set(key, log)
    log.push(event)
  }
  const place = ({ record: { ordinals, eventsSeen } }: Event): number =>
    ordinals[index]! >= 0 ? ordinals[index]! : eventsSeen[index]! - 0.5
  for (const [key, log] of logs) {
    log.sort((a, b) => place(a) - place(b))
    checkDense(`${entity.name} ${key}`, log, index, differences)
  }
  return [...logs.values()].flat()
}

function checkDense(
  name: string,
  log: readonly Event[],
  index: number,
  differences: string[],
): void {
  let next = 0
  for (const { record } of log) {
    const ordinal = record.ordinals[index]!
    if (ordinal < 0) continue
    if (ordinal !== next) {
      differences.push(`${name}: ${record.transactionId} has ordinal ${ordinal}, expected ${next}`)
    }
    next = ordinal + 1
  }
}

/** The entity's logs, built by the memory store from one batch: all labels, then the events. */
async function layOut(
  definition: PipelineDefinition,
  { entity, labels: labelColumn }: Column,
  events: readonly Event[],
  labelsOf: ScoringHistory['labelsOf'],
) {
  const features = definition.features.filter(
    (feature) => feature.kind === 'window' && feature.entity === entity.name,
  )
  const alone = { ...definition, entities: [entity], features }
  const plan = planFeatures(alone)
  const memory = createMemoryLogStore(plan.kinds)
  const own = new Map<Event, Place>()
  const ofLabels = new Map<Event, Place>()
  const epochs = [(await holdLane(memory, 0)).epoch, (await holdLane(memory, 1)).epoch] as const
  const store: EntityLogStore = {
    ...memory,
    advance: async (request) => {
      const reply = await memory.advance(request)
      const entriesPerEvent = labelColumn < 0 ? 1 : 2
      const first = request.records.count - entriesPerEvent * events.length
      for (const [row, event] of events.entries()) {
        const entry = first + entriesPerEvent * row
        own.set(event, placeAt(reply, entry))
        if (labelColumn < 0) continue
        const visible = event.record.labelsSeen[labelColumn]!
        ofLabels.set(event, { ...placeAt(reply, entry + 1), visible })
      }
      return reply
    },
  }
  const known = labelColumn < 0 ? [] : labelsOf(entity.name)
  await enrich(batchOf(events, known, epochs, alone), { plan, store, late: alone.late })
  return { own, labels: ofLabels }
}

const placeAt = ({ logs, positions, visible }: AdvanceReply, entry: number): Place => ({
  log: logs[entry]!,
  position: positions[entry]!,
  visible: visible[entry]!,
})

/** All vectors at once on the logs that were laid out: entities' places first, then the labels'. */
async function compareVectors(
  definition: PipelineDefinition,
  events: readonly Event[],
  columns: readonly (readonly Place[])[],
): Promise<string[]> {
  const plan = planFeatures(definition)
  const places = events.flatMap((_, row) => columns.map((column) => column[row]!))
  for (const { log, visible } of places) {
    if (visible > log.count) throw new Error(`an event saw ${visible} rows of ${log.count}`)
  }
  const store: EntityLogStore = {
    ...createMemoryLogStore(plan.kinds),
    advance: async () => ({
      logs: places.map(({ log }) => log),
      positions: Int32Array.from(places, ({ position }) => position),
      visible: Int32Array.from(places, ({ visible }) => visible),
    }),
  }
  const batch = batchOf(events, [], [1, 1], definition)
  const { vectors, count } = await enrich(batch, { plan, store, late: definition.late })
  if (count !== events.length) throw new Error(`${count} vectors for ${events.length} events`)
  const width = definition.features.length
  return events.flatMap(({ record }, row) =>
    definition.features.flatMap(({ name }, f) => {
      const expected = vectors[row * width + f]!
      const found = record.features[f]!
      if (Object.is(found, expected)) return []
      return [`${record.transactionId}: ${name} is ${found}, recomputed ${expected}`]
    }),
  )
}

function batchOf(
  events: readonly Event[],
  labels: readonly Label[],
  epochs: readonly [number, number],
  { late }: PipelineDefinition,
): Batch {
  const arrivalOf = (offset: number, part: Partial<Arrival>): Arrival => ({
    raw: { offset, brokerTimeMs: 0, key: null, value: null },
    transaction: null,
    label: null,
    rejection: null,
    ...part,
  })
  const arrivals = [
    ...labels.map((label, i) => arrivalOf(i, { label })),
    ...events.map(({ transaction }, i) => arrivalOf(i, { transaction })),
  ]
  const counts = [events.length, labels.length]
  return {
    lanes: epochs.map((epoch, laneId) => ({
      laneId,
      stream: laneId === 0 ? 'transactions' : 'labels',
      partition: 0,
      epoch,
      fromOffset: 0,
      committedOffset: 0,
      firstOffset: 0,
      lastOffset: Math.max(0, counts[laneId]! - 1),
      watermarkMs: 0,
      frontierMs: 0,
      isIdle: false,
    })),
    arrivals,
    laneIndexes: Uint16Array.from(arrivals, ({ label }) => (label === null ? 0 : 1)),
    // An event that was scored but not counted was late; how late does not matter here.
    latenessMs: Float64Array.from(arrivals, (_, i) => {
      const event = events[i - labels.length]
      return event !== undefined && event.record.ordinals[0]! < 0 ? late.allowedMs + 1 : 0
    }),
    brakes: epochs.map(() => ({ events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 })),
  }
}
