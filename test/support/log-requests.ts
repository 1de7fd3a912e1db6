// Requests to a log store, written down entry by entry.

import { limits } from '../../services/core/limits.ts'
import { encodeSource } from '../../services/pipeline/enrich/entity-log.ts'
import type {
  AdvanceReply,
  AdvanceRequest,
  LogKind,
} from '../../services/pipeline/enrich/log-store.ts'
import type { LaneSlice } from '../../services/pipeline/records.ts'

/** Two kinds of different widths, so that a store that mixes them up is caught. */
const history = { exactMs: 1e12, newest: 0, levels: [], ceilings: limits }

export const testKinds: readonly LogKind[] = [
  { name: 'customer', shape: { values: 2, summed: 1, extremes: [], keepsFirst: false }, history },
  { name: 'terminal', shape: { values: 1, summed: 0, extremes: [], keepsFirst: false }, history },
]

export type TestEntry = {
  readonly lane?: number
  readonly offset: number
  readonly kind?: number
  readonly key?: string
  readonly timeMs?: number
  readonly looks?: boolean
}

export type TestHolding = { readonly laneId: number; readonly epoch: number }

const VALUE_STRIDE = 2

/** The values of an entry follow from its offset, so that they can be checked. */
export const valuesOf = (offset: number): readonly [number, number] => [offset * 10, offset + 0.5]

export function requestOf(
  held: readonly TestHolding[],
  entries: readonly TestEntry[],
): AdvanceRequest {
  const records = {
    count: entries.length,
    kinds: Uint8Array.from(entries, ({ kind }) => kind ?? 0),
    keys: entries.map(({ key }) => key ?? 'k'),
    eventTimesMs: Float64Array.from(entries, ({ timeMs, offset }) => timeMs ?? 1000 + offset),
    sources: Float64Array.from(entries, ({ lane, offset }) =>
      encodeSource(held[lane ?? 0]!.laneId, offset),
    ),
    laneIndexes: Uint16Array.from(entries, ({ lane }) => lane ?? 0),
    appends: Uint8Array.from(entries, ({ looks }) => (looks === true ? 0 : 1)),
    values: Float64Array.from(entries.flatMap(({ offset }) => [...valuesOf(offset)])),
    valueStride: VALUE_STRIDE,
  }
  return { lanes: held.map((holding, lane) => sliceOf(holding, lane, entries)), records }
}

function sliceOf(
  { laneId, epoch }: TestHolding,
  lane: number,
  entries: readonly TestEntry[],
): LaneSlice {
  const offsets = entries.filter((e) => (e.lane ?? 0) === lane).map(({ offset }) => offset)
  const firstOffset = Math.min(...offsets)
  return {
    laneId,
    stream: 'transactions',
    partition: laneId,
    epoch,
    fromOffset: firstOffset,
    committedOffset: firstOffset,
    firstOffset,
    lastOffset: Math.max(...offsets),
    watermarkMs: 1000 + Math.max(...offsets),
    frontierMs: 1000 + Math.max(...offsets),
    isIdle: false,
  }
}

/** Offsets from..to, one entry each. */
export const entriesOf = (from: number, to: number, entry: Partial<TestEntry> = {}): TestEntry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ ...entry, offset: from + i }))

/** Each entry's ordinal in its log; -1 where it has none. */
export const ordinalsOf = ({ logs, positions }: AdvanceReply): number[] =>
  logs.map(({ base }, i) => (positions[i]! < 0 ? -1 : base + positions[i]!))

/** How many events of its log lie before each entry, dropped ones included. */
export const seenOf = ({ logs, visible }: AdvanceReply): number[] =>
  logs.map(({ base }, i) => base + visible[i]!)
