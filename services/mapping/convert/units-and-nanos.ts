// An amount as google.type.Money has it: { currencyCode, units, nanos }.
//
// In: an object and the code of the event's currency. Out: the exact decimal; units and nanos may
// be text, number or bigint, and either may be missing, as proto3 leaves zeros out. Refused
// (null): other objects, another currency than the event's, nanos of a whole unit or more, or of
// the other sign.

import { ExactDecimal } from '../../core/raw-values.ts'
import { convertInteger } from './number.ts'

const nanosPerUnit = 1_000_000_000n

type Parts = {
  readonly units?: unknown
  readonly nanos?: unknown
  readonly currencyCode?: unknown
  readonly currency_code?: unknown
}

export function readUnitsAndNanos(raw: Parts, code: string): ExactDecimal | null {
  if (raw.units === undefined && raw.nanos === undefined) return null
  const named = raw.currencyCode ?? raw.currency_code ?? ''
  if (named !== '' && named !== code) return null
  const units = wholeOf(raw.units)
  const nanos = wholeOf(raw.nanos)
  if (units === undefined || nanos === undefined) return null
  if (nanos >= nanosPerUnit || nanos <= -nanosPerUnit || units * nanos < 0n) return null
  return new ExactDecimal(units * nanosPerUnit + nanos, 9)
}

function wholeOf(raw: unknown): bigint | undefined {
  const whole = convertInteger(raw)
  return whole === undefined ? undefined : BigInt(whole ?? 0)
}
