// Signals for the observer's tests: one of every kind, and lanes that receive, commit and abandon
// by a seeded plan, with their own count of what is in flight.

import type { RejectionCode } from '../../../services/core/errors.ts'
import type { Observe, Signal } from '../../../services/pipeline/observe/signals.ts'
import type { Stream } from '../../../services/pipeline/records.ts'

type Kind = Signal['kind']

/** One example of each kind; a new kind does not compile until it has one. */
export const oneOfEach: { readonly [K in Kind]: Extract<Signal, { kind: K }> } = {
  started: {
    kind: 'started',
    detail: { pipeline: 'card-fraud', kafka: { sasl: { password: 'hunter2' } } },
  },
  connection: { kind: 'connection', system: 'redis', state: 'up', detail: 'redis://u:hunter2@r' },
  waiting: {
    kind: 'waiting',
    system: 'registry',
    address: 'http://127.0.0.1:1',
    attempt: 3,
    code: 'WEIR_REGISTRY_AWAY',
    detail: 'ECONNREFUSED',
    nextTryMs: 2000,
  },
  rebalanced: { kind: 'rebalanced', lanes: 1 },
  lane_claimed: {
    kind: 'lane_claimed',
    stream: 'transactions',
    partition: 3,
    epoch: 7,
    committedOffset: 100,
    durationMs: 12,
  },
  model_fetched: {
    kind: 'model_fetched',
    name: 'card-fraud',
    version: '1',
    asked: '@champion',
    from: 'cache_while_away',
    manifestSha256: 'cd34',
    signedBy: null,
    durationMs: 40,
  },
  model_registry_away: { kind: 'model_registry_away', asked: 'card-fraud @champion', detail: 'x' },
  model_loaded: {
    kind: 'model_loaded',
    missedProviders: '',
    name: 'card-fraud',
    version: '1',
    role: 'champion',
    provider: 'cpu',
    sha256: 'ab12',
    durationMs: 300,
  },
  challenger_failed: {
    kind: 'challenger_failed',
    name: 'card-fraud',
    version: '3',
    events: 4,
    detail: 'scores that are no numbers from 0 to 1',
  },
  roster_applied: {
    kind: 'roster_applied',
    epoch: 7,
    name: 'card-fraud',
    version: '2',
    challengers: [],
    who: 'ana',
    why: 'better',
  },
  roster_refused: {
    kind: 'roster_refused',
    epoch: 8,
    code: 'WEIR_CLASSIFY_MODEL_REFUSED',
    detail: 'x',
  },
  received: { kind: 'received', stream: 'transactions', events: 1000 },
  lateness: { kind: 'lateness', bucketCounts: [990, 5, 1, 1, 1, 0, 0, 2] },
  stage_done: { kind: 'stage_done', stage: 'validate', events: 1000, passed: 990, durationMs: 4 },
  alignment_waited: { kind: 'alignment_waited', durationMs: 30, gaveUp: true },
  store_round_trip: {
    kind: 'store_round_trip',
    durationMs: 8,
    bytesSent: 5000,
    bytesReceived: 700,
    logs: 40,
    cacheHits: 35,
    redelivered: 6,
    folded: 2,
  },
  restoring: { kind: 'restoring', pass: 1, bucketsLeft: 3, events: 1000 },
  restored: { kind: 'restored', buckets: 3, logs: 70, events: 2000, holes: 1, durationMs: 900 },
  store_size: { kind: 'store_size', cachedLogs: 40, cachedBytes: 65_536 },
  model_ran: { kind: 'model_ran', events: 988, durationMs: 9, reasonRows: 21 },
  remote_ran: { kind: 'remote_ran', events: 900, durationMs: 12, reasonRows: 20 },
  fell_back: { kind: 'fell_back', events: 88, code: 'WEIR_CLASSIFY_REMOTE_AWAY' },
  braked: { kind: 'braked', partition: 3, share: 0.07 },
  committed: {
    kind: 'committed',
    stream: 'transactions',
    partition: 3,
    scored: 985,
    labels: 0,
    diverted: 3,
    skipped: 0,
    flagged: { review: 5, block: 2 },
    braked: 4,
    rejected: new Map([
      ['WEIR_VALIDATE_AMOUNT', 7],
      ['WEIR_DECODE_NOT_AVRO', 3],
    ]),
    samples: 49,
    committedOffset: 1100,
  },
  batch_done: { kind: 'batch_done', events: 1000, lanes: 1, bytes: 90_000, durationMs: 35 },
  latency: { kind: 'latency', oldestMs: 40, newestMs: 10, events: 998 },
  lag: { kind: 'lag', stream: 'transactions', partition: 3, events: 17 },
  abandoned: { kind: 'abandoned', stream: 'transactions', partition: 3, events: 2 },
  retried: {
    kind: 'retried',
    operation: 'commit',
    attempt: 1,
    code: 'WEIR_KAFKA_AWAY',
    detail: 'ECONNRESET',
  },
  lane_memory_lost: {
    kind: 'lane_memory_lost',
    stream: 'transactions',
    partition: 3,
    detail: 'found ""',
  },
  producer_recreated: { kind: 'producer_recreated', partition: 3, reason: 'commit in doubt' },
  lane_released: {
    kind: 'lane_released',
    stream: 'transactions',
    partition: 3,
    reason: 'rebalance',
  },
  draining: { kind: 'draining', reason: 'SIGTERM' },
  failed: { kind: 'failed', code: 'WEIR_INTERNAL_INVARIANT', detail: 'x', stack: undefined },
  stopped: { kind: 'stopped', durationMs: 800 },
}

/** A repeatable source of numbers in [0, 1) (mulberry32). */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

type Lane = { readonly stream: Stream; readonly partition: number; readonly inFlight: number[] }

const codes: readonly RejectionCode[] = ['WEIR_DECODE_EMPTY', 'WEIR_VALIDATE_ID']

/** Lanes that do one random step at a time and know by themselves what they hold. */
export function createLanes(random: () => number, observe: Observe) {
  const lanes: Lane[] = [
    { stream: 'transactions', partition: 0, inFlight: [] },
    { stream: 'transactions', partition: 1, inFlight: [] },
    { stream: 'labels', partition: 0, inFlight: [] },
  ]
  const upTo = (max: number): number => Math.floor(random() * (max + 1))
  const receive = (lane: Lane): void => {
    const events = 1 + upTo(500)
    lane.inFlight.push(events)
    observe({ kind: 'received', stream: lane.stream, events })
  }
  const commit = (lane: Lane): void => {
    const events = lane.inFlight.shift()
    if (events !== undefined) observe(splitOutcomes(lane, events, upTo))
  }
  const abandon = (lane: Lane): void => {
    for (const events of lane.inFlight.splice(0)) {
      observe({ kind: 'abandoned', stream: lane.stream, partition: lane.partition, events })
    }
  }
  return {
    step: () => {
      const lane = lanes[upTo(lanes.length - 1)]!
      const action = random()
      if (action < 0.5) receive(lane)
      else if (action < 0.9) commit(lane)
      else abandon(lane)
    },
    drain: () => {
      for (const lane of lanes) while (lane.inFlight.length > 0) commit(lane)
    },
    countInFlight: (stream: Stream) =>
      lanes
        .filter((lane) => lane.stream === stream)
        .flatMap((lane) => lane.inFlight)
        .reduce((sum, events) => sum + events, 0),
  }
}

function splitOutcomes(lane: Lane, events: number, upTo: (max: number) => number): Signal {
  const rejected = upTo(events)
  const first = upTo(rejected)
  const isLabels = lane.stream === 'labels'
  const diverted = isLabels ? 0 : upTo(events - rejected)
  const rest = events - rejected - diverted
  return {
    kind: 'committed',
    stream: lane.stream,
    partition: lane.partition,
    scored: isLabels ? 0 : rest,
    labels: isLabels ? rest : 0,
    diverted,
    skipped: 0,
    flagged: { review: 0, block: 0 },
    braked: 0,
    rejected: new Map([
      [codes[0]!, first],
      [codes[1]!, rejected - first],
    ]),
    samples: 0,
    committedOffset: 0,
  }
}
