// A decided batch without the rows that were set aside: what has a row in the run's files.
//
// In: a decided batch. Out: the same one where nothing was set aside, else one whose columns hold
// the other rows alone, in their order. Invariant: arrivals and lanes stay as they are, so every
// index into them still holds.

import type { DecidedBatch, EnrichedBatch, ScoredBatch } from '../pipeline/records.ts'

export function keepScored(decided: DecidedBatch): DecidedBatch {
  const { scored } = decided
  const { setAside, deciders, ...others } = scored
  if (setAside === undefined || setAside.size === 0) return decided
  const rows: number[] = []
  for (let row = 0; row < scored.enriched.count; row++) if (!setAside.has(row)) rows.push(row)
  const pick = <T>(values: readonly T[]): T[] => rows.map((row) => values[row]!)
  const kept: ScoredBatch = {
    ...others,
    enriched: keepRows(scored.enriched, rows),
    scores: Float32Array.from(rows, (row) => scored.scores[row]!),
    challengerScores: scored.challengerScores.map((scores) =>
      Float32Array.from(rows, (row) => scores[row]!),
    ),
    reasons: new Map(
      rows.flatMap((row, i) => {
        const reasons = scored.reasons.get(row)
        return reasons === undefined ? [] : [[i, reasons] as const]
      }),
    ),
    ...(deciders === undefined ? {} : { deciders: Uint8Array.from(rows, (row) => deciders[row]!) }),
  }
  return {
    ...decided,
    scored: kept,
    decisions: pick(decided.decisions),
    decidedBy: pick(decided.decidedBy),
  }
}

function keepRows(enriched: EnrichedBatch, rows: readonly number[]): EnrichedBatch {
  const { count } = enriched
  const pickInto = <Column extends Float32Array | Float64Array>(
    from: Column,
    to: Column,
  ): Column => {
    const width = from.length / count
    for (const [i, row] of rows.entries()) {
      to.set(from.subarray(row * width, (row + 1) * width), i * width)
    }
    return to
  }
  const float64 = (column: Float64Array) =>
    pickInto(column, new Float64Array((column.length / count) * rows.length))
  return {
    ...enriched,
    count: rows.length,
    arrivalIndexes: Uint32Array.from(rows, (row) => enriched.arrivalIndexes[row]!),
    vectors: pickInto(
      enriched.vectors,
      new Float32Array((enriched.vectors.length / count) * rows.length),
    ),
    ordinals: float64(enriched.ordinals),
    eventsSeen: float64(enriched.eventsSeen),
    labelsSeen: float64(enriched.labelsSeen),
    saturated: Uint8Array.from(rows, (row) => enriched.saturated[row]!),
  }
}
