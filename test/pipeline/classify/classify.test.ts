import { describe, expect, it } from 'vitest'
import type {
  Classifier,
  ClassifyReply,
  ClassifyRequest,
} from '../../../services/pipeline/classify/classifier.ts'
import { classify } from '../../../services/pipeline/classify/classify.ts'
import type { EnrichedBatch } from '../../../services/pipeline/records.ts'

const enrichedOf = (count: number): EnrichedBatch => ({
  batch: {
    lanes: [],
    arrivals: [],
    laneIndexes: new Uint16Array(0),
    latenessMs: new Float64Array(0),
    brakes: [],
  },
  count,
  arrivalIndexes: new Uint32Array(count),
  vectors: Float32Array.from({ length: count * 2 }, (_, i) => i),
  ordinals: new Float64Array(count),
  eventsSeen: new Float64Array(count),
  labelsSeen: new Float64Array(count),
  saturated: new Uint8Array(count),
  diverted: [],
})

const noFlags = { events: 9, flagged: 0, eventsBefore: 0, flaggedBefore: 0 }

const modelOf = (name: string) => ({ name, version: '1', sha256: 'a', provider: 'cpu' })

/**
 * Scores each row by its first feature; gives the vectors back in another buffer, as a worker may.
 */
const plainClassifier = (overrides: Partial<ClassifyReply> = {}) => {
  const requests: ClassifyRequest[] = []
  const classifier: Classifier = {
    classify: async (request) => {
      requests.push(request)
      const scores = Float32Array.from({ length: request.count }, (_, row) => row / 100)
      return {
        vectors: request.vectors.slice(),
        champion: modelOf('champion'),
        challengers: [modelOf('challenger')],
        scores,
        challengerScores: [scores],
        reasons: new Map([[1, [{ feature: 'amount', value: 2, contribution: 0.5 }]]]),
        ...overrides,
      }
    },
  }
  return { classifier, requests }
}

describe('classify', () => {
  it('hands on that a stand-in scored the batch', async () => {
    const degradedBy = async (overrides: Partial<ClassifyReply>) => {
      const { classifier } = plainClassifier(overrides)
      return (await classify(enrichedOf(2), { classifier, reasonsFrom: 0.5 })).isDegraded
    }
    expect(await degradedBy({ isDegraded: true })).toBe(true)
    expect(await degradedBy({})).toBe(false)
  })

  it('classify - scores a batch in exactly one call of the port', async () => {
    const { classifier, requests } = plainClassifier()
    const enriched = enrichedOf(3)
    const scored = await classify(enriched, { classifier, reasonsFrom: 0.5 })
    expect(requests).toMatchObject([{ count: 3, vectors: enriched.vectors, reasonsFrom: 0.5 }])
    expect(scored.champion.name).toBe('champion')
    expect(scored.challengers.map(({ name }) => name)).toEqual(['challenger'])
    expect(scored.scores).toEqual(Float32Array.from([0, 0.01, 0.02]))
    expect(scored.challengerScores).toEqual([scored.scores])
    expect(scored.reasons.get(1)).toEqual([{ feature: 'amount', value: 2, contribution: 0.5 }])
  })

  it('classify - sets aside the rows that the champion gave no probability for, with a code', async () => {
    const unscored = new Map([[1, 'champion 1 scored NaN, expected 0 to 1']])
    const { classifier } = plainClassifier({ unscored })
    const scored = await classify(enrichedOf(3), { classifier, reasonsFrom: 0.5 })
    const detail = 'champion 1 scored NaN, expected 0 to 1'
    expect(scored.setAside).toEqual(
      new Map([[1, { code: 'WEIR_CLASSIFY_BAD_SCORE', stage: 'classify', detail }]]),
    )
  })

  it('classify - asks for no reasons where the brake of the lane is closed', async () => {
    const { classifier, requests } = plainClassifier()
    const enriched = enrichedOf(3)
    const brakes = [0, 1].map((flagged) => ({ ...noFlags, flagged }))
    const batch = { ...enriched.batch, brakes, laneIndexes: Uint16Array.of(0, 1, 1) }
    const twoLanes = { ...enriched, batch, arrivalIndexes: Uint32Array.of(0, 1, 2) }
    const deps = { classifier, reasonsFrom: 0.5 }
    await classify(twoLanes, { ...deps, isBraked: ({ flagged }) => flagged > 0 })
    await classify(twoLanes, { ...deps, isBraked: () => false })
    expect(requests.map(({ unexplained }) => unexplained)).toEqual([
      Uint8Array.of(0, 1, 1),
      undefined,
    ])
  })

  it('classify - hands on the vectors of the reply and the other columns untouched', async () => {
    const { classifier } = plainClassifier()
    const enriched = enrichedOf(3)
    const { vectors, ...columns } = enriched
    const scored = await classify(enriched, { classifier, reasonsFrom: 0.5 })
    expect(scored.enriched.vectors).not.toBe(vectors)
    expect(scored.enriched.vectors).toEqual(vectors)
    expect(scored.enriched).toMatchObject(columns)
  })

  it('classify - knows the champion of an empty batch too', async () => {
    const { classifier } = plainClassifier({ reasons: new Map() })
    const scored = await classify(enrichedOf(0), { classifier, reasonsFrom: 0.5 })
    expect(scored.champion.name).toBe('champion')
    expect(scored.scores).toHaveLength(0)
  })

  it('classify - asserts one score per row of every model', async () => {
    const short = Float32Array.from([0.1])
    for (const overrides of [
      { scores: short },
      { challengerScores: [short] },
      { challengerScores: [] },
    ]) {
      const { classifier } = plainClassifier(overrides)
      await expect(classify(enrichedOf(3), { classifier, reasonsFrom: 0.5 })).rejects.toMatchObject(
        { code: 'WEIR_INTERNAL_INVARIANT' },
      )
    }
  })
})
