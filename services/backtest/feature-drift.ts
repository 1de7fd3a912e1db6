// Do the features look as they did in training? PSI against the histograms of the model's manifest.
//
// In: vectors row after row. Out: per feature the population stability index over the reference's
// own bins, and whether it is more than chance: above 0.1 and above what (1/n + 1/m) x chi-square
// would exceed once in 1,000 features without any drift. Largest first. Nothing is refused; without
// rows the index is null. Half an event is added to each bin, so that an empty one is not infinite.

import type { FeatureReference } from '../models/manifest.ts'
import { populationStability, sumOf } from '../statistics/population-stability.ts'

export type FeatureDrift = {
  readonly feature: string
  readonly psi: number | null
  /** What chance alone stays below, 999 times of 1,000. */
  readonly chanceMax: number | null
  readonly isDrifted: boolean
  /** Shares per bin of the reference and of this run. */
  readonly expected: readonly number[]
  readonly found: readonly number[]
}

const psiMin = 0.1

export function createFeatureDrift(references: readonly FeatureReference[]) {
  const edges = references.map((reference) => Float64Array.from(reference.edges))
  const counts = references.map((reference) => new Float64Array(reference.counts.length))
  const width = references.length
  return {
    add: (vectors: Float32Array, row: number): void => {
      for (let f = 0; f < width; f++) counts[f]![binOf(edges[f]!, vectors[row * width + f]!)]!++
    },
    measure: (): FeatureDrift[] =>
      references
        .map((reference, f) => compare(reference, counts[f]!))
        .sort((a, b) => (b.psi ?? 0) - (a.psi ?? 0) || (a.feature < b.feature ? -1 : 1)),
  }
}

/** Bin i holds edges[i-1] < value <= edges[i]. */
function binOf(edges: Float64Array, value: number): number {
  let low = 0
  let high = edges.length
  while (low < high) {
    const half = (low + high) >> 1
    if (value <= edges[half]!) high = half
    else low = half + 1
  }
  return low
}

function compare({ name, counts }: FeatureReference, found: Float64Array): FeatureDrift {
  const expectedAll = sumOf(counts)
  const foundAll = sumOf(found)
  const shares = { expected: sharesOf(counts), found: foundAll === 0 ? [] : sharesOf(found) }
  if (foundAll === 0 || expectedAll === 0) {
    return { feature: name, psi: null, chanceMax: null, isDrifted: false, ...shares }
  }
  const psi = populationStability(counts, found)
  const chanceMax = (1 / expectedAll + 1 / foundAll) * chiSquare999(counts.length - 1)
  return { feature: name, psi, chanceMax, isDrifted: psi > Math.max(psiMin, chanceMax), ...shares }
}

/** The 0.999 quantile by Wilson and Hilferty; 0 where there is only one bin. */
export function chiSquare999(freedom: number): number {
  if (freedom === 0) return 0
  const part = 2 / (9 * freedom)
  return freedom * (1 - part + 3.090232306167813 * Math.sqrt(part)) ** 3
}

function sharesOf(column: ArrayLike<number>): number[] {
  const all = sumOf(column)
  return Array.from(column, (value) => (all === 0 ? 0 : value / all))
}
