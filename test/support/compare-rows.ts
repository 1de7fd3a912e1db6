// Whether an enriched batch is what the oracle says, bit for bit.
//
// Throws at the first difference and names it: seed and step, row, feature, both values. Plain
// loops instead of expect(): the property tests compare millions of numbers.

import type { EnrichedBatch } from '../../services/pipeline/records.ts'
import type { OracleRow } from '../oracle/oracle.ts'

export function compareWithOracle(
  enriched: EnrichedBatch,
  rows: readonly OracleRow[],
  place: string,
): void {
  const { count, vectors, ordinals, eventsSeen, labelsSeen, arrivalIndexes } = enriched
  sameNumber(count, rows.length, `${place}: scored transactions`)
  rows.forEach((row, r) => {
    const at = `${place}, row ${r}`
    sameNumber(arrivalIndexes[r]!, row.arrivalIndex, `${at}: arrival`)
    sameColumns(ordinals, row.ordinals, r, `${at}: ordinal`)
    sameColumns(eventsSeen, row.eventsSeen, r, `${at}: eventsSeen`)
    sameColumns(labelsSeen, row.labelsSeen, r, `${at}: labelsSeen`)
    sameColumns(vectors, row.vector, r, `${at}: feature`)
    sameNumber(enriched.saturated[r]!, row.isSaturated ? 1 : 0, `${at}: saturated`)
  })
}

function sameColumns(
  actual: Float32Array | Float64Array,
  expected: readonly number[],
  row: number,
  place: string,
): void {
  expected.forEach((value, column) => {
    sameNumber(actual[row * expected.length + column]!, value, `${place} ${column}`)
  })
}

/** Object.is tells 0 from -0: for numbers that came out of one Math.fround it compares all bits. */
function sameNumber(actual: number, expected: number, place: string): void {
  if (!Object.is(actual, expected)) {
    throw new Error(`${place}: found ${actual}, the oracle says ${expected}`)
  }
}
