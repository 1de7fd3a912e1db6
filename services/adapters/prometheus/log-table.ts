// Which signal becomes which log line.
//
// Levels: error = data was lost or a human is needed; warn = something outside is away or fails,
// and Weir waits or tries again; info = life cycle; debug = the rest that helps when one lane is
// watched. null = metrics only, because it comes with every batch. Invariant: one entry per kind (a
// new kind does not compile without), and no line per event.

import type { Signal } from '../../pipeline/observe/signals.ts'

type LineLevel = 'error' | 'warn' | 'info' | 'debug'

type LogRule = {
  readonly level: LineLevel
  readonly sentence: string
  /** The same line is held back for this long, per operation, code and partition; 0 = never. */
  readonly quietMs: number
} | null

const line = (level: LineLevel, sentence: string, quietMs = 0): LogRule => ({
  level,
  sentence,
  quietMs,
})

const MINUTE_MS = 60_000
const RETRY_QUIET_MS = 10_000

export const logTable: { readonly [K in Signal['kind']]: LogRule } = {
  stage_done: null,
  received: null,
  committed: null,
  lag: null,
  batch_done: null,
  latency: null,
  lateness: null,
  store_round_trip: null,
  store_size: null,
  model_ran: null,
  remote_ran: null,
  abandoned: line('debug', 'a share of a batch was abandoned and will be read again'),
  alignment_waited: line('debug', 'waited for slower lanes'),
  retried: line('info', 'trying again', RETRY_QUIET_MS),
  lane_claimed: line('info', 'lane claimed'),
  lane_released: line('info', 'lane released'),
  producer_recreated: line('info', 'producer made anew, lane resumes from the committed offset'),
  lane_memory_lost: line(
    'error',
    'lane memory lost: late events count as punctual, the brake begins anew',
  ),
  restoring: line('info', 'putting back what the store has lost', 5000),
  restored: line('info', 'the store is whole again'),
  rebalanced: line('info', 'consumer group rebalanced'),
  model_fetched: line('info', 'model fetched from the registry or its cache'),
  // The model scores all the same; what is missed is an alias that moved meanwhile.
  model_registry_away: line('info', 'model registry away: taking what was fetched before'),
  model_loaded: line('info', 'model loaded'),
  challenger_failed: line('info', 'challenger without a score: the champion decides', MINUTE_MS),
  roster_applied: line('info', 'roster applied'),
  roster_refused: line('error', 'roster refused: the one before goes on'),
  fell_back: line('info', 'the inference server does not score: events are degraded', MINUTE_MS),
  connection: line('info', 'connection changed'),
  waiting: line('warn', 'not started yet: waiting for what is away'),
  started: line('info', 'started'),
  draining: line('info', 'draining'),
  stopped: line('info', 'stopped'),
  // Repeated with every batch while it holds; once a minute is enough to page somebody.
  braked: line(
    'error',
    'flagged share above policy.flaggedShareMax: decisions observe only',
    MINUTE_MS,
  ),
  failed: line('error', 'failed'),
}

/** An outage is a warning, its end is not. */
export const levelOf = (signal: Signal, level: LineLevel): LineLevel =>
  signal.kind === 'connection' && signal.state === 'down' ? 'warn' : level
