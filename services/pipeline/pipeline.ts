// The pipeline: the stages once, in order, and the only place with control flow across them.
//
//   admit:   decode ─► validate                                   per fetch, synchronous
//   process: enrich ─► classify ─► decide ─► publish              per micro-batch of merged lanes
//
// Several batches are on their way at once, each in another stage: enrich and decide take them in
// their order, classify may overtake. Whoever is behind a batch that failed turns back as well:
// `isWanted` is asked again before each stage, so no lane ever publishes past a gap.
// In: raw messages; batches of arrivals. Out: one tally per lane. Thrown: what a port throws, and
// BatchAbandoned for a batch that is no longer wanted. Invariants: after each stage, passed +
// rejected = received; stages neither log nor count, the pipeline emits one signal per stage.

import type { Clock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import { type ClassifyDeps, classify } from './classify/classify.ts'
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
  Label,
  RawMessage,
  Rejection,
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
    /** What becomes of every transaction of the batch in place of its outcome: see setAsideAll. */
    refusal?: Rejection,
  ) => Promise<readonly LaneTally[]>
}

/** The batch was turned back because one before it failed; its events will be read again. */
export class BatchAbandoned extends Error {}

type JudgeDeps = Pick<PipelineDeps, 'enrich' | 'classify' | 'decide' | 'observe'>

/** Takes a batch from enrich to decide; `leave` gets what was decided, batch after batch in order. */
type Judge = <T>(
  batch: Batch,
  isWanted: () => boolean,
  leave: (decided: DecidedBatch) => T | Promise<T>,
) => Promise<T>

/** The stages between the ends: the same for live scoring, which publishes, and for replay. */
export function createJudge(deps: JudgeDeps): Judge {
  const enrichTurn = createTurn()
  const decideTurn = createTurn()
  const timed = createTimer(deps.observe)

  return async (batch, isWanted, leave) => {
    const demandWanted = () => {
      if (!isWanted()) throw new BatchAbandoned('a batch before this one failed')
    }
    const transactions = countTransactions(batch)
    const enriched = await enrichTurn(() => {
      demandWanted()
      const work = () => enrich(batch, deps.enrich)
      return timed('enrich', transactions, work, (result) => result.count)
    })
    const { count, diverted } = enriched
    if (count + diverted.length !== transactions) {
      const found = `enrich passed ${count} and diverted ${diverted.length} of ${transactions}`
      throw new WeirError('WEIR_INTERNAL_CONSERVATION', found)
    }
    const all = () => count
    const scoring = timed('classify', count, () => classify(enriched, deps.classify), all)
    // Its failure is met at the turn below; until then it must not count as unhandled.
    scoring.catch(() => undefined)
    // decide keeps the order of batches: its turn is taken before the scores are there.
    const decided = await decideTurn(async () => {
      const scored = await scoring
      demandWanted()
      const result = await timed('decide', count, () => decide(scored, deps.decide), all)
      // What leaves is begun here, in order, and awaited outside the turn.
      return { left: leave(result) }
    })
    return decided.left
  }
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
    process: (batch, isWanted) =>
      judge(batch, isWanted, (decided) => {
        const work = () => publish(decided, deps.clock.nowMs(), deps.publish)
        return timed('publish', batch.arrivals.length, work, countAllCommitted)
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

const countAllCommitted = (tallies: readonly LaneTally[]): number =>
  tallies.reduce((sum, { outcome, events }) => (outcome === 'committed' ? sum + events : sum), 0)

/**
 * Runs what is handed in one after the other, in order. After a failure those behind go on only when
 * its caller has heard of it: else the next batch would enter a stage before its lanes are in doubt,
 * and the store would apply it behind a gap.
 */
function createTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => new Promise((resolve) => setImmediate(resolve)))
    return mine
  }
}
