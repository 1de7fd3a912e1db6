// Opens classifiers on the models of test/fixtures/models (made by training/make_test_models.py),
// keeps what they observe, and closes them and removes copied folders after each test.

import { createHash } from 'node:crypto'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'
import { createOnnxClassifier } from '../../../services/adapters/onnx/onnx-classifier.ts'
import type { ExecutionPolicy, ModelReference } from '../../../services/core/pipeline-definition.ts'
import type { FixedClassifier } from '../../../services/pipeline/classify/classifier.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'

export const fixtureFolder = fileURLToPath(new URL('../../fixtures/models', import.meta.url))
export const shippedFolder = fileURLToPath(new URL('../../../models', import.meta.url))

export const fixtureFeatures = [
  'amount',
  'is_night',
  'customer_count_1d',
  'customer_amount_mean_7d',
]
export const onCpu: ExecutionPolicy = { providers: ['cpu'], isRequired: false, workers: 1 }

export const fixtureModel = (name: string, source = fixtureFolder): ModelReference => ({
  name,
  version: '1',
  source,
})

export type Opened = {
  readonly classifier: FixedClassifier
  readonly signals: Signal[]
}

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

export const openClassifier = async (
  champion: ModelReference,
  options: {
    readonly challengers?: readonly ModelReference[]
    readonly policy?: ExecutionPolicy
    readonly features?: readonly string[]
  } = {},
): Promise<Opened> => {
  const { challengers = [], policy = onCpu, features = fixtureFeatures } = options
  const signals: Signal[] = []
  const observe = (signal: Signal) => void signals.push(signal)
  const models = { champion, challengers }
  const classifier = await createOnnxClassifier({ models, policy, features, observe })
  cleanups.push(() => classifier.close())
  return { classifier, signals }
}

/** A copy of a fixture whose files a test may spoil. */
export const copyModel = async (
  name: string,
): Promise<{ readonly reference: ModelReference; readonly folder: string }> => {
  const source = await mkdtemp(join(tmpdir(), 'weir-models-'))
  cleanups.push(() => rm(source, { recursive: true, force: true }))
  const folder = join(source, name, '1')
  await cp(join(fixtureFolder, name, '1'), folder, { recursive: true })
  return { reference: fixtureModel(name, source), folder }
}

/** Replaces a file and its hash in the manifest: a fault that only running the model can show. */
export const republish = async (
  folder: string,
  role: 'cpu' | 'golden',
  content: Uint8Array | string,
): Promise<void> => {
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(join(folder, manifest.files[role].path), content)
  manifest.files[role].sha256 = createHash('sha256').update(content).digest('hex')
  await writeFile(path, JSON.stringify(manifest))
}

export type GoldenJson = { vectors: number[][]; scores: number[] }

export const goldenOf = async (name: string, source = fixtureFolder): Promise<GoldenJson> =>
  JSON.parse(await readFile(join(source, name, '1', 'golden.json'), 'utf8'))

export const manifestOf = async (name: string, source = fixtureFolder) =>
  JSON.parse(await readFile(join(source, name, '1', 'manifest.json'), 'utf8'))

export const flatten = (rows: readonly (readonly number[])[]): Float32Array =>
  Float32Array.from(rows.flat())

/** A deterministic stream of numbers in [0, 1) (mulberry32). */
export const randomOf = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Golden rows drawn at random and moved a little: `count` rows, one after the other. */
export const drawRows = (golden: GoldenJson, count: number, random: () => number): Float32Array =>
  flatten(
    Array.from({ length: count }, () => {
      const row = golden.vectors[Math.floor(random() * golden.vectors.length)]!
      return row.map((value) => value * (0.5 + random()))
    }),
  )
