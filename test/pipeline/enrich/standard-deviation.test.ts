// The deviation is exact under its root, small or large the numbers, whatever their order.

import { expect, test } from 'vitest'
import { standardDeviation } from '../../../services/pipeline/enrich/standard-deviation.ts'
import { createRandom } from '../../support/random.ts'

function exactly(values: readonly number[]): number {
  const count = BigInt(values.length)
  const sum = values.reduce((total, value) => total + BigInt(value), 0n)
  const squares = values.reduce((total, value) => total + BigInt(value) ** 2n, 0n)
  return Math.sqrt(Number(count * squares - sum * sum)) / values.length
}

test('stddev - is the population deviation, and not a number for nothing', () => {
  expect(standardDeviation([300, 100, 500, 700, 400])).toBe(200)
  expect(standardDeviation([5])).toBe(0)
  expect(standardDeviation([])).toBeNaN()
})

test('stddev - does not lose small differences between large numbers', () => {
  expect(standardDeviation([1e12, 1e12 - 2])).toBe(1)
  expect(standardDeviation([1e15 + 1, 1e15 + 3, 1e15 + 1, 1e15 + 3])).toBe(1)
})

test('stddev - equals exact arithmetic bit for bit in any order', () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = createRandom(seed)
    const scale = 10 ** random.integer(0, 13)
    const values = Array.from({ length: random.integer(1, 40) }, () => random.integer(0, scale))
    expect(standardDeviation(values), `seed ${seed}`).toBe(exactly(values))
    expect(standardDeviation(values.toReversed()), `seed ${seed}`).toBe(exactly(values))
  }
})
