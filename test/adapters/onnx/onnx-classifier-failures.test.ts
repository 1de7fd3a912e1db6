import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { node } from '../../support/graph-bytes.ts'
import { makeTinyModel, tinyFeatures, tinyGraph, zippedGraph } from '../../support/made-models.ts'
import {
  copyModel,
  drawRows,
  fixtureFeatures,
  fixtureModel,
  flatten,
  goldenOf,
  onCpu,
  openClassifier,
  randomOf,
  republish,
} from './fixture-models.ts'

const none = 2
const refused = { code: 'WEIR_CLASSIFY_MODEL_REFUSED' }

/** The thread dies of the next message; ending it inside of a run would end the process as well. */
const crash = (worker: Worker) => worker.postMessage(null)

const workers: Worker[] = []
let onWorker = (worker: Worker): void => void workers.push(worker)
const listen = (worker: Worker) => onWorker(worker)
process.on('worker', listen)
afterAll(() => void process.off('worker', listen))

afterEach(() => {
  workers.length = 0
  onWorker = (worker) => void workers.push(worker)
})

describe('onnx classifier at start', () => {
  it('load - refuses a graph whose bytes are not those of the manifest', async () => {
    const { reference, folder } = await copyModel('trees')
    await writeFile(join(folder, 'model.onnx'), 'tampered')
    await expect(openClassifier(reference)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('sha-256'),
    })
    expect(workers).toHaveLength(0)
  })

  it('load - refuses golden scores that differ by more than 1e-5, and accepts less', async () => {
    const { reference, folder } = await copyModel('trees')
    const golden = await goldenOf('trees')
    golden.scores[40]! += 5e-6
    await republish(folder, 'golden', JSON.stringify(golden))
    await openClassifier(reference)
    golden.scores[40]! += 1.5e-5
    await republish(folder, 'golden', JSON.stringify(golden))
    await expect(openClassifier(reference)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('golden row 40'),
    })
  })

  it('load - reports every fault of the golden file', async () => {
    const { reference, folder } = await copyModel('trees')
    await republish(folder, 'golden', JSON.stringify({ vectors: [[1, 2]], scores: [1.5, 0] }))
    await expect(openClassifier(reference)).rejects.toThrow(
      /2 rows, expected at least 32; 1 vectors for 2 scores; vector 0 .*4 values; score 0 is 1.5/,
    )
  })

  it('load - refuses a graph that ONNX Runtime cannot read, with the reason', async () => {
    const { reference, folder } = await copyModel('trees')
    const unknown = tinyGraph({ nodes: [node('NoSuchOperator', ['x'], ['p'])] })
    await republish(folder, 'cpu', unknown)
    await expect(openClassifier(reference)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('cpu graph does not load'),
    })
  })

  it('load - refuses what is no graph before any worker is started', async () => {
    const { reference, folder } = await copyModel('trees')
    await republish(folder, 'cpu', 'not a graph')
    await expect(openClassifier(reference)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('no graph that can be looked into'),
    })
    expect(workers).toHaveLength(0)
  })

  it('load - says what to do about an output of maps', async () => {
    const { reference } = makeTinyModel(zippedGraph)
    await expect(openClassifier(reference, { features: tinyFeatures })).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('export with zipmap=False'),
    })
  })

  it('load - refuses a model of other features than the pipeline has', async () => {
    const features = [...fixtureFeatures].reverse()
    await expect(openClassifier(fixtureModel('trees'), { features })).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining(
        'has amount at 0, the pipeline file customer_amount_mean_7d',
      ),
    })
  })

  it('load - refuses a folder that is not there, naming the setting', async () => {
    await expect(openClassifier(fixtureModel('missing'))).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('model.source'),
    })
  })

  it('load - refuses when a challenger is refused, and leaves no worker behind', async () => {
    const { reference, folder } = await copyModel('challenger')
    const unknown = tinyGraph({ nodes: [node('NoSuchOperator', ['x'], ['p'])] })
    await republish(folder, 'cpu', unknown)
    const opening = openClassifier(fixtureModel('trees'), { challengers: [reference] })
    await expect(opening).rejects.toMatchObject(refused)
    expect(workers).toHaveLength(1)
    expect(workers[0]!.threadId).toBe(-1)
  })
})

describe('onnx classifier at work', () => {
  it('classify - names the rows whose score is not in [0, 1], and scores all others', async () => {
    const { classifier } = await openClassifier(fixtureModel('unbounded'))
    const scoreOf = (value: number) =>
      classifier.classify({ count: 1, vectors: flatten([[value, 0, 0, 0]]), reasonsFrom: none })
    const values = [0.5, 1.5, Number.NaN, -0.1, Number.POSITIVE_INFINITY, 0.75]
    const replies = await Promise.all(values.map(scoreOf))
    expect(replies.map(({ unscored }) => unscored?.get(0) ?? null)).toEqual([
      null,
      'unbounded 1 scored 1.5, expected 0 to 1',
      'unbounded 1 scored NaN, expected 0 to 1',
      expect.stringMatching(/^unbounded 1 scored -0\.1/),
      'unbounded 1 scored Infinity, expected 0 to 1',
      null,
    ])
    expect(replies[5]!.scores[0]).toBe(0.75)
    expect((await scoreOf(0.25)).scores[0]).toBe(0.25)
  })

  it('classify - a challenger without a score costs nobody else one', async () => {
    const { classifier, signals } = await openClassifier(fixtureModel('trees'), {
      challengers: [fixtureModel('unbounded'), fixtureModel('challenger')],
    })
    const vectors = flatten([
      [0.5, 0, 0, 0],
      [150, 0, 0, 0],
      [Number.NaN, 0, 0, 0],
    ])
    // The canary fails in the last two rows: the champion decides and explains them.
    const deciders = Uint8Array.from([1, 1, 1])
    const reply = await classifier.classify({ count: 3, vectors, reasonsFrom: 0, deciders })
    expect([...reply.challengerScores[0]!]).toEqual([0.5, Number.NaN, Number.NaN])
    expect(reply.challengerScores[1]!.every((score) => score >= 0 && score <= 1)).toBe(true)
    expect(reply.deciders).toEqual(Uint8Array.from([1, 0, 0]))
    // The first row is explained by the canary, whose score is the amount: nothing else counts.
    const [largest, second] = reply.reasons.get(0)!
    expect(largest).toMatchObject({ feature: 'amount' })
    expect(second).toMatchObject({ contribution: 0 })
    expect(reply.reasons.size).toBe(3)
    expect(signals).toContainEqual(
      expect.objectContaining({ kind: 'challenger_failed', name: 'unbounded', events: 2 }),
    )
  })

  it('classify - rejects what a crashed worker held and goes on with a fresh one', async () => {
    const { classifier, signals } = await openClassifier(fixtureModel('trees'))
    const vectors = drawRows(await goldenOf('trees'), 2000, randomOf(9))
    const request = { count: 2000, vectors, reasonsFrom: none }
    const before = await classifier.classify(request)
    crash(workers[0]!)
    const held = classifier.classify({ ...request, reasonsFrom: 0 })
    const waiting = classifier.classify(request)
    await expect(held).rejects.toMatchObject({ code: 'WEIR_CLASSIFY_RUN_FAILED', canRetry: true })
    expect((await waiting).scores).toEqual(before.scores)
    expect((await classifier.classify(request)).scores).toEqual(before.scores)
    expect(workers).toHaveLength(2)
    expect(signals).toContainEqual(
      expect.objectContaining({ kind: 'retried', operation: 'start_model_worker' }),
    )
  })

  it('classify - scores with the verified bytes after a crash, whatever the disk holds', async () => {
    const { reference, folder } = await copyModel('trees')
    const { classifier } = await openClassifier(reference)
    const vectors = drawRows(await goldenOf('trees'), 10, randomOf(9))
    const request = { count: 10, vectors, reasonsFrom: none }
    const before = await classifier.classify(request)
    await writeFile(join(folder, 'model.onnx'), 'tampered')
    const waiting = new Promise((resolve) => workers[0]!.once('exit', resolve))
    await workers[0]!.terminate()
    await waiting
    expect((await classifier.classify(request)).scores).toEqual(before.scores)
  })

  it('classify - gives up after bounded attempts when workers keep crashing', async () => {
    const { classifier } = await openClassifier(fixtureModel('trees'))
    const request = { count: 1, vectors: flatten([[1, 0, 1, 1]]), reasonsFrom: none }
    onWorker = (worker) => {
      workers.push(worker)
      void worker.terminate()
    }
    await workers[0]!.terminate()
    await expect(classifier.classify(request)).rejects.toMatchObject({
      code: 'WEIR_CLASSIFY_RUN_FAILED',
      message: expect.stringContaining('8 times'),
    })
    await expect(classifier.classify(request)).rejects.toThrow('8 times')
    expect(workers).toHaveLength(9)
  }, 20_000)

  it('close - ends the workers and rejects what waits', async () => {
    const { classifier } = await openClassifier(fixtureModel('trees'), {
      policy: { ...onCpu, workers: 2 },
    })
    const vectors = drawRows(await goldenOf('trees'), 2000, randomOf(9))
    const request = { count: 2000, vectors, reasonsFrom: 0 }
    const calls = Promise.allSettled([1, 2, 3, 4].map(() => classifier.classify(request)))
    await classifier.close()
    const statuses = (await calls).map(({ status }) => status)
    expect(statuses).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
    expect(workers.map(({ threadId }) => threadId)).toEqual([-1, -1])
    await expect(classifier.classify(request)).rejects.toThrow('closed')
  })
})
