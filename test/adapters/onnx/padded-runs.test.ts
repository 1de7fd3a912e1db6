import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { paddedSizes, padRuns, sizeOfRun } from '../../../services/adapters/onnx/padded-runs.ts'

const seed = Number(process.env.WEIR_TEST_SEED ?? Date.now() % 2 ** 31)
console.info(`padded-runs seed ${seed}`)
const largest = paddedSizes.at(-1)!

/** Scores a row by its sum, and keeps what it was given. */
const watchRuns = () => {
  const runs: { readonly rows: number; readonly values: number }[] = []
  const score = async (vectors: Float32Array, rows: number): Promise<Float32Array> => {
    runs.push({ rows, values: vectors.length })
    const width = vectors.length / rows
    return Float32Array.from({ length: rows }, (_, row) =>
      vectors.subarray(row * width, (row + 1) * width).reduce((sum, value) => sum + value, 0),
    )
  }
  return { runs, score }
}

describe('padded runs', () => {
  it.each([
    [1, 64],
    [64, 64],
    [65, 512],
    [513, 2_048],
    [2_049, 8_192],
    [8_192, 8_192],
    [8_193, 16_384],
  ])('sizeOfRun - takes %i rows to %i', (rows, size) => {
    expect(sizeOfRun(rows)).toBe(size)
  })

  it('padRuns - runs only padded sizes and gives each row its own score', async () => {
    const rowCounts = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 20_000 }))
    const property = fc.asyncProperty(
      rowCounts,
      fc.integer({ min: 1, max: 5 }),
      async (rows, width) => {
        const { runs, score } = watchRuns()
        const vectors = Float32Array.from({ length: rows * width }, (_, i) => (i % 251) + 1)
        const scores = await padRuns(score, width)(vectors, rows)
        expect(scores).toEqual(await watchRuns().score(vectors, rows))
        const [run] = runs
        expect(runs).toHaveLength(1)
        expect(run!.values).toBe(run!.rows * width)
        expect(run!.rows).toBeGreaterThanOrEqual(rows)
        const isPadded = (paddedSizes as readonly number[]).includes(run!.rows)
        expect(isPadded || run!.rows % largest === 0).toBe(true)
      },
    )
    await fc.assert(property, { seed, numRuns: 60 })
  })

  it('padRuns - fills up with zeros, whatever lies behind the rows in their buffer', async () => {
    let seen = new Float32Array()
    const score = padRuns(async (vectors, rows) => {
      seen = vectors.slice()
      return new Float32Array(rows)
    }, 2)
    await score(new Float32Array(200).fill(7), 3)
    expect([...seen.subarray(0, 6)]).toEqual([7, 7, 7, 7, 7, 7])
    expect(seen.subarray(6).every((value) => value === 0)).toBe(true)
    expect(seen).toHaveLength(128)
  })
})
