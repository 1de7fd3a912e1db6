// A broker in memory: topics' partitions, one group's offsets, transactions with a fence.
//
// In: lanes with their messages, chance. Out: members, each with an input and an output port, and
// what readers of committed records see. It is a real implementation of both ports, not a mock:
// what a delivery publishes and commits becomes visible at once or not at all, and a member that
// was fenced publishes nothing. `fate` decides what befalls each delivery: committed, lost, or
// committed with the answer lost.

import { setImmediate as turn } from 'node:timers/promises'
import { WeirError } from '../../services/core/errors.ts'
import type {
  Fetched,
  LaneAddress,
  LaneInput,
  LaneInputEvents,
} from '../../services/lanes/lane-input.ts'
import type { LaneTransactions, OpenedLane } from '../../services/lanes/lane-transactions.ts'
import type {
  DeliveryOutcome,
  LaneDelivery,
  OutputRecord,
  OutputTopic,
} from '../../services/pipeline/publish/publisher.ts'
import type { RawMessage } from '../../services/pipeline/records.ts'
import type { Random } from './random.ts'

export type Fate = 'committed' | 'lost' | 'committed_unheard'

export type MemoryLane = {
  readonly address: LaneAddress
  readonly messages: readonly RawMessage[]
  /** Offset behind the last message, trailing control records included. */
  readonly endOffset: number
}

export type BrokerOptions = {
  readonly lanes: readonly MemoryLane[]
  readonly random: Random
  readonly fate?: (delivery: LaneDelivery) => Fate
  /** Whether a lane can be opened just now. */
  readonly isAway?: () => boolean
  /** Messages of one fetch at most. */
  readonly fetchMax?: number
}

export type MemoryMember = {
  readonly input: LaneInput
  readonly transactions: LaneTransactions
  readonly assign: (lanes: readonly MemoryLane[]) => void
  readonly revoke: (reason: string) => void
}

export type Publication = { readonly laneId: number; readonly record: OutputRecord }

export type MemoryBroker = {
  readonly join: () => MemoryMember
  readonly published: (topic: OutputTopic) => readonly Publication[]
  readonly committed: (laneId: number) => number
  readonly metadata: (laneId: number) => string | null
  readonly isDone: () => boolean
  /** Deliveries that were refused because their sender had been fenced. */
  readonly fencedDeliveries: () => number
}

type LaneState = {
  readonly lane: MemoryLane
  producerEpoch: number
  committed: number
  metadata: string | null
}

type Broker = BrokerOptions & {
  readonly states: ReadonlyMap<number, LaneState>
  readonly visible: Map<OutputTopic, Publication[]>
  fenced: number
}

export function createMemoryBroker(options: BrokerOptions): MemoryBroker {
  const states = new Map(
    options.lanes.map((lane): [number, LaneState] => [
      lane.address.laneId,
      { lane, producerEpoch: 0, committed: -1, metadata: null },
    ]),
  )
  const broker: Broker = { ...options, states, visible: new Map(), fenced: 0 }
  return {
    join: () => {
      const { input, assign, revoke } = createInput(broker)
      return { input, assign, revoke, transactions: createTransactions(broker) }
    },
    published: (topic) => broker.visible.get(topic) ?? [],
    committed: (laneId) => states.get(laneId)!.committed,
    metadata: (laneId) => states.get(laneId)!.metadata,
    isDone: () =>
      [...states.values()].every(
        ({ lane, committed }) => committed > (lane.messages.at(-1)?.offset ?? -2),
      ),
    fencedDeliveries: () => broker.fenced,
  }
}

const FETCH_MAX = 40

function createInput({ states, random, fetchMax = FETCH_MAX }: Broker) {
  const fetching = new Map<number, { next: number; isPaused: boolean }>()
  let events: LaneInputEvents | null = null
  let isStopped = false

  const fetchLane = (laneId: number): void => {
    const place = fetching.get(laneId)
    if (place === undefined || place.isPaused) return
    const { messages, endOffset } = states.get(laneId)!.lane
    if (place.next >= endOffset) return
    const from = messages.findIndex(({ offset }) => offset >= place.next)
    const taken = from < 0 ? [] : messages.slice(from, from + random.integer(1, fetchMax))
    const isLast = from < 0 || from + taken.length === messages.length
    place.next = isLast ? endOffset : taken.at(-1)!.offset + 1
    const fetched: Fetched = { messages: taken, nextOffset: place.next, endOffset }
    events!.fetched(laneId, fetched)
  }

  const pump = async (): Promise<void> => {
    while (!isStopped) {
      await turn()
      for (const laneId of [...fetching.keys()]) if (random.chance(0.6)) fetchLane(laneId)
    }
  }

  const input: LaneInput = {
    start: async (given) => {
      events = given
      void pump()
    },
    seek: ({ laneId }, offset) => void fetching.set(laneId, { next: offset, isPaused: false }),
    pause: ({ laneId }) => {
      const place = fetching.get(laneId)
      if (place !== undefined) place.isPaused = true
    },
    resume: ({ laneId }) => {
      const place = fetching.get(laneId)
      if (place !== undefined) place.isPaused = false
    },
    stop: async () => {
      isStopped = true
      fetching.clear()
    },
  }
  return {
    input,
    assign: (lanes: readonly MemoryLane[]) => {
      fetching.clear()
      events!.assigned(lanes.map(({ address }) => address))
    },
    revoke: (reason: string) => {
      fetching.clear()
      events!.revoked(reason)
    },
  }
}

type OpenLane = { readonly epoch: number; isInDoubt: boolean; last: Promise<DeliveryOutcome> }

function createTransactions(broker: Broker): LaneTransactions {
  const { states, random, isAway = () => false } = broker
  const lanes = new Map<number, OpenLane>()

  const open = async ({ laneId }: LaneAddress): Promise<OpenedLane> => {
    await lanes.get(laneId)?.last
    await pauseTurns(random)
    if (isAway()) throw new WeirError('WEIR_KAFKA_AWAY', 'in memory')
    const state = states.get(laneId)!
    const epoch = ++state.producerEpoch
    lanes.set(laneId, { epoch, isInDoubt: false, last: Promise.resolve('committed') })
    const { committed, metadata, lane } = state
    await pauseTurns(random)
    return { nextOffset: Math.max(committed, 0), metadata, endOffset: lane.endOffset }
  }

  const commit = async (lane: OpenLane, delivery: LaneDelivery): Promise<DeliveryOutcome> => {
    await pauseTurns(random)
    const state = states.get(delivery.laneId)!
    const isNext = Math.max(state.committed, 0) === delivery.fromOffset
    if (state.producerEpoch !== lane.epoch) broker.fenced++
    if (lane.isInDoubt || state.producerEpoch !== lane.epoch || !isNext) {
      lane.isInDoubt = true
      return 'in_doubt'
    }
    const fate = broker.fate?.(delivery) ?? 'committed'
    if (fate !== 'lost') makeVisible(broker, state, delivery)
    if (fate === 'committed') return 'committed'
    lane.isInDoubt = true
    return 'in_doubt'
  }

  const deliverLane = (delivery: LaneDelivery): Promise<DeliveryOutcome> => {
    const lane = lanes.get(delivery.laneId)
    if (lane === undefined) return Promise.resolve('in_doubt')
    lane.last = lane.last.then(() => commit(lane, delivery))
    return lane.last
  }

  return {
    open,
    release: async (laneId) => {
      await lanes.get(laneId)?.last
      lanes.delete(laneId)
    },
    deliver: (deliveries) => Promise.all(deliveries.map(deliverLane)),
    close: async () => lanes.clear(),
  }
}

function makeVisible({ visible }: Broker, state: LaneState, delivery: LaneDelivery): void {
  const { laneId, nextOffset, metadata } = delivery
  state.committed = nextOffset
  state.metadata = metadata
  for (const [topic, records] of Object.entries(delivery.records)) {
    const known = visible.get(topic as OutputTopic) ?? []
    visible.set(topic as OutputTopic, known)
    for (const record of records) known.push({ laneId, record })
  }
}

async function pauseTurns(random: Random): Promise<void> {
  for (let turns = random.integer(0, 3); turns > 0; turns--) await turn()
}
