// The population stability index between two histograms over the same bins.
//
// Half an event is added to each bin, so that an empty one is not infinite. Nothing is refused.

export function populationStability(expected: ArrayLike<number>, found: ArrayLike<number>): number {
  const bins = expected.length
  const expectedAll = sumOf(expected) + bins / 2
  const foundAll = sumOf(found) + bins / 2
  let psi = 0
  for (let bin = 0; bin < bins; bin++) {
    const before = (expected[bin]! + 0.5) / expectedAll
    const now = (found[bin]! + 0.5) / foundAll
    psi += (now - before) * Math.log(now / before)
  }
  return psi
}

export function sumOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum
}
