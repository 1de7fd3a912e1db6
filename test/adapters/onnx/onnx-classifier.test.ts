import { describe, expect, it } from 'vitest'
import { limits } from '../../../services/core/limits.ts'
import type { ClassifyReply } from '../../../services/pipeline/classify/classifier.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'
import {
  drawRows,
  fixtureModel,
  flatten,
  goldenOf,
  manifestOf,
  onCpu,
  openClassifier,
  randomOf,
  shippedFolder,
} from './fixture-models.ts'

const none = 2

const runsIn = (signals: readonly Signal[]): number[] =>
  signals.flatMap((signal) => (signal.kind === 'model_ran' ? [signal.events] : []))

const withoutTimes = ({ modelMs: _, ...reply }: ClassifyReply) => reply

describe('onnx classifier', () => {
  it('classify - gives the scores that the trainer computed', async () => {
    const golden = await goldenOf('trees')
    const { classifier } = await openClassifier(fixtureModel('trees'))
    const vectors = flatten(golden.vectors)
    const count = golden.scores.length
    const reply = await classifier.classify({ count, vectors, reasonsFrom: none })
    expect(Math.max(...golden.scores)).toBeGreaterThan(0.9)
    for (const [row, score] of golden.scores.entries()) {
      expect(Math.abs(reply.scores[row]! - score)).toBeLessThanOrEqual(1e-5)
    }
    expect(reply.vectors).toEqual(flatten(golden.vectors))
  })

  it('classify - takes the second column of an output of two', async () => {
    const { classifier } = await openClassifier(fixtureModel('pair'))
    const vectors = flatten([
      [0.25, 0, 0, 0],
      [0.875, 0, 0, 0],
    ])
    const { scores } = await classifier.classify({ count: 2, vectors, reasonsFrom: none })
    expect([...scores]).toEqual([0.25, 0.875])
  })

  it('classify - scores challengers on the same vectors, each with its own identity', async () => {
    const golden = await goldenOf('challenger')
    const { classifier, signals } = await openClassifier(fixtureModel('trees'), {
      challengers: [fixtureModel('challenger'), fixtureModel('network')],
    })
    const count = golden.scores.length
    const vectors = flatten(golden.vectors)
    const reply = await classifier.classify({ count, vectors, reasonsFrom: none })
    expect(reply.champion.name).toBe('trees')
    expect(reply.challengers.map(({ name }) => name)).toEqual(['challenger', 'network'])
    for (const [row, score] of golden.scores.entries()) {
      expect(Math.abs(reply.challengerScores[0]![row]! - score)).toBeLessThanOrEqual(1e-5)
    }
    expect(reply.scores).not.toEqual(reply.challengerScores[0])
    expect(reply.challengerScores[1]).toHaveLength(count)
    expect(runsIn(signals)).toEqual([count])
    expect(classifier.models).toEqual([reply.champion, ...reply.challengers])
    for (const model of classifier.models) {
      const { files } = await manifestOf(model.name)
      expect(model).toMatchObject({ sha256: files.cpu.sha256, provider: 'cpu' })
    }
  })

  it('classify - answers an empty batch with the models, without a run', async () => {
    const { classifier, signals } = await openClassifier(fixtureModel('trees'), {
      challengers: [fixtureModel('challenger')],
    })
    const vectors = new Float32Array(0)
    const reply = await classifier.classify({ count: 0, vectors, reasonsFrom: 0 })
    expect(reply.champion.name).toBe('trees')
    expect(reply.challengerScores).toEqual([new Float32Array(0)])
    expect(runsIn(signals)).toEqual([])
  })

  it('classify - gives a tree model the same score in any batch, bit for bit', async () => {
    const { featureSet } = await manifestOf('bench', shippedFolder)
    const { classifier } = await openClassifier(fixtureModel('bench', shippedFolder), {
      features: featureSet.names,
    })
    const width = featureSet.names.length
    const golden = await goldenOf('bench', shippedFolder)
    const vectors = drawRows(golden, limits.batchEventsMax, randomOf(11))
    const whole = await scoreInBatchesOf(limits.batchEventsMax)
    for (const size of [1, 2, 17, 129, 999]) {
      expect(await scoreInBatchesOf(size, 400)).toEqual(whole.slice(0, 400))
    }

    async function scoreInBatchesOf(size: number, rows: number = limits.batchEventsMax) {
      const scores = new Float32Array(rows)
      for (let from = 0; from < rows; from += size) {
        const count = Math.min(size, rows - from)
        const part = vectors.slice(from * width, (from + count) * width)
        const reply = await classifier.classify({ count, vectors: part, reasonsFrom: none })
        scores.set(reply.scores, from)
      }
      return scores
    }
  })
})

describe('onnx classifier merging', () => {
  it('classify - merges requests that wait during a run and gives each its own rows', async () => {
    const golden = await goldenOf('trees')
    const { classifier, signals } = await openClassifier(fixtureModel('trees'), {
      challengers: [fixtureModel('challenger')],
    })
    const random = randomOf(23)
    const counts = [40, 1, 300, 7]
    const requests = counts.map((count) => ({
      count,
      vectors: drawRows(golden, count, random),
      reasonsFrom: count === 300 ? none : 0.5,
    }))
    const alone: ClassifyReply[] = []
    for (const request of requests) alone.push(await classifier.classify(request))
    const merged = await Promise.all(requests.map((request) => classifier.classify(request)))
    expect(merged.map(withoutTimes)).toEqual(alone.map(withoutTimes))
    expect(alone.map(({ reasons }) => reasons.size > 0)).toContain(true)
    expect(merged[2]!.reasons.size).toBe(0)
    expect(runsIn(signals)).toEqual([...counts, 40, 308])
  })

  it('classify - never merges more rows than the batch limit', async () => {
    const golden = await goldenOf('trees')
    const { classifier, signals } = await openClassifier(fixtureModel('trees'))
    const count = Math.floor(limits.batchEventsMax / 2) - 1
    const vectors = drawRows(golden, count, randomOf(5))
    const request = { count, vectors, reasonsFrom: none }
    await Promise.all([1, 2, 3, 4].map(() => classifier.classify(request)))
    expect(runsIn(signals)).toEqual([count, 2 * count, count])
  })

  it('classify - spreads requests over several workers and keeps their identity', async () => {
    const golden = await goldenOf('trees')
    const { classifier, signals } = await openClassifier(fixtureModel('trees'), {
      policy: { ...onCpu, workers: 2 },
    })
    const requests = [100, 200, 300, 400].map((count) => ({
      count,
      vectors: drawRows(golden, count, randomOf(count)),
      reasonsFrom: none,
    }))
    const together = await Promise.all(requests.map((request) => classifier.classify(request)))
    for (const [index, request] of requests.entries()) {
      const alone = await classifier.classify(request)
      expect(together[index]!.scores).toEqual(alone.scores)
    }
    // Two workers take the first two requests as they are; with one, 200, 300 and 400 would merge.
    expect(runsIn(signals)).toEqual(expect.arrayContaining([100, 200]))
    expect(runsIn(signals)).not.toContain(900)
  })
})

describe('onnx classifier reasons', () => {
  it('classify - names the three features whose median lowers a flagged score the most', async () => {
    const golden = await goldenOf('trees')
    const { reference } = await manifestOf('trees')
    const medians: number[] = reference.features.map((f: { median: number }) => f.median)
    const { classifier } = await openClassifier(fixtureModel('trees'))
    // Enough flagged rows that rows x features pass the limit: the highest scores have reasons
    // then.
    const count = 5200
    const vectors = drawRows(golden, count, randomOf(3))
    const { scores, reasons } = await classifier.classify({ count, vectors, reasonsFrom: 0.5 })
    const all = [...scores.keys()].filter((row) => scores[row]! >= 0.5)
    expect(all.length * medians.length).toBeGreaterThan(limits.reasonScoresMax)
    const most = limits.reasonScoresMax / medians.length
    const highest = all.toSorted((a, b) => scores[b]! - scores[a]!).slice(0, most)
    const flagged = highest.sort((a, b) => a - b)
    expect([...reasons.keys()]).toEqual(flagged)
    for (const row of flagged.slice(0, 20).concat(flagged.slice(-20))) {
      const vector = vectors.slice(row * 4, row * 4 + 4)
      expect(reasons.get(row)).toEqual(await occludeOneByOne(vector, scores[row]!))
    }

    async function occludeOneByOne(vector: Float32Array, score: number) {
      const { featureSet } = await manifestOf('trees')
      const found = []
      for (const [index, feature] of featureSet.names.entries()) {
        const occluded = vector.slice()
        occluded[index] = medians[index]!
        const request = { count: 1, vectors: occluded, reasonsFrom: none }
        const reply = await classifier.classify(request)
        const contribution = score - reply.scores[0]!
        found.push({ feature, value: vector[index], contribution, index })
      }
      found.sort((a, b) => b.contribution - a.contribution || a.index - b.index)
      return found.slice(0, 3).map(({ index, ...reason }) => reason)
    }
  })

  it('classify - orders features of equal contribution by their place in the vector', async () => {
    const { classifier } = await openClassifier(fixtureModel('unbounded'))
    const vectors = flatten([[0.95, 7, 7, 7]])
    const { reasons } = await classifier.classify({ count: 1, vectors, reasonsFrom: 0.5 })
    expect(reasons.get(0)!.map(({ feature }) => feature)).toEqual([
      'amount',
      'is_night',
      'customer_count_1d',
    ])
    expect(reasons.get(0)![1]).toEqual({ feature: 'is_night', value: 7, contribution: 0 })
  })
})
