// The shipped models' two graphs are one model: the tree ensemble and the same trees as tensors
// agree on the vectors of a replayed history, and on such rows with single values put on the edges
// of bins, to 1e-5 and in every decision.

import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { describe, expect, it } from 'vitest'
import { writeFiles } from '../../../load/generator/file-sink.ts'
import { goldenDifferenceMax } from '../../../services/adapters/models/golden-vectors.ts'
import { type ModelFiles, readModelFolder } from '../../../services/adapters/models/model-files.ts'
import {
  type ModelSession,
  openModelSession,
} from '../../../services/adapters/onnx/model-session.ts'
import { loadPipelineFile } from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../../services/adapters/pipeline-file/pipeline-manifest.ts'
import type {
  ExecutionPolicy,
  PipelineDefinition,
} from '../../../services/core/pipeline-definition.ts'
import { noSignatures } from '../../../services/models/manifest-signature.ts'
import { runReplay } from '../../../services/replay/run-replay.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { repositoryPath } from '../pipeline-file/pipeline-text.ts'
import { onCpu, randomOf } from './fixture-models.ts'
import { isWebgpuRunnable, webgpuTitle } from './webgpu-driver.ts'

const rowsMin = 10_000
/** SwiftShader takes milliseconds for a row. */
const webgpuRows = 500
const rowsPerRun = 2_000
const seed = Number(process.env.WEIR_TEST_SEED ?? Date.now() % 2 ** 31)
console.info(`tensor-parity seed ${seed}`)

type Case = {
  readonly definition: PipelineDefinition
  readonly files: ModelFiles
  readonly vectors: Float32Array
  readonly count: number
  /** Of the tree ensemble. */
  readonly scores: Float32Array
}

const scoreAll = async ({ score }: ModelSession, vectors: Float32Array, count: number) => {
  const width = vectors.length / count
  const scores = new Float32Array(count)
  for (let from = 0; from < count; from += rowsPerRun) {
    const rows = Math.min(rowsPerRun, count - from)
    scores.set(await score(vectors.subarray(from * width, (from + rows) * width), rows), from)
  }
  return scores
}

async function replayVectors(definition: PipelineDefinition): Promise<Float32Array> {
  const folder = temporaryFolder()
  writeFiles({
    directory: folder,
    format: 'parquet',
    generator: { seed: 77, customers: 300, terminals: 400, days: 40 },
  })
  const outFolder = join(folder, 'run')
  await runReplay({
    definition,
    transactionFiles: [join(folder, 'transactions.parquet')],
    labelFiles: [join(folder, 'labels.parquet')],
    isScoring: false,
    outFolder,
  })
  const file = await asyncBufferFromFile(join(outFolder, 'features.parquet'))
  const rows = await parquetReadObjects({ file, compressors })
  const names = definition.features.map(({ name }) => name)
  return Float32Array.from(rows.flatMap((row) => names.map((name) => Number(row[name]))))
}

/** The rows again, each with one value on an edge of its reference: where trees tend to split. */
function moveOntoEdges(vectors: Float32Array, { manifest }: ModelFiles): Float32Array {
  const random = randomOf(seed)
  const { features } = manifest.reference
  const moved = vectors.slice()
  for (let from = 0; from < moved.length; from += features.length) {
    const index = Math.floor(random() * features.length)
    const { edges } = features[index]!
    if (edges.length > 0) moved[from + index] = edges[Math.floor(random() * edges.length)]!
  }
  return moved
}

async function openCase(pipeline: string): Promise<Case> {
  const definition = loadPipelineFile(repositoryPath(pipeline), {
    manifestReader: readManifest,
    baseFolder: repositoryPath('.'),
  })
  const features = definition.features.map(({ name }) => name)
  const demands = { features, signatures: noSignatures }
  const files = await readModelFolder(definition.model.champion, 'champion', demands)
  const replayed = await replayVectors(definition)
  const vectors = new Float32Array(2 * replayed.length)
  vectors.set(replayed)
  vectors.set(moveOntoEdges(replayed, files), replayed.length)
  const count = vectors.length / features.length
  const scores = await scoreAll(await openModelSession(files, onCpu), vectors, count)
  return { definition, files, vectors, count, scores }
}

function expectParity(expected: Float32Array, found: Float32Array, { policy }: PipelineDefinition) {
  const thresholds = [policy.review, policy.block]
  let largest = 0
  const flips: string[] = []
  for (const [row, score] of expected.entries()) {
    const difference = Math.abs(found[row]! - score)
    largest = Math.max(largest, Number.isNaN(difference) ? 1 : difference)
    for (const threshold of thresholds) {
      if (found[row]! >= threshold === score >= threshold) continue
      flips.push(`row ${row}: ${score} and ${found[row]} at ${threshold}`)
    }
  }
  expect(largest).toBeLessThanOrEqual(goldenDifferenceMax)
  expect(flips).toEqual([])
}

/** Each decision must occur, or equal decisions would say nothing. */
function expectAllBands(scores: Float32Array, { policy }: PipelineDefinition) {
  const { review, block } = policy
  const bands = [0, 0, 0]
  for (const score of scores) bands[Number(score >= review) + Number(score >= block)]! += 1
  expect(Math.min(...bands)).toBeGreaterThan(3)
}

/** As many rows for each threshold, those whose scores lie closest: there decisions are decided. */
function chooseClosest({ definition, vectors, count, scores }: Case, wanted: number) {
  const { review, block } = definition.policy
  const rows = Array.from({ length: count }, (_, row) => row)
  const chosen = [review, block].flatMap((threshold) => {
    const distance = (row: number) => Math.abs(scores[row]! - threshold)
    return rows.toSorted((a, b) => distance(a) - distance(b)).slice(0, wanted / 2)
  })
  const width = vectors.length / count
  const own = new Float32Array(wanted * width)
  for (const [i, row] of chosen.entries()) {
    own.set(vectors.subarray(row * width, (row + 1) * width), i * width)
  }
  return { vectors: own, scores: Float32Array.from(chosen, (row) => scores[row]!) }
}

describe.each(['pipelines/card-fraud.yaml', 'load/bench/pipelines/pipeline.yaml'])(
  '%s',
  (pipeline) => {
    let opened: Promise<Case> | undefined
    const open = (): Promise<Case> => {
      opened ??= openCase(pipeline)
      return opened
    }

    it('tensor graph - scores and decides as the tree ensemble does, on the cpu', async () => {
      const { definition, files, vectors, count, scores } = await open()
      expect(count).toBeGreaterThanOrEqual(rowsMin)
      expectAllBands(scores, definition)
      expect(files.gpu!.sha256).not.toBe(files.cpu.sha256)
      const asTensors = await openModelSession({ ...files, cpu: files.gpu! }, onCpu)
      expect(asTensors.model.sha256).toBe(files.gpu!.sha256)
      expectParity(scores, await scoreAll(asTensors, vectors, count), definition)
    }, 120_000)

    it.skipIf(!isWebgpuRunnable)(
      webgpuTitle('tensor graph - decides as the tree ensemble does on webgpu, where it is close'),
      async () => {
        const one = await open()
        const chosen = chooseClosest(one, webgpuRows)
        expectAllBands(chosen.scores, one.definition)
        const policy: ExecutionPolicy = { providers: ['webgpu'], isRequired: true, workers: 1 }
        const session = await openModelSession(one.files, policy)
        expect(session.model.provider).toBe('webgpu')
        const found = await session.score(chosen.vectors, webgpuRows)
        expectParity(chosen.scores, found, one.definition)
      },
      120_000,
    )
  },
)
