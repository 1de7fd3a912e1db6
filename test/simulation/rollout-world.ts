// Worlds of `weir rollout`: a trial's events are read, some again, while partitions overtake each
// other.
//
// In: a seed. Out: whether the evidence is what a plain count of the topic comes to: each event
// once, each run of a batch once, whatever process read how often; and no process gave a minute
// twice.

import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { EvidenceBook } from '../../services/rollout/evidence-book.ts'
import { openScoredFeed } from '../../services/rollout/scored-feed.ts'
import type { Trial } from '../../services/rollout/trial.ts'
import { eventOf } from '../rollout/scored-events.ts'
import { rolloutRules } from '../support/pipelines.ts'
import { createRandom } from '../support/random.ts'
import type { PartitionLog } from './brokers/partition-log.ts'
import {
  drawReaderTroubles,
  READER_START_MS,
  type ReaderEnd,
  type ReaderWorld,
  runReaderWorld,
} from './reader-world.ts'
import { createSimulatedCodecs } from './simulated-codecs.ts'
import { createSimulatedKafka } from './simulated-kafka.ts'

const MINUTE_MS = 60_000
const TOPIC = 'transactions.scored'
const LABELS = 'labels'
const LOOK_MS = 200
const REVIEW_FROM = 0.5

const trial: Trial = {
  champion: { name: 'test', version: '1' },
  challenger: { name: 'test', version: '2' },
  share: 0,
  sinceEpoch: 1,
  sinceMs: 0,
  stepEpoch: 1,
  stepMs: 0,
  isRolledBack: false,
}

export type RolloutOptions = { readonly isQuiet?: boolean; readonly storyLines?: number }

export function runRolloutWorld(seed: number, options: RolloutOptions = {}): Promise<ReaderEnd> {
  const { isQuiet = false, storyLines = 60 } = options
  const draw = createRandom(seed ^ 0x5eed)
  const partitions = draw.integer(1, 4)
  const events: ScoredTransactionRecord[] = []
  let runs = 0
  let found: string | null = null
  const quiet = { lost: 0, unheard: 0, silent: 0, killed: 0, frozen: 0, slow: 0 }
  return runReaderWorld(seed, {
    topics: { [TOPIC]: partitions, [LABELS]: 1 },
    troubles: isQuiet ? quiet : drawReaderTroubles(draw),
    calmFromMs: isQuiet ? 0 : draw.pick([2000, 10_000]),
    storyLines,
    prepare: (world) => {
      runs = writeHistory(world, partitions, events)
    },
    live: (world, call, fail) =>
      watch(world, {
        feedOf: (book) =>
          openScoredFeed({
            kafka: createSimulatedKafka(world.brokers, call),
            groupId: `weir-rollout-${Math.random()}`,
            topics: { scored: TOPIC, labels: LABELS },
            decoders: decodersOf(world, call),
            hear: hearing(book),
            fail,
          }),
        isRight: (book, minutes) => {
          found = compare(book, minutes, { events: events.length, runs })
        },
      }),
    judge: () => found,
  })
}

/** Whoever also wants to hear of labels and brokers hears nothing of either. */
const hearing = (book: EvidenceBook) => ({
  scored: (event: ScoredTransactionRecord) => book.meet(event),
  label: () => undefined,
  brokers: () => undefined,
})

function decodersOf({ time }: ReaderWorld, call: Parameters<typeof createSimulatedCodecs>[0]) {
  const codecs = createSimulatedCodecs(call, time, { awayUntilMs: 0, isDefect: false })
  return { scored: codecs.scored, labels: codecs.decoders.labels }
}

/** Runs of batches over some minutes; a run's events lie in one partition or in several. */
function writeHistory(
  { random, brokers, trace }: ReaderWorld,
  partitions: number,
  events: ScoredTransactionRecord[],
): number {
  const runs = random.integer(5, 60)
  const spreadMs = random.pick([500, 5000, 15_000])
  let atMs = READER_START_MS - runs * spreadMs - 120_000
  for (let run = 0; run < runs; run++) {
    atMs += random.integer(1, spreadMs)
    const times = [1 + run / 1000, 2 + run / 1000] as const
    const own = random.integer(0, partitions - 1)
    for (let i = random.integer(1, 4); i > 0; i--) {
      const event = eventOf({ id: `e${events.length}`, atMs, epoch: 1, times })
      events.push(event)
      const partition = random.chance(0.5) ? own : random.integer(0, partitions - 1)
      const value = Buffer.from(JSON.stringify(event))
      brokers.log(TOPIC, partition).append([{ timeMs: atMs, key: null, value }])
      if (random.chance(0.2)) abortTogether(brokers.log(TOPIC, partition), event)
    }
  }
  trace.tell(`${events.length} events of ${runs} runs in ${partitions} partitions`)
  return runs
}

/** Two lanes' transactions side by side, neither of which was committed. */
function abortTogether(log: PartitionLog, event: ScoredTransactionRecord): void {
  const { scoredTime } = event
  const producers = ['71', '72']
  for (const producerId of producers) {
    const phantom = { ...event, transactionId: `phantom-${producerId}` }
    const value = Buffer.from(JSON.stringify(phantom))
    log.append([{ timeMs: scoredTime, key: null, value }], producerId, true)
  }
  for (const producerId of producers) log.mark(producerId, scoredTime, false)
}

type ScoredFeed = Awaited<ReturnType<typeof openScoredFeed>>
type Minutes = Map<number, number>
type Watching = {
  readonly feedOf: (book: EvidenceBook) => Promise<ScoredFeed>
  readonly isRight: (book: EvidenceBook, minutes: Minutes) => void
}

/** As run-rollout.ts looks: minutes are taken while history is still being read. */
async function watch(world: ReaderWorld, { feedOf, isRight }: Watching): Promise<void> {
  const book = new EvidenceBook(trial, rolloutRules(), REVIEW_FROM)
  const minutes: Minutes = new Map()
  const feed = await feedOf(book)
  feed.readFrom(0)
  const look = (): void => {
    for (const { startMs, counts } of book.takeMinutes(feed.passedMs())) {
      if (minutes.has(startMs)) world.fault ??= `minute ${startMs / MINUTE_MS} was given twice`
      minutes.set(startMs, counts.events)
    }
    if (feed.isCaughtUp() && world.isCalm()) {
      isRight(book, minutes)
      world.finish()
    } else setTimeout(look, LOOK_MS)
  }
  look()
}

function compare(
  book: EvidenceBook,
  minutes: Minutes,
  expected: { readonly events: number; readonly runs: number },
): string | null {
  const { counts } = book.evidenceAt(READER_START_MS)
  const { events, runs } = counts
  if (events !== expected.events) return `${events} events were counted, written ${expected.events}`
  if (runs !== expected.runs) return `${runs} runs were counted, written ${expected.runs}`
  const given = [...minutes.values()].reduce((sum, count) => sum + count, 0)
  return given <= events ? null : `minutes hold ${given} events, written ${events}`
}
