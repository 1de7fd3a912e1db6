// Values as Parquet and Avro store them, to raw values that lose nothing.
//
// In: whole numbers and bytes, and what the file's schema says of them. Out: ms since the epoch
// for moments in time; LocalTime for times without a zone and for dates; ExactDecimal for decimals.
// Invariants: fractions of a millisecond are cut off from moments (towards the past) and kept in
// texts; a time that no calendar text can have becomes a text that no reader of times takes, so
// that it is a fault of its row.

import { ExactDecimal, LocalTime } from '../../core/raw-values.ts'

export type StoredUnit = 'millis' | 'micros' | 'nanos'

const perMs = { millis: 1n, micros: 1000n, nanos: 1_000_000n } as const
const safeMax = BigInt(Number.MAX_SAFE_INTEGER)
const dayMs = 86_400_000
/** Beyond these, no Date exists; within, years have up to six digits. */
const dateMaxMs = 8.64e15

/** A number where a double holds it exactly, otherwise a bigint. */
export const toWhole = (value: bigint): number | bigint =>
  value >= -safeMax && value <= safeMax ? Number(value) : value

export function toInstantMs(value: number | bigint, unit: StoredUnit): number {
  if (unit === 'millis') return Number(value)
  const stored = BigInt(value)
  const per = perMs[unit]
  const ms = stored / per
  return Number(stored < 0n && stored % per !== 0n ? ms - 1n : ms)
}

export function toLocalTime(value: number | bigint, unit: StoredUnit): LocalTime {
  const ms = toInstantMs(value, unit)
  if (!(Math.abs(ms) <= dateMaxMs)) return new LocalTime(`${value} ${unit} since 1970`)
  const text = new Date(ms).toISOString().slice(0, -1)
  const rest = unit === 'millis' ? 0n : BigInt(value) - BigInt(ms) * perMs[unit]
  if (rest === 0n) return new LocalTime(text)
  return new LocalTime(text + String(rest).padStart(unit === 'micros' ? 3 : 6, '0'))
}

export function toLocalDate(days: number): LocalTime {
  const ms = days * dayMs
  if (!(Math.abs(ms) <= dateMaxMs)) return new LocalTime(`${days} days since 1970`)
  return new LocalTime(new Date(ms).toISOString().split('T')[0]!)
}

/** @param bytes the unscaled value: two's complement, the highest byte first. */
export function decimalOfBytes(bytes: Uint8Array, scale: number): ExactDecimal {
  const { length } = bytes
  if (length === 0) return new ExactDecimal(0n, scale)
  let unsigned = 0n
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  let at = 0
  for (; at < length % 8; at++) unsigned = (unsigned << 8n) | BigInt(bytes[at]!)
  for (; at < length; at += 8) unsigned = (unsigned << 64n) | view.getBigUint64(at)
  return new ExactDecimal(BigInt.asIntN(length * 8, unsigned), scale)
}
