// Everything that is counted or logged, as data. The pipeline and the lanes emit signals; adapters
// emit connection signals; one adapter (adapters/prometheus) turns them into metrics and log lines.
//
// Stages do not log or count. Invariant: nothing here is emitted per event; one signal covers a
// batch, a lane's life or a connection. Labels come from closed sets, never from a transaction.

import type { ErrorCode, RejectionCode } from '../../core/errors.ts'
import type { Stream } from '../records.ts'

export const stages = ['decode', 'validate', 'enrich', 'classify', 'decide', 'publish'] as const
export type Stage = (typeof stages)[number]

/** Downloaded now; here already, as the registry confirmed; or from the cache while it was away. */
export const modelOrigins = ['registry', 'cache', 'cache_while_away'] as const
export type ModelOrigin = (typeof modelOrigins)[number]

/** What is outside and may be away. */
export const systems = ['kafka', 'redis', 'registry', 'mlflow', 'inference'] as const
export type System = (typeof systems)[number]

export type Signal =
  /** A stage finished a batch: how many came in, how many passed on, and how long it took. */
  | {
      readonly kind: 'stage_done'
      readonly stage: Stage
      readonly events: number
      readonly passed: number
      readonly durationMs: number
    }
  /** Messages were taken into the pipeline. */
  | { readonly kind: 'received'; readonly stream: Stream; readonly events: number }
  /** A lane's share of a batch was committed: the outcomes that readers can now see. */
  | {
      readonly kind: 'committed'
      readonly stream: Stream
      readonly partition: number
      readonly scored: number
      readonly labels: number
      readonly diverted: number
      readonly skipped: number
      readonly flagged: { readonly review: number; readonly block: number }
      readonly braked: number
      readonly rejected: ReadonlyMap<RejectionCode, number>
      readonly samples: number
      readonly committedOffset: number
    }
  /** A lane's share of a batch was given up before its commit; its events will be read again. */
  | {
      readonly kind: 'abandoned'
      readonly stream: Stream
      readonly partition: number
      readonly events: number
    }
  /** Input events of a lane not yet committed (high watermark - committed offset). */
  | {
      readonly kind: 'lag'
      readonly stream: Stream
      readonly partition: number
      readonly events: number
    }
  | {
      readonly kind: 'batch_done'
      readonly events: number
      readonly lanes: number
      readonly bytes: number
      readonly durationMs: number
    }
  /**
   * End-to-end latency of a committed batch: now - broker time, for its oldest and newest event.
   */
  | {
      readonly kind: 'latency'
      readonly oldestMs: number
      readonly newestMs: number
      readonly events: number
    }
  | { readonly kind: 'lateness'; readonly bucketCounts: readonly number[] }
  | { readonly kind: 'alignment_waited'; readonly durationMs: number; readonly gaveUp: boolean }
  | {
      readonly kind: 'lane_claimed'
      readonly stream: Stream
      readonly partition: number
      readonly epoch: number
      readonly committedOffset: number
      readonly durationMs: number
    }
  | {
      readonly kind: 'lane_released'
      readonly stream: Stream
      readonly partition: number
      readonly reason: string
    }
  /** What a lane remembered beside its committed offset cannot be read: it begins afresh. */
  | {
      readonly kind: 'lane_memory_lost'
      readonly stream: Stream
      readonly partition: number
      readonly detail: string
    }
  | { readonly kind: 'producer_recreated'; readonly partition: number; readonly reason: string }
  | {
      readonly kind: 'retried'
      readonly operation: string
      readonly attempt: number
      readonly code: ErrorCode
      readonly detail: string
    }
  | { readonly kind: 'rebalanced'; readonly lanes: number }
  | {
      readonly kind: 'store_round_trip'
      readonly durationMs: number
      readonly bytesSent: number
      readonly bytesReceived: number
      readonly logs: number
      readonly cacheHits: number
      readonly redelivered: number
      /** Logs whose oldest rows left with this batch. */
      readonly folded: number
    }
  /** State that the store has lost is being put back from the topics. */
  | {
      readonly kind: 'restoring'
      readonly pass: number
      readonly bucketsLeft: number
      readonly events: number
    }
  | {
      readonly kind: 'restored'
      readonly buckets: number
      readonly logs: number
      readonly events: number
      /** Places of the logs that only events which were never committed could fill. */
      readonly holes: number
      readonly durationMs: number
    }
  | { readonly kind: 'store_size'; readonly cachedLogs: number; readonly cachedBytes: number }
  | {
      readonly kind: 'model_loaded'
      readonly name: string
      readonly version: string
      readonly role: 'champion' | 'challenger'
      readonly provider: string
      readonly sha256: string
      /** Providers that were preferred and do not run it, with the reason; empty where none was. */
      readonly missedProviders: string
      readonly durationMs: number
    }
  /** The models of a roster score from now on; name and version are the champion's. */
  | {
      readonly kind: 'roster_applied'
      readonly epoch: number
      readonly name: string
      readonly version: string
      readonly challengers: readonly { readonly name: string; readonly version: string }[]
      readonly who: string
      readonly why: string
    }
  /** A roster was not applied; what was in force before still scores. */
  | {
      readonly kind: 'roster_refused'
      /** null where the record could not be read. */
      readonly epoch: number | null
      readonly code: ErrorCode
      readonly detail: string
    }
  /** A model of a registry is in a folder here. */
  | {
      readonly kind: 'model_fetched'
      readonly name: string
      readonly version: string
      /** Version or alias that was asked for. */
      readonly asked: string
      readonly from: ModelOrigin
      readonly manifestSha256: string
      /** Id of the trusted key that signed it; null where no signature was asked for. */
      readonly signedBy: string | null
      readonly durationMs: number
    }
  /** The registry did not answer; models that were fetched before are taken from the cache. */
  | { readonly kind: 'model_registry_away'; readonly asked: string; readonly detail: string }
  | {
      readonly kind: 'model_ran'
      readonly events: number
      readonly durationMs: number
      readonly reasonRows: number
    }
  /** A challenger gave no score for some events; the champion's decision stands. */
  | {
      readonly kind: 'challenger_failed'
      readonly name: string
      readonly version: string
      readonly events: number
      readonly detail: string
    }
  /** The inference server scored a batch, and the rows that explain it. */
  | {
      readonly kind: 'remote_ran'
      readonly events: number
      readonly durationMs: number
      readonly reasonRows: number
    }
  /** The local model scored a batch in place of the inference server: its events are degraded. */
  | {
      readonly kind: 'fell_back'
      readonly events: number
      readonly code: 'WEIR_CLASSIFY_REMOTE_AWAY' | 'WEIR_CLASSIFY_REMOTE_WRONG'
    }
  | { readonly kind: 'braked'; readonly partition: number; readonly share: number }
  | {
      readonly kind: 'connection'
      readonly system: System
      readonly state: 'up' | 'down'
      readonly detail: string
    }
  /** Something outside is away at start: what was opened is closed, and all is tried again. */
  | {
      readonly kind: 'waiting'
      readonly system: System
      readonly address: string
      readonly attempt: number
      readonly code: ErrorCode
      readonly detail: string
      readonly nextTryMs: number
    }
  | { readonly kind: 'started'; readonly detail: Readonly<Record<string, unknown>> }
  | { readonly kind: 'draining'; readonly reason: string }
  | { readonly kind: 'stopped'; readonly durationMs: number }
  | {
      readonly kind: 'failed'
      readonly code: ErrorCode
      readonly detail: string
      readonly stack: string | undefined
    }

export type Observe = (signal: Signal) => void

/** For tests and for entry points that observe nothing. */
export const observeNothing: Observe = () => undefined
