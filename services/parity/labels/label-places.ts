// Where an event stands in the label logs of its entities.
//
// In: an event that says how many labels it saw, with its places among the transactions. Out: its
// places among the labels. Where several orders of labels are possible, those are kept that give
// the label features that the event published; if none does, the likeliest stays and the comparison
// tells. Refused: more labels seen than the topics hold. Nothing is believed that the event says of
// itself but the number: the labels themselves come from the labels topic.

import { looksAtLabels, type PipelineDefinition } from '../../core/pipeline-definition.ts'
import { createEntityLog } from '../../pipeline/enrich/entity-log.ts'
import type { FeaturePlan } from '../../pipeline/enrich/feature-plan.ts'
import type { Finding } from '../findings.ts'
import { computePlaced, type Place } from '../naive/placed-vectors.ts'
import type { PlacedOutcome } from '../placed-outcome.ts'
import {
  beginAnywhere,
  isFirm,
  type LabelBook,
  type LabelOrder,
  type LabelShelf,
  ordersOf,
} from './label-orders.ts'

type LabelPlacing = {
  readonly places: readonly Place[]
  /** Orders were dropped that might have explained the event. */
  readonly isUnsure: boolean
  /** What is wrong where the event cannot be placed. */
  readonly refusal: Omit<Finding, 'source'> | null
}

export type LabelPlaces = {
  readonly place: (event: PlacedOutcome, isCounted: boolean) => LabelPlacing
}

type KnownLabels = {
  readonly shelf: LabelShelf
  /** Whether the label logs are known from their very first row on. */
  readonly areWhole: boolean
}

export function createLabelPlaces(
  definition: PipelineDefinition,
  plan: FeaturePlan,
  { shelf, areWhole }: KnownLabels,
): LabelPlaces {
  const entities = plan.entities
    .map((entity, e) => ({ ...entity, e }))
    .filter(({ labelKind }) => labelKind >= 0)
  const noLabels = entities.map(({ labelKind }): Place => {
    const log = createEntityLog(plan.kinds[labelKind]!.shape)
    return { log, position: -1, visible: 0 }
  })
  const labelPlans = entities.map(({ e }) => planLabelFeatures(definition, plan, e))

  const place = (event: PlacedOutcome, isCounted: boolean): LabelPlacing => {
    const { record, slots } = event
    const places = [...noLabels]
    let isUnsure = false
    for (const [column, { e, labelKind }] of entities.entries()) {
      const seen = record.labelsSeen[column] ?? 0
      const book = shelf.get(plan.kinds[labelKind]!.name)?.get(slots[e]!.key)
      if (seen === 0 || (book === undefined && !areWhole)) continue
      if (book === undefined) return refuse(event, column, 0)
      if (!areWhole && !book.hasBegun) beginAnywhere(book, seen)
      const orders = ordersOf(book, seen)
      if (orders.length === 0) return refuse(event, column, countLabels(book))
      const placeIn = (order: LabelOrder): readonly Place[] =>
        places.map((known, c) => (c === column ? placeAt(order, seen) : known))
      const isSure = (order: LabelOrder) => isFirm(book, order, seen, plan.ceilings)
      const matches = (order: LabelOrder) =>
        matchesLabels(event, isCounted, placeIn(order), labelPlans[column]!)
      const explains = orders.length > 1 ? orders.filter(matches) : orders
      // What is a guess here may be right all the same, in an order of which it is the likeliest.
      const possible = orders.filter((order) => explains.includes(order) || !isSure(order))
      if (possible.length > 0) book.orders = possible
      places[column] = placeAt(explains[0] ?? book.orders[0]!, seen)
      isUnsure ||= book.isCut || book.orders.some((order) => !isSure(order))
    }
    return { places, isUnsure, refusal: null }
  }

  const refuse = (event: PlacedOutcome, column: number, known: number): LabelPlacing => ({
    places: noLabels,
    isUnsure: false,
    refusal: {
      kind: 'labels',
      transactionId: event.record.transactionId,
      subject: plan.kinds[entities[column]!.labelKind]!.name,
      found: `${event.record.labelsSeen[column]} labels seen`,
      expected: `at most ${known}`,
      cause: 'the labels topic holds no more fraud labels of the entity',
    },
  })

  return { place }
}

const countLabels = ({ partitions }: LabelBook): number =>
  partitions.reduce((sum, rows) => sum + rows.length, 0)

const placeAt = ({ log }: LabelOrder, seen: number): Place => ({
  log,
  position: -1,
  visible: Math.max(0, seen - log.base),
})

type LabelPlan = { readonly plan: FeaturePlan; readonly indexes: readonly number[] }

/** The plan with one entity's features of labels only; everything else about it stays. */
function planLabelFeatures(
  { features, entities }: PipelineDefinition,
  plan: FeaturePlan,
  e: number,
): LabelPlan {
  const indexes = features.flatMap((feature, f) =>
    feature.kind === 'window' && looksAtLabels(feature) && feature.entity === entities[e]!.name
      ? [f]
      : [],
  )
  return { plan: { ...plan, features: indexes.map((f) => plan.features[f]!) }, indexes }
}

function matchesLabels(
  event: PlacedOutcome,
  isCounted: boolean,
  labelPlaces: readonly Place[],
  { plan, indexes }: LabelPlan,
): boolean {
  const { transaction, record } = event
  const places = [...event.places, ...labelPlaces]
  const { vectors } = computePlaced([{ transaction, isCounted, places }], plan)
  return indexes.every((f, i) => Object.is(vectors[i], record.features[f]))
}
