import { join } from 'node:path'
import { InferenceSession, type Tensor } from 'onnxruntime-node'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readGraphFolder } from '../../../services/adapters/models/model-files.ts'
import { openModelSession } from '../../../services/adapters/onnx/model-session.ts'
import type { ExecutionPolicy } from '../../../services/core/pipeline-definition.ts'
import {
  drawRows,
  fixtureFeatures,
  fixtureFolder,
  fixtureModel,
  goldenOf,
  manifestOf,
  onCpu,
  openClassifier,
  randomOf,
} from './fixture-models.ts'
import { isWebgpuRunnable, webgpuTitle as title } from './webgpu-driver.ts'

/** Of all sessions; the package's types name the factory alone. */
const { prototype: sessions } = InferenceSession as unknown as {
  prototype: {
    run: (feeds: Record<string, Tensor>, fetches: readonly string[]) => Promise<unknown>
  }
}
const width = fixtureFeatures.length

afterEach(() => {
  vi.restoreAllMocks()
})

const onWebgpu: ExecutionPolicy = { providers: ['webgpu'], isRequired: true, workers: 1 }
const preferWebgpu: ExecutionPolicy = {
  providers: ['webgpu', 'cpu'],
  isRequired: false,
  workers: 1,
}

describe.skipIf(!isWebgpuRunnable)('webgpu', () => {
  for (const name of ['network', 'trees']) {
    it(title(`attestation - executes ${name} on webgpu, equal to the cpu`), async () => {
      const gpu = await openClassifier(fixtureModel(name), { policy: onWebgpu })
      const cpu = await openClassifier(fixtureModel(name))
      const { files } = await manifestOf(name)
      expect(gpu.classifier.models[0]).toMatchObject({
        provider: 'webgpu',
        sha256: files.gpu.sha256,
      })
      const count = 700
      const vectors = drawRows(await goldenOf(name), count, randomOf(31))
      const request = { count, vectors, reasonsFrom: 0.5 }
      const [onGpu, onCpu] = [
        await gpu.classifier.classify(request),
        await cpu.classifier.classify(request),
      ]
      expect(Math.max(...onCpu.scores) - Math.min(...onCpu.scores)).toBeGreaterThan(0.3)
      for (const [row, score] of onCpu.scores.entries()) {
        expect(Math.abs(onGpu.scores[row]! - score)).toBeLessThanOrEqual(1e-5)
      }
      expect([...onGpu.reasons.keys()]).toEqual([...onCpu.reasons.keys()])
    }, 60_000)
  }

  it(title(
    'padded sizes - are all that the provider gets; the cpu gets batches as they are',
  ), async () => {
    const ran: (readonly number[])[] = []
    const { run } = sessions
    vi.spyOn(sessions, 'run').mockImplementation(function (this: unknown, feeds, fetches) {
      ran.push(Object.values(feeds)[0]!.dims)
      return Reflect.apply(run, this, [feeds, fetches])
    })
    const files = await readGraphFolder(join(fixtureFolder, 'trees', '1'))
    const rows = [1, 64, 65, 700]
    const vectors = drawRows(await goldenOf('trees'), Math.max(...rows), randomOf(7))
    const found: Float32Array[][] = []
    for (const policy of [onWebgpu, onCpu]) {
      const session = await openModelSession(files, policy)
      ran.length = 0
      const scores: Float32Array[] = []
      for (const count of rows) {
        scores.push(await session.score(vectors.subarray(0, count * width), count))
      }
      found.push(scores)
      const sizes = policy === onWebgpu ? [64, 64, 512, 2_048] : rows
      expect(ran).toEqual(sizes.map((size) => [size, width]))
    }
    const [onGpu, onCpuScores] = found
    for (const [batch, scores] of onCpuScores!.entries()) {
      expect(onGpu![batch]).toHaveLength(rows[batch]!)
      for (const [row, score] of scores.entries()) {
        expect(Math.abs(onGpu![batch]![row]! - score)).toBeLessThanOrEqual(1e-5)
      }
    }
  }, 60_000)

  it(title('attestation - finds the silent fallback of a tree ensemble'), async () => {
    const { classifier, signals } = await openClassifier(fixtureModel('lopsided'), {
      policy: preferWebgpu,
    })
    expect(classifier.models[0]!.provider).toBe('cpu')
    expect(signals).toContainEqual(
      expect.objectContaining({
        kind: 'retried',
        code: 'WEIR_CLASSIFY_PROVIDER_REFUSED',
        detail: expect.stringContaining('cpu ran TreeEnsembleRegressor'),
      }),
    )
  }, 60_000)

  it(title('attestation - refuses a tree ensemble where webgpu is required'), async () => {
    const opening = openClassifier(fixtureModel('lopsided'), { policy: onWebgpu })
    await expect(opening).rejects.toMatchObject({
      code: 'WEIR_CLASSIFY_PROVIDER_REFUSED',
      message: expect.stringContaining('webgpu ran 1 of 2 nodes; cpu ran TreeEnsembleRegressor'),
    })
  }, 60_000)
})

describe('execution policy', () => {
  it('load - falls back from a provider that is not installed, and says so', async () => {
    const { classifier, signals } = await openClassifier(fixtureModel('trees'), {
      policy: { providers: ['cuda', 'cpu'], isRequired: false, workers: 1 },
    })
    const { files } = await manifestOf('trees')
    expect(classifier.models[0]).toMatchObject({ provider: 'cpu', sha256: files.cpu.sha256 })
    const retried = signals.filter(({ kind }) => kind === 'retried')
    expect(retried).toMatchObject([{ code: 'WEIR_CLASSIFY_PROVIDER_REFUSED' }])
    expect(signals).toContainEqual(
      expect.objectContaining({
        kind: 'model_loaded',
        provider: 'cpu',
        missedProviders: expect.stringMatching(/^cuda: ./),
      }),
    )
  })

  it('load - refuses when the required provider is not installed', async () => {
    const policy: ExecutionPolicy = { providers: ['cuda', 'cpu'], isRequired: true, workers: 1 }
    await expect(openClassifier(fixtureModel('trees'), { policy })).rejects.toMatchObject({
      code: 'WEIR_CLASSIFY_PROVIDER_REFUSED',
    })
  })

  it('load - falls back where the manifest names no gpu graph', async () => {
    const { classifier, signals } = await openClassifier(fixtureModel('challenger'), {
      policy: preferWebgpu,
    })
    expect(classifier.models[0]!.provider).toBe('cpu')
    expect(signals).toContainEqual(
      expect.objectContaining({ detail: expect.stringContaining('names no gpu graph') }),
    )
  })
})
