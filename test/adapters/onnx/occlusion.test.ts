import { describe, expect, it } from 'vitest'
import { explainRows, mostFlagged } from '../../../services/adapters/onnx/occlusion.ts'
import { limits } from '../../../services/core/limits.ts'
import type { ScoreRequest } from '../../../services/pipeline/classify/classifier.ts'
import { fixtureFeatures, fixtureModel, openClassifier } from './fixture-models.ts'

const width = fixtureFeatures.length
const rowsExplained = limits.reasonScoresMax / width

/** Amounts that the fixture gives back as scores: all of them flagged. */
const flaggingAll = (count: number): Omit<ScoreRequest, 'deciders'> => {
  const vectors = new Float32Array(count * width)
  for (let row = 0; row < count; row++) vectors[row * width] = 0.6 + (row % 997) / 2500
  return { count, vectors, reasonsFrom: 0.5 }
}

describe('occlusion', () => {
  it('occlusion - a model that flags everybody is explained within the limit', async () => {
    const { classifier, signals } = await openClassifier(fixtureModel('unbounded'))
    const count = 5000
    const reply = await classifier.classify(flaggingAll(count))
    expect(reply.scores.every((score) => score >= 0.5)).toBe(true)
    expect(reply.reasons.size).toBe(rowsExplained)
    const explained = [...reply.reasons.keys()].map((row) => reply.scores[row]!)
    const others = [...reply.scores].filter((_, row) => !reply.reasons.has(row))
    expect(Math.min(...explained)).toBeGreaterThanOrEqual(Math.max(...others))
    expect(signals).toContainEqual(
      expect.objectContaining({ kind: 'model_ran', events: count, reasonRows: rowsExplained }),
    )
  })

  it('occlusion - explains no row that is braked, and the others as ever', async () => {
    const { classifier } = await openClassifier(fixtureModel('unbounded'))
    const request = flaggingAll(6)
    const all = await classifier.classify({ ...request, vectors: request.vectors.slice() })
    const unexplained = Uint8Array.from([1, 0, 1, 0, 0, 1])
    const { reasons } = await classifier.classify({ ...request, unexplained })
    expect([...reasons.keys()]).toEqual([1, 3, 4])
    for (const [row, found] of reasons) expect(found).toEqual(all.reasons.get(row))
  })

  it('occlusion - asks the session for no more than the limit of rows', async () => {
    let rowsAsked = 0
    const session = {
      score: async (_vectors: Float32Array, rows: number) => {
        rowsAsked += rows
        return new Float32Array(rows)
      },
    } as never
    const { count, vectors } = flaggingAll(6000)
    const scores = Float32Array.from({ length: count }, (_, row) => vectors[row * width]!)
    const flagged = mostFlagged([...scores.keys()], scores, width)
    const names = fixtureFeatures
    const medians = names.map(() => 0)
    await explainRows({ session, names, medians, vectors, scores, flagged, rowsMax: 1000 })
    expect(rowsAsked).toBe(limits.reasonScoresMax)
    expect(flagged).toEqual(flagged.toSorted((a, b) => a - b))
  })
})
