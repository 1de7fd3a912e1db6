// The whole proof from the topics alone: what was published is what the stages give on the same
// input.
//
// In: a place and a range. Out: a report. In this order:
//   1. which offsets to read (parity-scope.ts); the refused events and the labels are read first
//   2. every scored event beside its message: one outcome each, copied fields, lateness
//   3. every entity's log in the order of its ordinals, every vector computed again on it
//   4. a sample once more by the naive oracle
// Redis is not asked and nothing is written. Thrown: what Kafka or the registry throws, and
// WEIR_KAFKA_OFFSET_OUT_OF_RANGE where records expire while they are read. Memory: a byte per
// judged offset, the live state of the entities, the labels; docs/reference/parity.md has the
// figures.

import { limits } from '../core/limits.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import { compareMessage } from './compare-vector.ts'
import { createFindings, type Findings } from './findings.ts'
import type { JoinedOutcome } from './labels/joined-outcome.ts'
import { shelveLabels } from './labels/label-orders.ts'
import { createOutcomeLedger, type OutcomeLedger } from './labels/outcome-ledger.ts'
import { type OutcomePass, openPass, type PassListener } from './labels/outcome-stream.ts'
import { createSecondOpinion } from './naive/second-opinion.ts'
import { composeReport, type ParityReport } from './parity-report.ts'
import type { Outcome } from './placed-outcome.ts'
import { createRecomputation, type PartialHistory, type Recomputation } from './recomputation.ts'
import { createHistoryScan } from './topics/history-scan.ts'
import type { ParityEnvironment, ParityRange } from './topics/parity-environment.ts'
import { indexLabels, type Refusals, readLabels, readRefusals } from './topics/parity-inputs.ts'
import { type ParityScope, planScope } from './topics/parity-scope.ts'

type ParityRequest = ParityRange & {
  /** Events for the naive oracle; 0 = none, and the topics are read once. */
  readonly sample: number
  readonly onProgress?: (progress: ParityProgress) => void
}

export type ParityProgress = { readonly events: number; readonly expected: number }

export async function runParity(
  place: ParityEnvironment,
  request: ParityRequest,
): Promise<ParityReport> {
  const scope = await planScope(place, request)
  const findings = createFindings()
  const ledger = createOutcomeLedger(place.definition, scope.judged, findings)
  const refusals = await readRefusals(place, scope, ledger)
  const labels = await readLabels(place, scope)
  const history = await readHistory(place, scope, refusals)
  const second = createSecondOpinion({
    definition: place.definition,
    wanted: request.sample,
    expected: countOffsets(scope),
    labelOf: indexLabels(labels),
  })
  const recomputation = createRecomputation({
    definition: place.definition,
    labels: shelveLabels(labels, planFeatures(place.definition)),
    findings,
    onCompared: second.consider,
    ...(history === null ? {} : { history }),
  })
  await compareAll({ place, scope, findings, ledger, recomputation, request, refusals })
  if (second.sampled() > 0) {
    await readAgain(place, scope, { ...silentListener, ...refusals }, second.recall)
    second.ask(findings)
  }
  return composeReport({ findings, ledger, sampled: second.sampled() })
}

type Work = {
  readonly place: ParityEnvironment
  readonly scope: ParityScope
  readonly findings: Findings
  readonly ledger: OutcomeLedger
  readonly recomputation: Recomputation
  readonly request: ParityRequest
  readonly refusals: Refusals
}

/** For a pass that only reads: whatever is wrong was told by the first one. */
const silentListener = {
  expect: () => undefined,
  admit: () => true,
  tellUnreadable: () => undefined,
}

async function compareAll(work: Work): Promise<void> {
  const { place, scope, ledger, recomputation, request } = work
  const pass = await openPass(place, scope, listenerOf(work))
  try {
    for await (const joined of pass.outcomes) {
      recomputation.take(joined.map((outcome) => judgeOutcome(work, outcome)))
      request.onProgress?.({ events: ledger.counts().scored, expected: countOffsets(scope) })
      if (request.toMs !== null && isDone(work, pass)) break
    }
    for (const [partition, { to }] of scope.judged) {
      await pass.lanes.readUntil(partition, Math.min(to, endOf(work, partition)))
    }
    recomputation.finish(await findPending(work, pass))
    ledger.close((partition) => endOf(work, partition))
  } finally {
    await pass.close()
  }
}

function listenerOf({ place, scope, findings, ledger, refusals }: Work): PassListener {
  return {
    ...refusals,
    expect: (sourcePartition, sourceOffset, outcome) =>
      ledger.expect({ sourcePartition, sourceOffset }, outcome),
    admit: (record) => {
      const end = scope.input.get(record.sourcePartition)?.to ?? 0
      if (record.sourceOffset < end) return ledger.meet(record, 'scored')
      ledger.report('unknown', record, { found: 'scored', expected: `an offset below ${end}` })
      return false
    },
    tellUnreadable: ({ partition, offset, detail }) =>
      findings.add({
        kind: 'unreadable',
        source: `${place.definition.topics.scored}/${partition}/${offset}`,
        transactionId: null,
        subject: 'record',
        found: detail,
        expected: 'a scored transaction',
        cause: 'the topic holds something that Weir did not write',
      }),
  }
}

function judgeOutcome({ place, findings, ledger }: Work, outcome: JoinedOutcome): Outcome {
  const { record, transaction } = outcome
  const isJudged = ledger.isJudged(record)
  if (isJudged) compareMessage(outcome, { definition: place.definition, findings })
  return { record, transaction, isJudged }
}

/** Offset up to which every message has to have an outcome. */
const endOf = ({ scope, ledger }: Work, partition: number): number =>
  Math.max(scope.committed.get(partition) ?? -1, ledger.frontierOf(partition))

/** Everything in the range has its outcome, and nothing waits for a later event. */
const isDone = ({ scope, ledger, recomputation }: Work, { lanes }: OutcomePass): boolean =>
  ledger.open() === 0 &&
  recomputation.waiting() === 0 &&
  !recomputation.hasHoles() &&
  [...scope.judged].every(
    ([partition, { from, to }]) => from === to || lanes.hasRead(partition, to),
  )

/** What a scorer may have applied and not committed yet, per lane. */
const PENDING_MAX = limits.batchEventsMax * (limits.batchesInFlightMax + 1)

/** Entities of messages that have no outcome yet because they are on their way. */
async function findPending(work: Work, { lanes }: OutcomePass) {
  const { place, scope, recomputation } = work
  const pending = new Set<string>()
  if (recomputation.waiting() === 0) return () => false
  const { entities } = planFeatures(place.definition)
  for (const [partition, { to }] of scope.input) {
    const end = endOf(work, partition)
    await lanes.readUntil(partition, Math.min(to, end + PENDING_MAX))
    for (const { transaction } of lanes.untaken(partition, end)) {
      for (const { name, readKey } of entities) pending.add(`${name} ${readKey(transaction)}`)
    }
  }
  return (entity: string, key: string): boolean => pending.has(`${entity} ${key}`)
}

/** Where logs were not read from their beginning: the ordinal to take each of them up at. */
async function readHistory(
  place: ParityEnvironment,
  scope: ParityScope,
  refusals: Refusals,
): Promise<PartialHistory | null> {
  if (scope.history === null) return null
  const scan = createHistoryScan(place, scope.history.edgeMs)
  await readAgain(place, scope, { ...silentListener, ...refusals }, scan.visit)
  return { ...scope.history, bases: scan.bases() }
}

async function readAgain(
  place: ParityEnvironment,
  scope: ParityScope,
  listener: PassListener,
  visit: (outcomes: readonly JoinedOutcome[]) => void,
): Promise<void> {
  const pass = await openPass(place, scope, listener)
  try {
    for await (const outcomes of pass.outcomes) visit(outcomes)
  } finally {
    await pass.close()
  }
}

const countOffsets = ({ judged }: ParityScope): number =>
  [...judged.values()].reduce((sum, { from, to }) => sum + to - from, 0)
