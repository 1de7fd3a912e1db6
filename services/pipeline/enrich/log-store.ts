// The store port: one call per micro-batch appends the batch's records to their entities' logs and
// gives back those logs, decoded, with the place of each record in them.
//
// Implemented by adapters/redis (shared between scorers) and adapters/memory (replay, tests); one
// contract suite and a naive oracle hold both to this page.
// What may be refused: an older epoch (WEIR_ENRICH_FENCED), a store that knows less than a lane has
// applied, or may (WEIR_ENRICH_STORE_UNSURE), a store that does not answer (…_STORE_AWAY).
// Invariants: a record is appended exactly once, whatever is delivered again; a redelivered record
// is found at its first place; a log's order is the order in which its records were first applied.

import { WeirError } from '../../core/errors.ts'
import type { LaneSlice } from '../records.ts'
import type { EntityLog, RowShape } from './entity-log.ts'
import type { LogHistory } from './fold-log.ts'

/** A kind of log: an entity's transactions, or an entity's labels. */
export type LogKind = {
  readonly name: string
  readonly shape: RowShape
  readonly history: LogHistory
}

/** Columns, one entry per (event, log); entries stand in the batch's merged order. */
export type LogRecords = {
  count: number
  /** Index into the store's log kinds. */
  readonly kinds: Uint8Array
  readonly keys: string[]
  readonly eventTimesMs: Float64Array
  /** encodeSource(lane, offset). */
  readonly sources: Float64Array
  /** Index into `lanes` of the request. */
  readonly laneIndexes: Uint16Array
  /** 1 = append; 0 = only show the log as it stands at this place of the batch. */
  readonly appends: Uint8Array
  /** `valueStride` doubles per entry, of which the kind's shape uses the first ones. */
  readonly values: Float64Array
  readonly valueStride: number
}

export type AdvanceRequest = {
  readonly lanes: readonly LaneSlice[]
  readonly records: LogRecords
}

export type AdvanceReply = {
  /** The log of each entry; shared objects, valid until the next advance. */
  readonly logs: readonly EntityLog[]
  /** Row index of each appended entry; -1 where nothing was appended. */
  readonly positions: Int32Array
  /** Rows of the log that lie before the entry: its row index, or what a reader sees. */
  readonly visible: Int32Array
}

/** How far a lane is: nothing earlier than `frontierMs` is to come from it, late events aside. */
export type LaneFrontier = {
  readonly laneId: number
  readonly frontierMs: number
  readonly isIdle: boolean
  /** Store's clock when the lane last advanced, ms. */
  readonly touchedMs: number
}

/** A lane that this process holds, where it stands before its next batch. */
export type OwnFrontier = Omit<LaneFrontier, 'touchedMs'> & {
  readonly epoch: number
  /** Offset of the lane's next event to commit: what lies before may be folded. */
  readonly committedOffset: number
}

/** A claimed lane whose commits are final: nobody else can commit for it any more. */
export type ConfirmedLane = {
  readonly laneId: number
  readonly epoch: number
  /** Offset of the next event to commit, as Kafka has it. */
  readonly committedOffset: number
}

/**
 * ready: the store is whole. waiting: its server is new (restarted, failed over), and not all lanes
 * have said yet how far they are. lost: a lane has committed what the store does not have.
 */
export type StoreState = 'ready' | 'waiting' | 'lost'

export type LaneClaim = {
  readonly epoch: number
  /** Highest offset of the lane that every bucket of the store has applied; -1 for none. */
  readonly appliedOffset: number
  /** Offset of the lane's next event to commit, as far as the store was told; 0 for nothing. */
  readonly committedOffset: number
}

export type EntityLogStore = {
  /** Takes a lane over: whoever held it before is refused from now on. */
  readonly claim: (laneId: number) => Promise<LaneClaim>
  /**
   * Tells what is committed, and asks whether the store can be trusted. Until it is ready, advance
   * is refused. `laneIds` are all lanes that share the store, whoever holds them.
   */
  readonly confirm: (lane: ConfirmedLane, laneIds: readonly number[]) => Promise<StoreState>
  readonly advance: (request: AdvanceRequest) => Promise<AdvanceReply>
  /** Frontiers of all lanes that share the store, this process' own included, as last heard of. */
  readonly knownFrontiers: () => readonly LaneFrontier[]
  /** Tells ours and asks for everybody's without advancing; every advance does both anyway. */
  readonly exchangeFrontiers: (ours: readonly OwnFrontier[]) => Promise<void>
  /** Tells every part of the store how far our lanes are; refused as advance would be. */
  readonly touch: (ours: readonly OwnFrontier[]) => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * The store refused a lane: another scorer holds it, or the store may lack what the lane applied.
 */
export class LaneRefusedError extends WeirError {
  readonly laneId: number

  constructor(
    code: 'WEIR_ENRICH_FENCED' | 'WEIR_ENRICH_STORE_UNSURE',
    laneId: number,
    detail: string,
  ) {
    super(code, `Lane ${laneId}: ${detail}`)
    this.laneId = laneId
  }
}
