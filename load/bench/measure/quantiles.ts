// Quantiles of what was measured, not of buckets.
//
// In: values in any order. Out: the value at a quantile by nearest rank: a value that really
// occurred, and never one smaller than the share says. NaN where there are no values.

export function sortValues(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort()
}

export const medianOf = (values: readonly number[]): number => quantileOf(sortValues(values), 0.5)

export function quantileOf(sorted: Float64Array, quantile: number): number {
  const rank = Math.max(1, Math.ceil(quantile * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}
