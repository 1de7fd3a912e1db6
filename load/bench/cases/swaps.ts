// `bench swaps`: models are changed while events come at a fixed rate: what latency and memory make
// of it.
//
//   warm-up ─► quiet ─► swaps, one after the other, each loading fresh workers ─► shares of a canary ─► quiet
//
// In: a place whose model has versions 1 to 3, equal but for their names. Out: p99 of events that
// were due while models were swapped over that of the quiet time, the scorer's memory, and how long
// a roster takes from its commit to the first event scored by it. Refused: a scorer that ends.
// Invariants: every swap loads, since neither the crew in force nor the one before has its models;
// an event that is lost or seen twice fails the case.

import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { openRosterLedger } from '../../../services/adapters/kafka/roster/roster-ledger.ts'
import type { RosterChange } from '../../../services/roster/roster-change.ts'
import { startOpenLoop } from '../../generator/open-loop.ts'
import { benchPreset } from '../../generator/options.ts'
import { type BenchEnvironment, benchPipelineFile } from '../environment/bench-environment.ts'
import { startBenchScorers } from '../environment/bench-scorers.ts'
import { type ModelShelf, makeModelShelf, readPipelineFor } from '../environment/model-shelf.ts'
import { readMemoryMb } from '../measure/process-usage.ts'
import { medianOf, quantileOf, sortValues } from '../measure/quantiles.ts'
import { watchRecords } from '../measure/visible-records.ts'
import { openDecoder } from '../verify/reference-vectors.ts'

export type SwapsCase = {
  readonly case: 'swaps'
  readonly rate: number
  readonly swaps: number
  readonly quietSeconds: number
  readonly events: number
  readonly quietP99Ms: number
  readonly swapsP99Ms: number
  readonly p99Ratio: number
  readonly quietMaxMs: number
  readonly swapsMaxMs: number
  /**
   * From the commit of a roster to the first event scored by it: models are loaded, or are there
   * already.
   */
  readonly loadedMs: { readonly median: number; readonly max: number }
  readonly warmMs: { readonly median: number; readonly max: number }
  /** Resident memory after a fifth of the swaps and after all; null where it cannot be read. */
  readonly memoryMb: { readonly early: number | null; readonly late: number | null }
  readonly lost: number
  readonly duplicated: number
}

export type SwapsOptions = {
  readonly rate: number
  readonly swaps: number
  readonly quietSeconds: number
  readonly say: (line: string) => void
}

type Scored = {
  readonly transactionId: string
  readonly scoredTime: number
  readonly controlEpoch: number
}

const warmUpMs = 10_000
const shareChanges = 20
const secondsMax = 3600
const stragglersMsMax = 30_000
const pollMs = 10
const applyMsMax = 60_000

/** The bench's model as three versions. */
export const openSwapShelf = (pipelineFile = benchPipelineFile): ModelShelf => {
  const source = join(repositoryFolder, 'models', name, '1')
  const versions = { 1: source, 2: source, 3: source }
  return makeModelShelf({ name, versions, writePipeline: readPipelineFor(pipelineFile, name) })
}

export async function runSwaps(place: BenchEnvironment, options: SwapsOptions): Promise<SwapsCase> {
  const { rate, swaps, quietSeconds, say } = options
  const book = createBook()
  const { scored } = place.definition.topics
  const decode = await openDecoder<Scored>(place, 'scored-transaction', scored)
  const scorers = await startBenchScorers(place, 1)
  const reader = await watchRecords(place, (values, visibleMs) => {
    for (const value of values) book.see(decode(value), visibleMs)
  })
  const memory = () => readMemoryMb(scorers.all[0]!.pid)
  try {
    await scorers.untilFirstClaim()
    const { days: _, ...world } = benchPreset
    const loop = await startOpenLoop({
      brokers: place.stack.kafkaBrokers,
      transactionsTopic: scoredInput(place),
      labelsTopic: null,
      schemaIds: place.schemaIds,
      rate,
      seconds: secondsMax,
      generator: world,
      onSend: (messages) => {
        for (const { transactionId, dueMs } of messages) book.expect(transactionId!, dueMs)
      },
    })
    const live = async (): Promise<
      Omit<SwapsCase, 'case' | keyof ReturnType<typeof book.close>>
    > => {
      await pause(warmUpMs)
      const quiet = [await spend(quietSeconds)]
      say(`${swaps} swaps at ${rate} events/s`)
      const change = openChanger(place, book.epochSeen)
      const swapping = { fromMs: Date.now(), toMs: 0 }
      const loaded: number[] = []
      let early: number | null = null
      for (let swap = 0; swap < swaps; swap++) {
        loaded.push(await change(swapChange(swap)))
        if (swap === Math.floor(swaps / 5)) early = memory()
      }
      swapping.toMs = Date.now()
      const memoryMb = { early, late: memory() }
      const warm: number[] = []
      await change({ action: 'shadow', model: { name, version: freeVersion(swaps) } })
      for (let i = 0; i < shareChanges; i++) warm.push(await change(shareChange(i, swaps)))
      quiet.push(await spend(quietSeconds))
      return {
        rate,
        swaps,
        quietSeconds,
        ...book.compare(quiet, swapping),
        loadedMs: summarise(loaded),
        warmMs: summarise(warm),
        memoryMb,
      }
    }
    const figures = await Promise.race([live(), scorers.failed, reader.failed])
    await loop.stop()
    const deadlineMs = Date.now() + stragglersMsMax
    while (book.waiting() > 0 && Date.now() < deadlineMs) await pause(pollMs)
    return { case: 'swaps', ...figures, ...book.close() }
  } finally {
    await reader.stop()
    await scorers.stop()
  }
}

const scoredInput = ({ definition }: BenchEnvironment): string => definition.topics.transactions

/** The bench's model; versions 1 to 3 take turns as the champion. */
const name = 'bench'
const versionOf = (index: number): string => String((index % 3) + 1)

/**
 * Shadow the next version, promote it, and so on: no two of three rosters in a row have the same
 * models.
 */
const swapChange = (swap: number): RosterChange => {
  const model = { name, version: versionOf(Math.floor(swap / 2) + 1) }
  return swap % 2 === 0 ? { action: 'shadow', model } : { action: 'promote', model }
}
const freeVersion = (swaps: number): string => versionOf(Math.floor(swaps / 2) + 1)
const shareChange = (index: number, swaps: number): RosterChange =>
  index % 2 === 0
    ? { action: 'canary', version: freeVersion(swaps), share: 0.25 }
    : { action: 'rollback', drops: false }

type Span = { readonly fromMs: number; readonly toMs: number }

async function spend(seconds: number): Promise<Span> {
  const fromMs = Date.now()
  await pause(seconds * 1000)
  return { fromMs, toMs: Date.now() }
}

const summarise = (values: readonly number[]) => ({
  median: medianOf(values),
  max: Math.max(...values),
})

/** Makes a change, and says how long it took from its commit to the first event scored under it. */
function openChanger(
  { kafka, registry, definition }: BenchEnvironment,
  epochSeen: (epoch: number) => number | undefined,
) {
  const ledger = openRosterLedger({ kafka, registry, definition })
  return async (wish: RosterChange): Promise<number> => {
    const author = { who: 'bench', why: 'a swap', whenMs: Date.now() }
    const { after } = await ledger.change(() => wish, { author, epoch: null })
    const committedMs = Date.now()
    const deadlineMs = committedMs + applyMsMax
    for (;;) {
      const scoredMs = epochSeen(after.epoch)
      if (scoredMs !== undefined) return Math.max(0, scoredMs - committedMs)
      if (Date.now() > deadlineMs) throw new Error(`no event was scored under epoch ${after.epoch}`)
      await pause(pollMs)
    }
  }
}

function createBook() {
  const dueMs = new Map<string, number>()
  const latencies = new Map<string, number>()
  const firstScored = new Map<number, number>()
  let duplicated = 0
  const latenciesWithin = (spans: readonly Span[]): Float64Array => {
    const found: number[] = []
    for (const [id, latency] of latencies) {
      const due = dueMs.get(id)!
      if (spans.some(({ fromMs, toMs }) => due >= fromMs && due < toMs)) found.push(latency)
    }
    return sortValues(found)
  }
  return {
    expect: (id: string, due: number): void => void dueMs.set(id, due),
    see: ({ transactionId, scoredTime, controlEpoch }: Scored, visibleMs: number): void => {
      if (!firstScored.has(controlEpoch)) firstScored.set(controlEpoch, scoredTime)
      const due = dueMs.get(transactionId)
      if (due === undefined || latencies.has(transactionId)) duplicated++
      else latencies.set(transactionId, visibleMs - due)
    },
    epochSeen: (epoch: number): number | undefined => firstScored.get(epoch),
    waiting: (): number => dueMs.size - latencies.size,
    compare: (quiet: readonly Span[], swapping: Span) => {
      const [calm, busy] = [latenciesWithin(quiet), latenciesWithin([swapping])]
      const [quietP99Ms, swapsP99Ms] = [quantileOf(calm, 0.99), quantileOf(busy, 0.99)]
      return {
        quietP99Ms,
        swapsP99Ms,
        p99Ratio: swapsP99Ms / quietP99Ms,
        quietMaxMs: calm.at(-1)!,
        swapsMaxMs: busy.at(-1)!,
      }
    },
    close: () => ({ events: dueMs.size, lost: dueMs.size - latencies.size, duplicated }),
  }
}
