// Finding the one event that a batch fails on: smaller and smaller batches, until it is alone.
//
//   1000 fails twice ─► 500 ─ commits ─► 250 of the rest ─ fails ─► 125 ... ─► 1 fails: set it aside
//
// In: what became of batches. Out: how many events the next one may have, and for a batch of one
// that has failed, the refusal under which it goes through. Only failures that come from the batch
// count: what is outside comes back, and what others took is claimed anew. A model that fails for
// everybody makes no event poison: few are set aside in a row. Invariants: about twice log2 of a
// batch's events are tried; once every suspect has an outcome, batches are as big as ever; an event
// is set aside only after it failed alone, several times.

import { errorTable, WeirError } from '../core/errors.ts'
import type { Batch, Rejection } from '../pipeline/records.ts'
import { asError, isOutside } from './outside.ts'

export type Isolation = {
  /** While it looks for an event, one batch is on its way at a time. */
  readonly isActive: () => boolean
  readonly eventsMax: (usual: number) => number
  /** Under which refusal the batch goes through; undefined for nearly every one. */
  readonly refusalFor: (batch: Batch) => Rejection | undefined
  readonly failed: (batch: Batch, error: unknown) => void
  readonly committed: (batch: Batch, laneIndex: number) => void
  /** Lanes came or went: who still fails will be looked for anew. */
  readonly forget: () => void
}

/** A failure may be chance once; the same again, with the same code, is looked into. */
const FAILURES_BEFORE = 2
/** As often an event fails alone before it is its own fault. */
const FAILURES_ALONE = 3
/** Events set aside with none between them that went well: beyond it the fault lies elsewhere. */
const ASIDE_IN_A_ROW_MAX = 3

export function createIsolation(): Isolation {
  /** By lane, the offset up to which events are suspect; empty = nothing is looked for. */
  const suspects = new Map<number, number>()
  let suspectEvents = 0
  let failures = 0
  let lastCode = ''
  let asideInARow = 0
  let aloneKey = ''
  let aloneFailures = 0
  /** By lane, the event that failed alone, and why. */
  const refusals = new Map<number, { readonly offset: number; readonly refusal: Rejection }>()

  const suspect = ({ lanes, arrivals }: Batch): void => {
    suspects.clear()
    suspectEvents = arrivals.length
    for (const { laneId, lastOffset } of lanes) suspects.set(laneId, lastOffset)
  }

  return {
    isActive: () => suspects.size > 0,
    eventsMax: (usual) =>
      suspects.size === 0 ? usual : Math.max(1, Math.min(usual, Math.floor(suspectEvents / 2))),
    refusalFor: ({ lanes, arrivals }) => {
      if (refusals.size === 0 || arrivals.length > 1) return undefined
      const known = refusals.get(lanes[0]!.laneId)
      return known?.offset === arrivals[0]!.raw.offset ? known.refusal : undefined
    },
    failed: (batch, error) => {
      const code = codeOfBatch(error)
      if (code === null) return
      failures = code === lastCode ? failures + 1 : 1
      lastCode = code
      if (failures < FAILURES_BEFORE) return
      suspect(batch)
      if (batch.arrivals.length > 1) return
      const { laneId } = batch.lanes[0]!
      const offset = batch.arrivals[0]!.raw.offset
      const key = `${laneId} ${offset} ${code}`
      aloneFailures = key === aloneKey ? aloneFailures + 1 : 1
      aloneKey = key
      if (aloneFailures < FAILURES_ALONE || asideInARow >= ASIDE_IN_A_ROW_MAX) return
      refusals.set(laneId, { offset, refusal: refusalOf(error as WeirError) })
    },
    committed: ({ lanes, laneIndexes }, laneIndex) => {
      const { laneId, lastOffset } = lanes[laneIndex]!
      const wasRefused = (refusals.get(laneId)?.offset ?? Number.POSITIVE_INFINITY) <= lastOffset
      if (wasRefused) refusals.delete(laneId)
      asideInARow = wasRefused ? asideInARow + 1 : 0
      const until = suspects.get(laneId)
      if (until !== undefined) {
        suspectEvents -= laneIndexes.reduce((n, index) => (index === laneIndex ? n + 1 : n), 0)
        if (lastOffset >= until) suspects.delete(laneId)
      }
      if (suspects.size === 0) failures = 0
    },
    forget: () => {
      suspects.clear()
      refusals.clear()
      failures = 0
    },
  }
}

/** Null where the events of the batch have no part in it. */
function codeOfBatch(error: unknown): string | null {
  if (!(error instanceof WeirError) || isOutside(error)) return null
  const { code } = error
  if (code === 'WEIR_ENRICH_FENCED' || code === 'WEIR_PUBLISH_IN_DOUBT') return null
  return errorTable[code].kind === 'ours' ? null : code
}

const stages = ['enrich', 'classify', 'publish'] as const

/**
 * What is bad data already keeps its code; else the event is what all that failed has in common.
 */
function refusalOf(error: WeirError): Rejection {
  const stage = stages.find((name) => error.code.startsWith(`WEIR_${name.toUpperCase()}_`))
  const isBadData = errorTable[error.code].kind === 'bad_data'
  return {
    code: (isBadData ? error.code : 'WEIR_LANE_POISON') as Rejection['code'],
    stage: stage ?? 'classify',
    detail: isBadData ? asError(error).message : `${error.code}: ${asError(error).message}`,
  }
}
