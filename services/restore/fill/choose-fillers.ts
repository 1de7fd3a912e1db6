// Which of the uncommitted events had a log's missing ordinals, where several lanes have some that
// fit.
//
//   lane 1 (process A)   committed | a a'         log   ... ? c ? d       c and d are committed, and were
//   lane 2 (process B)   committed | b                                    published with their vectors
//
// By the order of time it would be a, a'. But processes are ahead of one another, within bounds, so
// b may have been first. What was published behind a hole is a witness: its vector follows from the
// rows before it. In: a draft with holes, candidates in the order in which one process would have
// merged them. Out: one per hole, as near to that order as the witnesses allow; a lane's own order
// never changes. Nothing is refused: where nobody contradicts, or nothing satisfies all, the order
// of time decides. Bounded: so many tries.

import { looksAtLabels, type PipelineDefinition } from '../../core/pipeline-definition.ts'
import { computeVectors } from '../../pipeline/enrich/compute-vectors.ts'
import { appendRow, type EntityLog, laneOfSource } from '../../pipeline/enrich/entity-log.ts'
import type { FeaturePlan } from '../../pipeline/enrich/feature-plan.ts'
import { batchOf, collectRows } from '../lay/collect-rows.ts'
import {
  countHoles,
  countMissing,
  type LogDraft,
  type Row,
  type UncommittedRow,
} from '../lay/log-draft.ts'

type FillerRules = {
  readonly definition: PipelineDefinition
  readonly plan: FeaturePlan
}

const TRIES_MAX = 50_000

export function chooseFillers(draft: LogDraft, rules: FillerRules): UncommittedRow[] {
  const { fillers } = draft
  const holes = countHoles(draft)
  if (holes === 0 || countMissing(draft) > 0) return fillers
  const lanes = [...Map.groupBy(fillers, ({ source }) => laneOfSource(source)).values()]
  const agrees = draft.waiting.length > 0 && lanes.length > 1 ? planWitness(draft, rules) : null
  const found = agrees === null ? null : searchOrder({ draft, lanes, holes, agrees })
  return found ?? fillers.slice(0, holes)
}

/** Whether a row that was published is what its log makes of it; `index` is its place there. */
type Agrees = (log: EntityLog, index: number, row: Row) => boolean

/** By the features of this entity alone; null where its logs are looked at by none. */
function planWitness({ kind }: LogDraft, { definition, plan }: FillerRules): Agrees | null {
  const e = plan.entities.findIndex((entity) => entity.kind === kind)
  const entity = plan.entities[e]
  if (entity === undefined) return null
  const indexes = definition.features.flatMap((feature, f) =>
    feature.kind === 'window' && feature.entity === entity.name && !looksAtLabels(feature)
      ? [f]
      : [],
  )
  if (indexes.length === 0) return null
  const ownPlan: FeaturePlan = {
    ...plan,
    entities: [{ ...entity, labelKind: -1, labelColumn: -1 }],
    labelEntityCount: 0,
    features: indexes.map((f) => ({ ...plan.features[f]!, entity: 0 })),
  }
  return (log, index, { witness }) => {
    if (witness === undefined) return true
    const raw = { offset: 0, brokerTimeMs: 0, key: null, value: null }
    const arrivals = [{ raw, transaction: witness.transaction, label: null, rejection: null }]
    const place = Int32Array.of(index)
    const { vectors, saturated } = computeVectors(
      batchOf(NOWHERE, arrivals),
      collectRows(NOWHERE, arrivals, ownPlan),
      { logs: [log], positions: place, visible: place },
      ownPlan,
    )
    // What is saturated for another entity's sake says nothing of this log.
    if (saturated[0] === 1 && !witness.saturated) return false
    return indexes.every((f, i) => Object.is(vectors[i], witness.features[f]))
  }
}

const NOWHERE = { laneId: 0, stream: 'transactions', topic: '', partition: 0 } as const

type Search = {
  readonly draft: LogDraft
  /** Candidates of each lane, in its order. */
  readonly lanes: readonly (readonly UncommittedRow[])[]
  readonly holes: number
  readonly agrees: Agrees
}

/** A hole, with the lanes that are still to be tried, and where its log stood before. */
type Step = {
  readonly count: number
  readonly waitingAt: number
  readonly untried: number[]
  lane: number
}

/** Hole by hole, the likeliest candidate first; whatever a witness contradicts is taken back. */
function searchOrder({ draft, lanes, holes, agrees }: Search): UncommittedRow[] | null {
  const log: EntityLog = { ...draft.log, rows: draft.log.rows.slice() }
  const rank = new Map(draft.fillers.map((row, i) => [row, i]))
  const taken = lanes.map(() => 0)
  const headOf = (lane: number): UncommittedRow | undefined => lanes[lane]![taken[lane]!]
  const openStep = (waitingAt: number): Step => ({
    count: log.count,
    waitingAt,
    untried: [...lanes.keys()]
      .filter((lane) => headOf(lane) !== undefined)
      .sort((a, b) => rank.get(headOf(a)!)! - rank.get(headOf(b)!)!),
    lane: -1,
  })
  const steps = [openStep(0)]
  const chosen: UncommittedRow[] = []
  // The same rows in another order are the same to nearly every window.
  const seen = new Set<string>()
  for (let tries = 0; steps.length > 0 && tries < TRIES_MAX; tries++) {
    const step = steps.at(-1)!
    if (step.lane >= 0) {
      taken[step.lane]!--
      chosen.pop()
      log.count = step.count
    }
    step.lane = step.untried.shift() ?? -1
    if (step.lane < 0) {
      steps.pop()
      continue
    }
    const row = headOf(step.lane)!
    chosen.push(row)
    taken[step.lane]!++
    append(log, row)
    const waitingAt = layWitnesses(draft, log, step.waitingAt, agrees)
    if (waitingAt < 0) continue
    if (chosen.length === holes) return chosen
    const name = taken.join()
    if (seen.has(name)) continue
    seen.add(name)
    steps.push(openStep(waitingAt))
  }
  return null
}

const append = (log: EntityLog, { timeMs, source, values }: Row): number =>
  appendRow(log, timeMs, source, values, 0)

/**
 * Lays the rows that waited for this hole; returns the first that still waits, -1 where one
 * contradicts.
 */
function layWitnesses(
  { waiting }: LogDraft,
  log: EntityLog,
  first: number,
  agrees: Agrees,
): number {
  let at = first
  while (at < waiting.length && waiting[at]!.ordinal === log.base + log.count) {
    const row = waiting[at++]!
    if (!agrees(log, append(log, row), row)) return -1
  }
  return at
}
