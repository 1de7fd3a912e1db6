import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Pending,
  settleMerged,
  takeMerged,
} from '../../../services/adapters/onnx/run-merging.ts'
import type { ClassifyReply } from '../../../services/pipeline/classify/classifier.ts'

const seed = Number(process.env.WEIR_TEST_SEED ?? Date.now() % 2 ** 31)
console.info(`run-merging seed ${seed}`)
const rowsMax = 50

type Outcome = { reply?: ClassifyReply; error?: unknown }

const pendingOf = (count: number, outcome: Outcome = {}): Pending => ({
  request: { count, vectors: new Float32Array(count), reasonsFrom: 2 },
  resolve: (reply) => {
    outcome.reply = reply
  },
  reject: (error) => {
    outcome.error = error
  },
})

const loaded = ['champion', 'challenger'].map((name) => ({
  model: { name, version: '1', sha256: '', provider: 'cpu' },
  misses: [],
  durationMs: 0,
}))

const plainRun = { modelMs: [1, 2], faults: new Map(), reasons: new Map(), durationMs: 0 }

describe('run merging', () => {
  it('takeMerged - takes whole requests in order, as many as fit, and loses none', () => {
    const counts = fc.array(fc.integer({ min: 1, max: rowsMax }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(counts, (sizes) => {
        const all = sizes.map((size) => pendingOf(size))
        const queue = [...all]
        const taken: Pending[] = []
        while (queue.length > 0) {
          const run = takeMerged(queue, rowsMax)
          const rows = run.reduce((sum, { request }) => sum + request.count, 0)
          expect(run.length).toBeGreaterThan(0)
          expect(rows).toBeLessThanOrEqual(rowsMax)
          if (queue.length > 0) expect(rows + queue[0]!.request.count).toBeGreaterThan(rowsMax)
          taken.push(...run)
        }
        expect(taken).toEqual(all)
      }),
      { seed },
    )
  })

  it('settleMerged - gives every request its own scores and reasons', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sizes) => {
        const outcomes: Outcome[] = sizes.map(() => ({}))
        const merged = sizes.map((size, index) => pendingOf(size, outcomes[index]!))
        const total = sizes.reduce((sum, size) => sum + size, 0)
        const scores = Float32Array.from({ length: total }, (_, row) => row / (total + 1))
        const reasonOf = (row: number) => [{ feature: 'f', value: row, contribution: 0 }]
        const reasons = new Map(Array.from(scores.keys(), (row) => [row, reasonOf(row)] as const))
        settleMerged(merged, { ...plainRun, scores: [scores, scores], reasons }, loaded)
        let from = 0
        for (const [index, size] of sizes.entries()) {
          const { reply } = outcomes[index]!
          expect(reply!.vectors).toBe(merged[index]!.request.vectors)
          expect(reply!.scores).toEqual(scores.slice(from, from + size))
          expect(reply!.challengerScores).toEqual([scores.slice(from, from + size)])
          expect([...reply!.reasons]).toEqual(
            Array.from({ length: size }, (_, row) => [row, reasonOf(from + row)]),
          )
          from += size
        }
      }),
      { seed },
    )
  })

  it('settleMerged - an impossible score costs its own row alone, and is named with the model', () => {
    const outcomes: Outcome[] = [{}, {}, {}]
    const merged = outcomes.map((outcome) => pendingOf(2, outcome))
    const champion = Float32Array.from([0, 1, 0.5, Number.NaN, 0.2, 0.3])
    const challenger = Float32Array.from([0, 1, 0.5, 0.5, 0.2, 0.3])
    settleMerged(merged, { ...plainRun, scores: [champion, challenger] }, loaded)
    expect(outcomes.map(({ reply }) => reply?.unscored)).toEqual([
      undefined,
      new Map([[1, 'champion 1 scored NaN, expected 0 to 1']]),
      undefined,
    ])
    expect(outcomes[1]!.reply!.scores[0]).toBe(0.5)
  })

  it('settleMerged - a challenger without a score fails nobody: the champion decides that row', () => {
    const outcomes: Outcome[] = [{}]
    const [pending] = [pendingOf(4, outcomes[0]!)]
    const deciders = Uint8Array.from([1, 1, 0, 1])
    const merged = [{ ...pending!, request: { ...pending!.request, deciders } }]
    const champion = Float32Array.from([0.1, 0.2, 0.3, 0.4])
    const challenger = Float32Array.from([0.9, Number.NaN, 0.7, 2])
    settleMerged(merged, { ...plainRun, scores: [champion, challenger] }, loaded)
    const { reply } = outcomes[0]!
    expect(reply!.scores).toEqual(champion)
    expect([...reply!.challengerScores[0]!]).toEqual([
      Math.fround(0.9),
      Number.NaN,
      Math.fround(0.7),
      Number.NaN,
    ])
    expect(reply!.deciders).toEqual(Uint8Array.from([1, 0, 0, 0]))
    expect(reply!.modelMs).toEqual([1, 2])
  })
})
