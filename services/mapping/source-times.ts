// Dates, times and decimals of binary formats, as raw values.
//
// In: numbers as they are on the wire (a number, or a bigint where it is beyond 2^53), and the
// bytes of a decimal. Out: Instant, LocalTime, ms since midnight, ExactDecimal. Nothing is refused
// but a decimal of absurd length; a date that no calendar text holds (a database's "infinity") is
// a LocalTime that no field's type takes, so that it costs its field and not the event. Invariant:
// what is finer than a millisecond is cut off, towards the past.

import { ExactDecimal, Instant, LocalTime } from '../core/raw-values.ts'

export type Whole = number | bigint

const dayMs = 86_400_000
const dateMsMax = 8.64e15
const decimalBytesMax = 128

/** `perMs` units are a millisecond. */
export function msOf(value: Whole, perMs: number): number {
  if (typeof value === 'number') return Math.floor(value / perMs)
  const divisor = BigInt(perMs)
  const whole = value / divisor
  return Number(value < 0n && whole * divisor !== value ? whole - 1n : whole)
}

export const instantOf = (value: Whole, perMs: number): Instant => new Instant(msOf(value, perMs))

export function localTimeOf(value: Whole, perMs: number): LocalTime {
  const ms = msOf(value, perMs)
  return new LocalTime(Math.abs(ms) > dateMsMax ? 'out of range' : isoText(ms).slice(0, -1))
}

export function localDateOf(days: number): LocalTime {
  const ms = days * dayMs
  return new LocalTime(Math.abs(ms) > dateMsMax ? 'out of range' : isoText(ms).split('T')[0]!)
}

const isoText = (ms: number): string => new Date(ms).toISOString()

/** Big-endian two's complement, as Java's BigInteger writes it. */
export function decimalOf(bytes: Buffer, scale: number): ExactDecimal {
  const { length } = bytes
  if (length > decimalBytesMax) throw new Error('a decimal has too many digits')
  if (length === 0) return new ExactDecimal(0n, scale)
  if (length <= 6) return new ExactDecimal(BigInt(bytes.readIntBE(0, length)), scale)
  return new ExactDecimal(BigInt.asIntN(length * 8, BigInt(`0x${bytes.toString('hex')}`)), scale)
}

export function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  const ends = [0, 8, 12, 16, 20, 32]
  return ends
    .slice(1)
    .map((end, index) => hex.slice(ends[index], end))
    .join('-')
}
