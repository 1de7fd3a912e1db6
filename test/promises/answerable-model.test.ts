// Promise 7: the model that scored an event is always answerable, to the byte, with what it saw.
//
// The shipped pipeline with its own model in the real classifier, everything around it in memory.
// Whoever holds a scored event and the model file can check both: the file's sha-256 is in the
// event, and the file gives the event's score for the event's features, here asked through ONNX
// Runtime alone.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { createMemoryLogStore } from '../../services/adapters/memory/memory-log-store.ts'
import { createOnnxClassifier } from '../../services/adapters/onnx/onnx-classifier.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../services/adapters/pipeline-file/pipeline-manifest.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import { observeNothing } from '../../services/pipeline/observe/signals.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { createMemoryBroker } from '../support/memory-broker.ts'
import { createMemoryScorer, decodeJson } from '../support/memory-scorer.ts'
import { randomLanes } from '../support/memory-stream.ts'
import { createRandom } from '../support/random.ts'

const SEED = 3
/** What the golden check allows too. */
const SCORE_DIFFERENCE_MAX = 1e-5

let definition: PipelineDefinition
let modelFile: string
let scored: readonly ScoredTransactionRecord[]

beforeAll(async () => {
  definition = loadPipelineFile(join(repositoryFolder, 'pipelines/card-fraud.yaml'), {
    manifestReader: readManifest,
    baseFolder: repositoryFolder,
  })
  const { source, name, version } = definition.model.champion
  modelFile = join(source, name, version, 'model.onnx')
  const classifier = await createOnnxClassifier({
    models: definition.model,
    policy: { ...definition.execution, providers: ['cpu'] },
    features: definition.features.map((feature) => feature.name),
    observe: observeNothing,
  })
  const random = createRandom(SEED)
  const lanes = randomLanes(random, 300)
  const broker = createMemoryBroker({ lanes, random })
  const member = broker.join()
  const store = createMemoryLogStore(planFeatures(definition).kinds)
  const askRegistry = async () => false
  const running = createMemoryScorer({ definition, member, store, classifier, askRegistry })
  await running.conductor.start()
  member.assign(lanes)
  while (!broker.isDone() && running.failure() === null) await turn()
  await running.conductor.drain()
  await classifier.close()
  expect(running.failure()).toBeNull()
  scored = broker.published('scored').map(({ record }) => decodeJson(record.value))
})

describe(`the model behind each score, seed ${SEED}`, () => {
  it("every scored event carries the sha-256 of the model's file", () => {
    const sha256 = createHash('sha256').update(readFileSync(modelFile)).digest('hex')
    expect(scored.length).toBeGreaterThan(100)
    expect(new Set(scored.map(({ modelSha256 }) => modelSha256))).toEqual(new Set([sha256]))
  })

  it('name, version, provider, feature set and pipeline are named beside it', () => {
    const { champion } = definition.model
    for (const event of scored) {
      expect(event.modelName).toBe(champion.name)
      expect(event.modelVersion).toBe(champion.version)
      expect(event.modelProvider).toBe('cpu')
      expect(event.featureSet).toBe(definition.featureSet.slice(0, 16))
      expect(event.pipelineHash).toBe(definition.hash.slice(0, 16))
    }
  })

  it('the file gives the same score for the features in the event', async () => {
    const session = await InferenceSession.create(modelFile)
    const width = definition.features.length
    const rows = Float32Array.from(scored.flatMap(({ features }) => features))
    const input = new Tensor('float32', rows, [scored.length, width])
    const output = await session.run({ [session.inputNames[0]!]: input })
    const scores = output[session.outputNames[0]!]!.data as Float32Array
    // ONNX Runtime adds up trees in another order for other batch sizes: the last bits may differ.
    for (const [row, { score }] of scored.entries()) {
      expect(Math.abs(scores[row]! - score)).toBeLessThan(SCORE_DIFFERENCE_MAX)
    }
    await session.release()
  })
})
