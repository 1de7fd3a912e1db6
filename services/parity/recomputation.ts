// Every published vector computed again, each entity's log in the order of the published ordinals.
//
// In: scored events with the transactions they were made from, nearly in the order in which they
// were scored; all fraud labels. Out: findings. An event's row goes into its logs at once; its
// vector is computed as soon as those logs are whole up to the event, whatever other lanes do
// meanwhile, because a vector depends on the prefix of each of its logs and on nothing else. Part
// of the same proof: ordinals are dense and unique. What cannot be checked is left out by name,
// never taken for equal. Memory: the entities' logs as a live store folds them, and the events that
// wait for a row.

import { longestReachMs } from '../core/look-back.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { laneIdOf } from '../lanes/lane-input.ts'
import { type FeaturePlan, planFeatures } from '../pipeline/enrich/feature-plan.ts'
import type { Ceilings } from '../pipeline/enrich/fold-log.ts'
import { planPublish } from '../pipeline/publish/compose-records.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import { compareVector } from './compare-vector.ts'
import { type Findings, sourceOf } from './findings.ts'
import type { LabelShelf } from './labels/label-orders.ts'
import { createLabelPlaces, type LabelPlaces } from './labels/label-places.ts'
import {
  createSlot,
  type Folding,
  foldSlot,
  hasFoldedSight,
  isHoled,
  lengthOf,
  nextHole,
  putRow,
  rareFolding,
  type Slot,
  skipHole,
  waitFor,
} from './naive/entity-slots.ts'
import { collectSent, computePlaced } from './naive/placed-vectors.ts'
import type { Computed, Outcome, PlacedOutcome } from './placed-outcome.ts'

/** What is known of logs whose beginning was not read. */
export type PartialHistory = {
  /** Per entity of the pipeline, by key: the ordinal from which on every row was read. */
  readonly bases: readonly ReadonlyMap<string, number>[]
  /** All rows that are younger were read, ms of event time. */
  readonly wholeAfterMs: number
  /** Whether the label logs are known from their beginning on. */
  readonly areLabelsWhole: boolean
}

type RecomputationOptions = {
  readonly definition: PipelineDefinition
  readonly labels: LabelShelf
  readonly findings: Findings
  readonly history?: PartialHistory
  readonly ceilings?: Ceilings
  readonly folding?: Folding
  /** Gets each event that was compared, with what the stages computed: see second-opinion.ts. */
  readonly onCompared?: (event: PlacedOutcome, computed: Computed) => void
}

export type Recomputation = {
  readonly take: (outcomes: readonly Outcome[]) => void
  /** @param isPending whether an event of this entity may be in its log and not committed yet. */
  readonly finish: (isPending?: (entity: string, key: string) => boolean) => void
  readonly compared: () => number
  /** Events that wait for a row of one of their logs. */
  readonly waiting: () => number
  /** Whether a row is missing in front of another that came already: it may still be on its way. */
  readonly hasHoles: () => boolean
}

/** Holes are given up as gaps only when so many events wait behind them. */
const WAITING_MAX = 200_000

type Work = RecomputationOptions & {
  readonly plan: FeaturePlan
  readonly featureSet: string
  /** Event time that the longest window reaches back, ms. */
  readonly reachMs: number
  readonly slots: readonly Map<string, Slot>[]
  readonly holed: Set<Slot>
  readonly waiting: Set<PlacedOutcome>
  readonly labelPlaces: LabelPlaces
  ready: PlacedOutcome[]
  compared: number
}

export function createRecomputation(options: RecomputationOptions): Recomputation {
  const { definition, ceilings, labels, history } = options
  const plan = planFeatures(definition, ceilings)
  const work: Work = {
    ...options,
    plan,
    featureSet: planPublish(definition, plan.labelEntityCount).featureSet,
    reachMs: longestReachMs(definition),
    slots: plan.entities.map(() => new Map()),
    holed: new Set(),
    waiting: new Set(),
    labelPlaces: createLabelPlaces(definition, plan, {
      shelf: labels,
      areWhole: history?.areLabelsWhole ?? true,
    }),
    ready: [],
    compared: 0,
  }
  return {
    take: (outcomes) => {
      takeAll(work, outcomes)
      computeReady(work)
      if (work.waiting.size > WAITING_MAX) closeHoles(work, () => false)
    },
    finish: (isPending = () => false) => closeHoles(work, isPending),
    compared: () => work.compared,
    waiting: () => work.waiting.size,
    hasHoles: () => hasHoles(work),
  }
}

function takeAll(work: Work, outcomes: readonly Outcome[]): void {
  const { plan } = work
  const sent = outcomes.map(({ record, transaction }) => ({
    laneId: laneIdOf('transactions', record.sourcePartition),
    offset: record.sourceOffset,
    transaction,
    label: null,
  }))
  const { records, firstEntries } = collectSent(sent, plan)
  for (const [row, outcome] of outcomes.entries()) {
    const slots: Slot[] = []
    let isPlaced = true
    for (const e of plan.entities.keys()) {
      const entry = firstEntries[row]! + e
      const slot = openSlot(work, e, records.keys[entry]!, outcome.record)
      slots.push(slot)
      const ordinal = outcome.record.ordinals[e]!
      if (ordinal < 0) continue
      const put = putRow(slot, ordinal, {
        timeMs: records.eventTimesMs[entry]!,
        source: records.sources[entry]!,
        values: records.values,
        from: entry * records.valueStride,
      })
      if (put === 'taken') {
        isPlaced = false
        reportClash(work, outcome, slot, ordinal)
      }
      if (isHoled(slot)) work.holed.add(slot)
    }
    if (isPlaced && outcome.isJudged) awaitRows(work, outcome, slots)
  }
}

function openSlot(
  { plan, slots, history, definition }: Work,
  e: number,
  key: string,
  { ordinals, scoredTime }: ScoredTransactionRecord,
): Slot {
  const known = slots[e]!.get(key)
  const kind = plan.kinds[plan.entities[e]!.kind]!
  // A key that expired begins anew; nothing else may use ordinal 0 again.
  const hasExpired =
    known !== undefined &&
    ordinals[e] === 0 &&
    lengthOf(known) > 0 &&
    scoredTime - known.scoredTimeMs > definition.store.retentionMs
  const slot =
    known === undefined || hasExpired
      ? createSlot(kind, key, hasExpired ? 0 : (history?.bases[e]?.get(key) ?? 0))
      : known
  slot.scoredTimeMs = Math.max(slot.scoredTimeMs, scoredTime)
  if (slot !== known) slots[e]!.set(key, slot)
  return slot
}

function reportClash(
  { findings, definition }: Work,
  { record, isJudged }: Outcome,
  slot: Slot,
  ordinal: number,
): void {
  if (!isJudged) return
  findings.add({
    kind: 'ordinal_clash',
    source: sourceOf(definition, record),
    transactionId: record.transactionId,
    subject: slot.kind.name,
    found: `ordinal ${ordinal}`,
    expected: `${lengthOf(slot)} or later`,
    cause: 'another event of the entity has this ordinal',
  })
}

/** Puts the event on the list as soon as its logs are whole up to it. */
function awaitRows(work: Work, outcome: Outcome, slots: readonly Slot[]): void {
  const event: PlacedOutcome = { ...outcome, slots, missing: 0, places: [], isUnsure: false }
  const release = (): void => {
    if (--event.missing > 0) return
    work.waiting.delete(event)
    work.ready.push(event)
  }
  for (const [e, slot] of slots.entries()) {
    const own = isCountedIn(outcome.record, e) ? 1 : 0
    if (!waitFor(slot, rowsBefore(outcome.record, e) + own, release)) continue
    event.missing++
    work.holed.add(slot)
  }
  if (event.missing === 0) work.ready.push(event)
  else work.waiting.add(event)
}

/** An entity that the event does not name has no place for it, whatever the others have. */
const isCountedIn = ({ ordinals }: ScoredTransactionRecord, e: number): boolean => ordinals[e]! >= 0

const isCounted = ({ record }: Outcome): boolean => record.ordinals.every((ordinal) => ordinal >= 0)

/** Rows of the log before the event, those that are folded included. */
const rowsBefore = ({ ordinals, eventsSeen }: ScoredTransactionRecord, e: number): number =>
  ordinals[e]! >= 0 ? ordinals[e]! : (eventsSeen[e] ?? 0)

function computeReady(work: Work): void {
  const { ready, plan, findings, definition } = work
  work.ready = []
  const placed = ready.filter((event) => placeEvent(work, event))
  const events = placed.map((event) => ({
    transaction: event.transaction,
    isCounted: isCounted(event),
    places: event.places,
  }))
  const enriched = computePlaced(events, plan)
  const width = plan.features.length
  for (const [row, event] of placed.entries()) {
    compareVector(event, enriched, row, { definition, findings })
    const vector = enriched.vectors.subarray(row * width, (row + 1) * width)
    work.onCompared?.(event, { vector, isSaturated: enriched.saturated[row] === 1 })
  }
  work.compared += placed.length
  foldLogs(work, ready)
}

/** False if the event cannot be computed; the reason is noted. */
function placeEvent(work: Work, event: PlacedOutcome): boolean {
  const { findings, featureSet, labelPlaces, definition } = work
  const { record, slots } = event
  const broken = slots.find(({ brokenBy }) => brokenBy !== null)
  if (broken !== undefined) findings.leaveOut(broken.brokenBy!)
  else if (record.featureSet !== featureSet) findings.leaveOut('featureSet')
  else if (!isHistoryWhole(work, event)) findings.leaveOut('history')
  else {
    event.places = slots.map(({ log }, e) => {
      const visible = rowsBefore(record, e) - log.base
      return { log, position: isCountedIn(record, e) ? visible : -1, visible }
    })
    const labels = labelPlaces.place(event, isCounted(event))
    if (labels.refusal === null) {
      event.places = [...event.places, ...labels.places]
      event.isUnsure = labels.isUnsure
      return true
    }
    findings.add({ ...labels.refusal, source: sourceOf(definition, record) })
  }
  return false
}

function isHistoryWhole(work: Work, { slots, record, transaction }: PlacedOutcome): boolean {
  const { history, reachMs } = work
  const wholeAfterMs = history?.wholeAfterMs ?? Number.NEGATIVE_INFINITY
  const reachesMs = transaction.eventTime - reachMs
  return slots.every(
    (slot, e) =>
      rowsBefore(record, e) >= slot.log.base &&
      !hasFoldedSight(slot, rowsBefore(record, e), transaction.eventTime) &&
      (slot.start === 0 || reachesMs > Math.max(wholeAfterMs, slot.passedMs)),
  )
}

/** Only what no waiting event can ask for any more. */
function foldLogs(
  { waiting, folding = rareFolding }: Work,
  computed: readonly PlacedOutcome[],
): void {
  const open = new Map<Slot, number>()
  for (const { slots, record } of waiting) {
    for (const [e, slot] of slots.entries()) {
      open.set(slot, Math.min(open.get(slot) ?? Number.POSITIVE_INFINITY, rowsBefore(record, e)))
    }
  }
  for (const slot of new Set(computed.flatMap(({ slots }) => slots))) {
    foldSlot(slot, open.get(slot) ?? lengthOf(slot), folding)
  }
}

function hasHoles({ holed }: Work): boolean {
  for (const slot of holed) {
    if (nextHole(slot) !== null) return true
    holed.delete(slot)
  }
  return false
}

/** Ends the waiting: each hole is a gap, unless what fills it may still be on its way. */
function closeHoles(work: Work, isPending: (entity: string, key: string) => boolean): void {
  computeReady(work)
  for (const slot of work.holed) {
    for (let hole = nextHole(slot); hole !== null; hole = nextHole(slot)) {
      const isOnItsWay = isPending(slot.kind.name, slot.key)
      if (!isOnItsWay && slot.brokenBy !== 'pending') reportGap(work, slot, hole)
      skipHole(slot, hole.to, isOnItsWay ? 'pending' : 'gap')
    }
  }
  work.holed.clear()
  computeReady(work)
}

function reportGap(
  { findings }: Work,
  { kind, key }: Slot,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  const finding = {
    kind: 'ordinal_gap',
    source: null,
    transactionId: null,
    subject: `${kind.name} ${key}`,
    found: `ordinal ${to} after ${from - 1}`,
    expected: `ordinal ${from}`,
    cause: 'no scored event that was read has the ordinals between',
  } as const
  findings.add(finding, to - from)
}
