// Weights in other files are read from wherever the process stands, and nobody hashed them: no
// entry point opens a graph that names some.

import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { createModelCache } from '../../../services/adapters/models/model-cache.ts'
import {
  type ModelFiles,
  readGraphFolder,
  readModelFolder,
} from '../../../services/adapters/models/model-files.ts'
import {
  checkModelFile,
  readModelParts,
  sha256Of,
} from '../../../services/adapters/models/model-folder.ts'
import { tryGraph } from '../../../services/adapters/onnx/graph-trial.ts'
import { openModelSession } from '../../../services/adapters/onnx/model-session.ts'
import { exportToTriton } from '../../../services/cli/models-export-command.ts'
import { noSignatures } from '../../../services/models/manifest-signature.ts'
import { tensor } from '../../support/graph-bytes.ts'
import { cappedGraph, externalCap, makeTinyModel, tinyFeatures } from '../../support/made-models.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { onCpu } from '../onnx/fixture-models.ts'

const refused = {
  code: 'WEIR_CLASSIFY_EXTERNAL_DATA',
  message: expect.stringContaining('save_as_external_data=False'),
}
const demands = { features: tinyFeatures, signatures: noSignatures }
const whole = cappedGraph(tensor('cap', Array(64).fill(0.99)))
const open = cappedGraph(externalCap)

const main = join(repositoryFolder, 'services/cli/main.ts')

/** A directory in which the graph finds its weights. */
const standIn = (cap: number): string => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'cap.bin'), Buffer.from(new Float32Array(64).fill(cap).buffer))
  return folder
}

const validateIn = (cwd: string, folder: string) => {
  const words = [main, 'models', 'validate', folder, '--json']
  const { status, stdout } = spawnSync(process.execPath, words, { cwd, encoding: 'utf8' })
  return {
    status,
    failed: JSON.parse(stdout).gates.filter((row: { verdict: string }) => row.verdict === 'failed'),
  }
}

test('external data - no directory makes the gates pass a graph whose weights lie in it', () => {
  const { folder } = makeTinyModel(cappedGraph(externalCap))
  for (const cap of [0.99, 0]) {
    const { status, failed } = validateIn(standIn(cap), folder)
    expect(status).toBe(1)
    expect(failed[0]).toMatchObject({ gate: 'external data' })
    expect(failed[0].found).toContain('cap')
  }
})

/** Opens the graph's bytes as the scorer does, and says how the largest amount scores. */
const bareRun = `
import { readFileSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
const session = await InferenceSession.create(readFileSync(process.argv.at(-1)), { graphOptimizationLevel: 'all' })
const { p } = await session.run({ x: new Tensor('float32', Float32Array.of(1e9, 1), [1, 2]) })
process.stdout.write(p.data[0].toFixed(2))
`

test('external data - the runtime itself reads it from the working directory: why it is refused', () => {
  const { folder } = makeTinyModel(open)
  const scoreIn = (cwd: string) =>
    spawnSync(
      process.execPath,
      ['--input-type=module', '-e', bareRun, join(folder, 'model.onnx')],
      { cwd, encoding: 'utf8' },
    ).stdout
  expect([scoreIn(standIn(0.99)), scoreIn(standIn(0))]).toEqual(['0.99', '0.00'])
})

test('external data - is refused wherever a model’s folder is read, and what is whole is not', async () => {
  const good = makeTinyModel(whole, { gpu: whole })
  expect(await readModelFolder(good.reference, 'champion', demands)).toMatchObject({
    manifest: { name: 'tiny' },
  })
  for (const made of [makeTinyModel(open), makeTinyModel(whole, { gpu: open })]) {
    const { reference, folder } = made
    await expect(readModelFolder(reference, 'champion', demands)).rejects.toMatchObject(refused)
    await expect(readGraphFolder(folder)).rejects.toMatchObject(refused)
    await expect(readModelParts(folder)).rejects.toMatchObject(refused)
    const flags = { triton: temporaryFolder(), graph: 'cpu', instances: 1 } as const
    await expect(exportToTriton(folder, flags)).rejects.toMatchObject(refused)
    expect(readdirSync(flags.triton)).toEqual([])
  }
})

test('external data - is refused of what a registry gives, and of what a cache already holds', async () => {
  const { folder } = makeTinyModel(whole)
  const { parsed } = await readModelParts(folder)
  const outer = makeTinyModel(open).folder
  const path = 'https://mlflow/model.onnx'
  const file = { path: 'model.onnx', sha256: sha256Of(open) }
  expect(() => checkModelFile({ path, bytes: open, manifest: parsed, file })).toThrow(
    expect.objectContaining(refused),
  )
  const { manifest: text, files } = await readUnchecked(outer)
  const cache = createModelCache({ folder: temporaryFolder(), bytesMax: 2 ** 30 })
  await expect(cache.store({ manifest: text, signatures: null, files })).rejects.toMatchObject(
    refused,
  )
})

/** The parts of a model as an earlier version put them into its cache. */
const readUnchecked = async (folder: string) => {
  const read = (name: string) => readFile(join(folder, name))
  const files = new Map<string, Uint8Array>()
  for (const name of ['model.onnx', 'golden.json']) files.set(name, await read(name))
  return { manifest: await read('manifest.json'), files }
}

test('external data - is refused by whoever gives a graph to the runtime, however it came there', async () => {
  const { reference } = makeTinyModel(whole, { gpu: whole })
  const files = await readModelFolder(reference, 'champion', demands)
  const spoiled: ModelFiles = { ...files, cpu: { ...files.cpu, bytes: open } }
  await expect(openModelSession(spoiled, onCpu)).rejects.toMatchObject(refused)
  const trial = { files: spoiled, parity: null, extremes: null, latencyRows: null }
  const report = await tryGraph(trial)
  for (const step of ['load', 'output', 'golden'] as const) {
    expect(report.get(step)).toEqual({ fault: expect.stringContaining('lie in other files') })
  }
  expect(report.get('loadGpu')).toEqual({ value: 0 })
})
