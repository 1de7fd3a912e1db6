// What converts a raw value to a field's value; types only.
//
// In: what a reader of JSON, CSV, Avro or Parquet gives: text, number, bigint, boolean, Date (an
// exact instant), LocalTime, ExactDecimal, or null and undefined for nothing. Out: the value; null
// = absent; undefined = of the wrong kind, or impossible. Invariant: pure; the same raw value gives
// the same field value on every machine.

import type { FieldValue } from '../../core/input-mapping.ts'

/**
 * @param currency alphabetic code of the event's currency, for money that has it in a field.
 * @param referenceMs a time close to the event's, the broker's, for times without a year.
 */
export type Convert = (
  raw: unknown,
  currency?: string | null,
  referenceMs?: number,
) => FieldValue | undefined

export type Converter = {
  readonly convert: Convert
  /** For messages: 'a whole number', 'a time such as 2026-01-31T08:00:00Z'. */
  readonly expectation: string
}
