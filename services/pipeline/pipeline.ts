// The pipeline: the stages once, in order, and the only place with control flow across them.
//
//   admit:   decode ─► validate               per 256 messages, just before merging, synchronous
//   process: enrich ─► classify ─► decide ─► publish          per micro-batch of merged lanes
//
// Several batches are on their way at once, each in another stage: enrich and decide take them in
// their order, classify may overtake. Whoever is behind a batch that failed turns back as well:
// `isWanted` is asked again before each stage, so no lane ever publishes past a gap.
// What a score is stands in three files: README.md, this one and the stage. Why it is scored once
// stands in six: lanes/{lane-book,batch-loop,merge-lanes,claim-lane}, adapters/kafka/lanes/
// lane-transactions and adapters/redis/calls/weir-functions.lua.
// In: raw messages; batches of arrivals. Out: one tally per lane. Thrown: what a port throws, and
// BatchAbandoned for a batch that is no longer wanted. Invariants: after each stage, passed +
// rejected = received; stages neither log nor count, the pipeline emits one signal per stage.

import type { Clock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import { type ClassifyDeps, classify } from './classify/classify.ts'
import { setAsideAll } from './classify/set-aside.ts'
import { type DecideDeps, decide } from './decide/decide.ts'
import { type Decoded, decode } from './decode/decode.ts'
import type { Decoder } from './decode/message-decoder.ts'
import { type EnrichDeps, enrich } from './enrich/enrich.ts'
import type { Observe, Stage } from './observe/signals.ts'
import { type LaneTally, type PublishDeps, publish } from './publish/publish.ts'
import type {
  Arrival,
  Batch,
  DecidedBatch,
  EnrichedBatch,
  Label,
  RawMessage,
  Rejection,
  ScoredBatch,
  Stream,
  Transaction,
} from './records.ts'
import { type ValidateRules, validateLabel, validateTransaction } from './validate/validate.ts'

export type PipelineDeps = {
  readonly decoders: {
    readonly transactions: Decoder<Transaction>
    readonly labels: Decoder<Label>
  }
  readonly validate: ValidateRules
  readonly enrich: EnrichDeps
  readonly classify: ClassifyDeps
  readonly decide: DecideDeps
  readonly publish: PublishDeps
  readonly clock: Clock
  readonly observe: Observe
}

/** The messages of one fetch, admitted; or the schema ids to learn before they can be. */
export type Admission =
  | { readonly arrivals: readonly Arrival[]; readonly missingIds: null }
  | { readonly arrivals: null; readonly missingIds: ReadonlySet<number> }

export type Pipeline = {
  readonly admit: (stream: Stream, messages: readonly RawMessage[]) => Admission
  /** Asks the registry for schema ids; throws WEIR_REGISTRY_AWAY while it does not answer. */
  readonly learn: (stream: Stream, ids: ReadonlySet<number>) => Promise<void>
  /** Batches must be handed in in their order; each may be handed in before the last is done. */
  readonly process: (
    batch: Batch,
    isWanted: () => boolean,
    /** In place of a score for every transaction of the batch: see setAsideAll. */
    refusal?: Rejection,
  ) => Promise<readonly LaneTally[]>
}

/** The batch was turned back because one before it failed; its events will be read again. */
export class BatchAbandoned extends Error {}

type JudgeDeps = Pick<PipelineDeps, 'enrich' | 'classify' | 'decide' | 'observe'>

type Judged<T> = {
  readonly isWanted: () => boolean
  /** Gets what was decided, batch after batch in order. */
  readonly leave: (decided: DecidedBatch) => T | Promise<T>
  /** In place of a score for every transaction of the batch. */
  readonly refusal?: Rejection | undefined
}

/** Takes a batch from enrich to decide. */
type Judge = <T>(batch: Batch, judged: Judged<T>) => Promise<T>

/** The stages between the ends: the same for live scoring, which publishes, and for replay. */
export function createJudge(deps: JudgeDeps): Judge {
  const enrichTurn = createTurn()
  const decideTurn = createTurn()
  const breaks = createBreaks()
  const timed = createTimer(deps.observe)

  return async (batch, { isWanted, leave, refusal }) => {
    const demandWanted = () => {
      if (!isWanted()) throw new BatchAbandoned('a batch before this one failed')
    }
    const transactions = countTransactions(batch)
    const enriched = await enrichTurn(() =>
      breaks.guard(batch, () => {
        demandWanted()
        const work = () => enrich(batch, deps.enrich)
        return timed('enrich', transactions, work, (result) => result.count)
      }),
    )
    const { count } = enriched
    demandConserved(enriched, transactions)
    const work = () =>
      refusal ? setAsideAll(enriched, refusal) : classify(enriched, deps.classify)
    const scoring = timed('classify', count, work, countScored)
    // Its failure is met at the turn below; until then it must not count as unhandled.
    scoring.catch(() => undefined)
    // decide keeps the order of batches: its turn is taken before the scores are there.
    const decided = await decideTurn(() =>
      breaks.guard(batch, async () => {
        const scored = await scoring
        demandWanted()
        const decidable = countScored(scored)
        const decision = () => decide(scored, deps.decide)
        const result = await timed('decide', decidable, decision, () => decidable)
        // What leaves is begun here, in order, and awaited outside the turn.
        return { left: leave(result) }
      }),
    )
    return decided.left
  }
}

function demandConserved({ count, diverted }: EnrichedBatch, transactions: number): void {
  if (count + diverted.length === transactions) return
  const found = `enrich passed ${count} and diverted ${diverted.length} of ${transactions}`
  throw new WeirError('WEIR_INTERNAL_CONSERVATION', found)
}

export function createPipeline(deps: PipelineDeps): Pipeline {
  const judge = createJudge(deps)
  const timed = createTimer(deps.observe)
  return {
    admit: (stream, messages) => admit(stream, messages, deps),
    learn: async (stream, ids) => {
      // Each is asked for, whatever becomes of the others: ids that are denied wait together.
      const { learn } = deps.decoders[stream]
      const answers = await Promise.allSettled([...ids].map((id) => learn(id)))
      const failed = answers.find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
    },
    process: (batch, isWanted, refusal) =>
      judge(batch, {
        isWanted,
        refusal,
        leave: (decided) => {
          const work = () => publish(decided, deps.clock.nowMs(), deps.publish)
          return timed('publish', batch.arrivals.length, work, countAllCommitted)
        },
      }),
  }
}

/** Runs a stage's work and tells how long it took and how many events it passed on. */
function createTimer(observe: Observe) {
  return async <T>(
    stage: Stage,
    events: number,
    work: () => T | Promise<T>,
    countPassed: (result: T) => number,
  ): Promise<T> => {
    const startedMs = performance.now()
    const result = await work()
    const durationMs = performance.now() - startedMs
    observe({ kind: 'stage_done', stage, events, passed: countPassed(result), durationMs })
    return result
  }
}

/** Decode and validate: the same for live scoring and for a replay of topics. */
export function admit(
  stream: Stream,
  messages: readonly RawMessage[],
  deps: Pick<PipelineDeps, 'decoders' | 'validate' | 'observe'>,
): Admission {
  const decodeStartMs = performance.now()
  const decoded: Decoded<Transaction | Label> =
    stream === 'transactions'
      ? decode(messages, deps.decoders.transactions)
      : decode(messages, deps.decoders.labels)
  if (decoded.missingIds.size > 0) return { arrivals: null, missingIds: decoded.missingIds }
  const validateStartMs = performance.now()
  const arrivals = messages.map((raw, i): Arrival => {
    const rejection = decoded.rejections[i]!
    if (rejection !== null) return { raw, transaction: null, label: null, rejection }
    return stream === 'transactions'
      ? admitTransaction(raw, decoded.values[i] as Transaction, deps.validate)
      : admitLabel(raw, decoded.values[i] as Label, deps.validate)
  })
  const doneMs = performance.now()
  const refusedByDecode = decoded.rejections.reduce((n, refused) => (refused ? n + 1 : n), 0)
  const refused = arrivals.reduce((n, { rejection }) => (rejection ? n + 1 : n), 0)
  const events = messages.length
  const passed = events - refusedByDecode
  deps.observe({
    kind: 'stage_done',
    stage: 'decode',
    events,
    passed,
    durationMs: validateStartMs - decodeStartMs,
  })
  deps.observe({
    kind: 'stage_done',
    stage: 'validate',
    events: passed,
    passed: events - refused,
    durationMs: doneMs - validateStartMs,
  })
  return { arrivals, missingIds: null }
}

function admitTransaction(
  raw: RawMessage,
  transaction: Transaction,
  rules: ValidateRules,
): Arrival {
  const rejection = validateTransaction(transaction, raw, rules)
  return rejection === null
    ? { raw, transaction, label: null, rejection: null }
    : { raw, transaction: null, label: null, rejection }
}

function admitLabel(raw: RawMessage, label: Label, rules: ValidateRules): Arrival {
  const rejection = validateLabel(label, raw, rules)
  return rejection === null
    ? { raw, transaction: null, label, rejection: null }
    : { raw, transaction: null, label: null, rejection }
}

const countTransactions = (batch: Batch): number =>
  batch.arrivals.reduce((n, { transaction }) => (transaction === null ? n : n + 1), 0)

const countScored = ({ enriched, setAside }: ScoredBatch): number =>
  enriched.count - (setAside?.size ?? 0)

const countAllCommitted = (tallies: readonly LaneTally[]): number =>
  tallies.reduce((sum, { outcome, events }) => (outcome === 'committed' ? sum + events : sum), 0)

/** Runs what is handed in one after the other, in order, whether those before failed or not. */
function createTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
}

/**
 * Claims of lanes in which a batch has failed. Those behind it turn back by this alone, whoever has
 * heard of the failure by then: else the store would apply them behind a gap. The next claim of the
 * lane has another epoch.
 */
function createBreaks() {
  const broken = new Map<number, number>()
  return {
    guard: async <T>({ lanes }: Batch, work: () => T | Promise<T>): Promise<T> => {
      try {
        if (lanes.some(({ laneId, epoch }) => broken.get(laneId) === epoch)) {
          throw new BatchAbandoned('a batch before this one failed')
        }
        return await work()
      } catch (error) {
        // Those that turn back leave a gap in all their lanes, too.
        for (const { laneId, epoch } of lanes) broken.set(laneId, epoch)
        throw error
      }
    },
  }
}
