// Worlds of `weir replay` from topics: ranges are read beside whatever goes wrong, and merged by
// time.
//
// In: a seed. Out: whether each message of the topics came once, in the order in which it comes
// when nothing goes wrong; or the replay ended with a code, and came to that order when it was run
// again.

import { openTopicSource } from '../../services/replay/topic-source.ts'
import { lanesPipeline } from '../support/lanes-pipeline.ts'
import type { MemoryLane } from '../support/memory-broker.ts'
import { createRandom } from '../support/random.ts'
import {
  drawReaderTroubles,
  type ReaderEnd,
  type ReaderWorld,
  runReaderWorld,
} from './reader-world.ts'
import { drawScenario } from './scenario.ts'
import { createSimulatedCodecs } from './simulated-codecs.ts'
import { createSimulatedKafka } from './simulated-kafka.ts'
import type { Call } from './wire.ts'
import { drawInputs } from './world-inputs.ts'

const quiet = { lost: 0, unheard: 0, silent: 0, killed: 0, frozen: 0, slow: 0 }

export type ReplayEnd = ReaderEnd & { readonly order: readonly string[] }

export async function runReplayWorld(seed: number, storyLines = 60): Promise<ReplayEnd> {
  const undisturbed = await readAll(seed, true, storyLines)
  const troubled = await readAll(seed, false, storyLines)
  const isSame = troubled.order.join() === undisturbed.order.join()
  const fault = undisturbed.fault ?? troubled.fault
  return {
    ...troubled,
    fault: fault ?? (isSame ? null : 'the order is not that of an undisturbed run'),
  }
}

async function readAll(seed: number, isQuiet: boolean, storyLines: number): Promise<ReplayEnd> {
  const draw = createRandom(seed ^ 0x0dd5)
  const definition = lanesPipeline(draw)
  const scenario = { ...drawScenario(draw), poison: null }
  const lanes = drawInputs(draw, scenario)
  const troubles = drawReaderTroubles(draw)
  const { topics } = definition
  const ofTransactions = lanes.filter(({ address }) => address.stream === 'transactions').length
  let order: string[] = []

  const replay = async (world: ReaderWorld, call: Call): Promise<void> => {
    const read: string[] = []
    const { decoders } = createSimulatedCodecs(call, world.time, {
      awayUntilMs: 0,
      isDefect: false,
    })
    const kafka = createSimulatedKafka(world.brokers, call)
    const history = { kafka, decoders, fromMs: null, toMs: null, labelsToMs: null }
    const source = await openTopicSource(history, definition)
    const feed = { claim: async () => 1, batchEvents: 50, reject: () => undefined }
    for await (const { arrivals, lanes: slices, laneIndexes } of source.readBatches(feed)) {
      for (const [i, { raw }] of arrivals.entries()) {
        read.push(`${slices[laneIndexes[i]!]!.laneId}@${raw.offset}`)
      }
    }
    order = read
    world.finish()
  }

  const end = await runReaderWorld(seed, {
    topics: { [topics.transactions]: ofTransactions, [topics.labels!]: 1 },
    troubles: isQuiet ? quiet : troubles,
    calmFromMs: isQuiet ? 0 : draw.pick([1000, 10_000]),
    storyLines,
    prepare: (world) => fill(world, lanes),
    live: replay,
    judge: () => findMissing(lanes, order),
  })
  return { ...end, order }
}

function fill({ brokers }: ReaderWorld, lanes: readonly MemoryLane[]): void {
  for (const { address, messages, endOffset } of lanes) {
    const log = brokers.log(address.topic, address.partition)
    log.append(messages.map(({ brokerTimeMs, ...record }) => ({ ...record, timeMs: brokerTimeMs })))
    if (endOffset > log.high) log.pad(messages.at(-1)!.brokerTimeMs)
  }
}

function findMissing(lanes: readonly MemoryLane[], order: readonly string[]): string | null {
  const wanted = lanes.flatMap(({ address, messages }) =>
    messages.map(({ offset }) => `${address.laneId}@${offset}`),
  )
  const read = new Set(order)
  if (read.size !== order.length) return `${order.length - read.size} messages came twice`
  const missing = wanted.filter((name) => !read.has(name))
  return missing.length === 0 ? null : `${missing.length} messages did not come: ${missing[0]}`
}
