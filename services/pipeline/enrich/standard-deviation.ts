// The population standard deviation of integers, the same bit for bit in whatever order they come.
//
// In: integers with magnitude below 2^53. Out: sqrt(n * sum(x^2) - sum(x)^2) / n; NaN for none.
// The number under the root is an exact integer: in doubles where they suffice, else in BigInt.
// So the result depends on the set of values alone and can later be taken from tiles as well.

export function standardDeviation(values: readonly number[]): number {
  const count = values.length
  if (count === 0) return Number.NaN
  let sum = 0
  let squares = 0
  for (const value of values) {
    sum += value
    squares += value * value
  }
  // Every partial sum of squares is below this one, so nothing was rounded on the way.
  const isExact = count * squares <= Number.MAX_SAFE_INTEGER
  const spread = isExact ? count * squares - sum * sum : spreadExactly(values)
  return Math.sqrt(spread) / count
}

function spreadExactly(values: readonly number[]): number {
  let sum = 0n
  let squares = 0n
  for (const value of values) {
    const integer = BigInt(value)
    sum += integer
    squares += integer * integer
  }
  return Number(BigInt(values.length) * squares - sum * sum)
}
