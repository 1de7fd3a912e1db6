// A raw value as a time: ms since the epoch.
//
//   Instant, Date ────────────────────────────────────┐
//   LocalTime ── declared zone ───────────────────────┼─► ms
//   text, number ── iso | epoch | pattern | step ─────┘
//
// In: the declared format, once; a raw value, and a time nearby for formats without a year. Out:
// ms; null for nothing, blank text and NaN. Refused (undefined): what the format does not say,
// booleans, objects; a time without a zone where none is declared. Invariant: what a reader knows
// as an instant stays that instant, whatever is declared.

import type { FieldType } from '../../../core/input-mapping.ts'
import { Instant, LocalTime } from '../../../core/raw-values.ts'
import type { Convert } from '../convert.ts'
import { isAbsentNumber } from '../number.ts'
import { createEpochReader } from './epoch.ts'
import { readIso, readLocalIso } from './iso.ts'
import { createPatternReader } from './pattern.ts'
import { createStepReader } from './step.ts'
import { type ToInstant, zoneOf } from './zone.ts'

type TimeType = Extract<FieldType, { readonly kind: 'time' }>

/** Of text and numbers that are there. */
type ReadTime = (raw: unknown, referenceMs: number | undefined) => number | undefined

export function createTimeConvert(type: TimeType): Convert {
  const hasZone = 'zone' in type && type.zone !== null
  const toInstant = hasZone ? zoneOf(type.zone) : null
  const read = createReader(type, toInstant)
  return (raw, _currency, referenceMs) => {
    if (typeof raw === 'number') return Number.isNaN(raw) ? null : read(raw, referenceMs)
    if (typeof raw === 'string')
      return read(raw, referenceMs) ?? (isAbsentNumber(raw) ? null : undefined)
    if (raw === null || raw === undefined) return null
    if (raw instanceof Instant) return raw.ms
    if (raw instanceof Date) return Number.isNaN(raw.getTime()) ? undefined : raw.getTime()
    if (raw instanceof LocalTime) {
      return toInstant === null ? undefined : readLocalIso(raw.text, toInstant)
    }
    return read(raw, referenceMs)
  }
}

function createReader(type: TimeType, toInstant: ToInstant | null): ReadTime {
  switch (type.format) {
    case 'iso':
      return (raw) => (typeof raw === 'string' ? readIso(raw, toInstant) : undefined)
    case 'epoch':
      return createEpochReader(type.unit)
    case 'pattern':
      return createPatternReader(type.pattern, toInstant)
    case 'step':
      return createStepReader(type.stepMs, type.originMs)
  }
}

export function timeExpectation(type: TimeType): string {
  switch (type.format) {
    case 'iso':
      return `a time such as 2026-01-31T08:00:00${type.zone === null ? 'Z, with its zone' : ''}`
    case 'epoch':
      return `a time in ${unitNames[type.unit]} since 1970`
    case 'pattern':
      return `a time written as ${type.pattern}`
    case 'step':
      return `a count of steps of ${type.stepMs} ms`
  }
}

const unitNames = { s: 'seconds', ms: 'milliseconds', us: 'microseconds', ns: 'nanoseconds' }
