// Random numbers: the same for ever, independent between streams, and of the right shape.

import { describe, expect, it } from 'vitest'
import { RandomStream } from '../../../load/generator/random.ts'

const draws = 20_000

function meanOf(draw: () => number): number {
  let sum = 0
  for (let index = 0; index < draws; index++) sum += draw()
  return sum / draws
}

describe('random', () => {
  it('random - repeats a stream, and gives another for another seed, name or index', () => {
    const first = (stream: RandomStream) => Array.from({ length: 8 }, () => stream.uniform())
    const reference = first(new RandomStream(7, 'customer', 3, 4))
    expect(first(new RandomStream(7, 'customer', 3, 4))).toEqual(reference)
    expect(first(new RandomStream(7, 'label').aim('customer', 3, 4))).toEqual(reference)
    const others = [
      new RandomStream(8, 'customer', 3, 4),
      new RandomStream(7 + 2 ** 32, 'customer', 3, 4),
      new RandomStream(7, 'terminal', 3, 4),
      new RandomStream(7, 'customer', 4, 4),
      new RandomStream(7, 'customer', 3, 5),
    ]
    for (const other of others) expect(first(other)).not.toEqual(reference)
  })

  it('random - forgets a kept normal draw when it is aimed elsewhere', () => {
    const stream = new RandomStream(1, 'customer')
    stream.normal()
    expect(stream.aim('terminal').normal()).toBe(new RandomStream(1, 'terminal').normal())
  })

  it('random - draws with the means that were asked for', () => {
    const stream = new RandomStream(5, 'customer')
    expect(meanOf(() => stream.uniform())).toBeCloseTo(0.5, 1)
    expect(Math.abs(meanOf(() => stream.normal()))).toBeLessThan(0.03)
    expect(meanOf(() => stream.normal() ** 2)).toBeCloseTo(1, 1)
    expect(meanOf(() => stream.exponential(3)) / 3).toBeCloseTo(1, 1)
    expect(meanOf(() => stream.poisson(2.5)) / 2.5).toBeCloseTo(1, 1)
    expect(meanOf(() => stream.poisson(80)) / 80).toBeCloseTo(1, 1)
  })

  it('random - gives whole numbers from low to high, both included', () => {
    const stream = new RandomStream(5, 'customer')
    const seen = new Set(Array.from({ length: 1_000 }, () => stream.integer(-1, 2)))
    expect([...seen].sort()).toEqual([-1, 0, 1, 2])
  })

  it('random - refuses to pick from nothing', () => {
    expect(() => new RandomStream(1, 'customer').pick([])).toThrow(/at least one/)
  })
})
