// Vectors at the ends of what features can be, for a gate that asks whether a model has a score for
// them.
//
// In: by feature its extremes, and the medians of the model's manifest. Out: rows, and of each what
// is odd about it. Every extreme stands alone among medians, among the least and among the largest
// values; then all features are at an end together. Refused: nothing. Invariant: rows and their
// names are in the same order.

import type { FeatureExtremes } from '../pipeline/enrich/feature-extremes.ts'

export type ExtremeRows = {
  readonly count: number
  /** count x features. */
  readonly vectors: Float32Array
  /** By row: `amount 1000000000, other features at their medians`. */
  readonly names: readonly string[]
}

type Base = { readonly name: string; readonly values: readonly number[] }

export function layExtremes(
  extremes: readonly FeatureExtremes[],
  medians: readonly number[],
): ExtremeRows {
  const least = { name: 'least', values: extremes.map(({ values }) => values[0]!) }
  const largest = { name: 'largest', values: extremes.map(({ values }) => values.at(-1)!) }
  const zero = { name: 'nearest to 0', values: extremes.map(nearestToZero) }
  const together = [least, largest, zero].map(({ name, values }) => ({
    name: `every feature at its ${name}`,
    values,
  }))
  const alone = [{ name: 'median', values: medians }, least, largest].flatMap((base) =>
    extremes.flatMap(({ name, values }, index) =>
      values.map((value) => withOne(base, index, { name, value })),
    ),
  )
  const rows = [...alone, ...together]
  return {
    count: rows.length,
    vectors: Float32Array.from(rows.flatMap(({ values }) => values)),
    names: rows.map(({ name }) => name),
  }
}

const withOne = (
  base: Base,
  index: number,
  { name, value }: { readonly name: string; readonly value: number },
): Base => ({
  name: `${name} ${value}, other features at their ${base.name}`,
  values: base.values.with(index, value),
})

const nearestToZero = ({ values }: FeatureExtremes): number =>
  values.reduce((nearest, value) => (Math.abs(value) < Math.abs(nearest) ? value : nearest))
