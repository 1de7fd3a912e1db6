import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ExecutionPolicy } from '../../../services/core/pipeline-definition.ts'
import {
  drawRows,
  fixtureModel,
  goldenOf,
  manifestOf,
  openClassifier,
  randomOf,
} from './fixture-models.ts'

// SwiftShader executes WebGPU without a GPU; Debian's and Ubuntu's chromium packages bring it.
const driverPlaces = [
  process.env.VK_DRIVER_FILES,
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
]
const loaderPlaces = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64']
const driver = driverPlaces.find((place) => place !== undefined && existsSync(place))
const hasLoader = loaderPlaces.some((place) => existsSync(`${place}/libvulkan.so.1`))
const isRunnable = driver !== undefined && hasLoader
if (driver !== undefined) process.env.VK_DRIVER_FILES = driver

const reason = 'needs a Vulkan driver: apt-get install chromium libvulkan1'
const title = (what: string) => (isRunnable ? what : `${what} (skipped: ${reason})`)

const onWebgpu: ExecutionPolicy = { providers: ['webgpu'], isRequired: true, workers: 1 }
const preferWebgpu: ExecutionPolicy = {
  providers: ['webgpu', 'cpu'],
  isRequired: false,
  workers: 1,
}

describe.skipIf(!isRunnable)('webgpu', () => {
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

  it(title('attestation - finds the silent fallback of a tree ensemble'), async () => {
    const { classifier, happenings } = await openClassifier(fixtureModel('lopsided'), {
      policy: preferWebgpu,
    })
    expect(classifier.models[0]!.provider).toBe('cpu')
    expect(happenings).toContainEqual(
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
    const { classifier, happenings } = await openClassifier(fixtureModel('trees'), {
      policy: { providers: ['cuda', 'cpu'], isRequired: false, workers: 1 },
    })
    const { files } = await manifestOf('trees')
    expect(classifier.models[0]).toMatchObject({ provider: 'cpu', sha256: files.cpu.sha256 })
    const retried = happenings.filter(({ kind }) => kind === 'retried')
    expect(retried).toMatchObject([{ code: 'WEIR_CLASSIFY_PROVIDER_REFUSED' }])
    expect(happenings).toContainEqual(
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
    const { classifier, happenings } = await openClassifier(fixtureModel('challenger'), {
      policy: preferWebgpu,
    })
    expect(classifier.models[0]!.provider).toBe('cpu')
    expect(happenings).toContainEqual(
      expect.objectContaining({ detail: expect.stringContaining('names no gpu graph') }),
    )
  })
})
