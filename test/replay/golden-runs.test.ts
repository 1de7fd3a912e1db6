// Golden runs: the bytes of a run are pinned, and no way of handing in the same history changes
// them.
//
// test/replay/golden/<pipeline>.json holds what a run of a small generated history wrote: hashes of
// the history that went in, of the rows' values, and of the files that came out. A hash may change
// with the generator (history), with the feature table, the model or the policy (values), with the
// Parquet writer, its compression or Node's zlib (parquet alone), with the report (report, page).
// Then, and with the reason in the commit, they are written anew by
//
//   npm test -- test/replay/golden-runs -u

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { writeFiles } from '../../load/generator/file-sink.ts'
import { prefillTopic } from '../../load/generator/prefill.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../services/adapters/pipeline-file/pipeline-manifest.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { openInputDecoders } from '../../services/environment/open-decoders.ts'
import { planValidate } from '../../services/pipeline/validate/validate.ts'
import { type FileReplayOptions, runReplay } from '../../services/replay/run-replay.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import { openScoringEnvironment } from '../support/scoring-environment.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import {
  type Run,
  readRun,
  replaySmall,
  smallHistory,
  smallWorld,
  writeNdjson,
} from './replay-world.ts'

const world = smallWorld(2, 20)
const history = smallHistory(2, 20)

const load = (path: string): PipelineDefinition =>
  loadPipelineFile(repositoryPath(path), {
    manifestReader: readManifest,
    baseFolder: repositoryPath('.'),
  })

/**
 * A brake is of a lane, and files are one lane: it is off, so that topics may give the same bytes.
 */
const withoutBrake = (definition: PipelineDefinition): PipelineDefinition => ({
  ...definition,
  policy: { ...definition.policy, flaggedShareMax: 1 },
})

const pipelines = {
  'card-fraud': withoutBrake(load('pipelines/card-fraud.yaml')),
  'two-models': withoutBrake(load('test/replay/golden/two-models.yaml')),
}
const names = Object.keys(pipelines) as (keyof typeof pipelines)[]

const replay = (
  name: keyof typeof pipelines,
  wanted: Partial<FileReplayOptions> = {},
): Promise<Run> => replaySmall(history, { definition: pipelines[name], isScoring: true, ...wanted })

const hashOf = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')

/**
 * What is pinned. Float32 values have one shortest decimal each; what JSON cannot tell the bytes
 * do.
 */
async function describeRun(run: Run) {
  const rows = await run.rows()
  return {
    history: hashOf(JSON.stringify([history.transactions, history.labels])),
    columns: Object.keys(rows[0]!),
    rows: rows.length,
    values: hashOf(rows.map((row) => JSON.stringify(Object.values(row))).join('\n')),
    parquet: hashOf(run.bytes),
    report: hashOf(run.read('report.json')),
    page: hashOf(run.read('report.html')),
    averagePrecision: run.report.averagePrecision,
    rocAuc: run.report.rocAuc,
  }
}

const pinnedAt = (name: string): string => repositoryPath(`test/replay/golden/${name}.json`)

describe.each(names)('golden run of %s', (name) => {
  test('golden run - is what is pinned', async () => {
    const found = await describeRun(await replay(name))
    await expect(`${JSON.stringify(found, null, 2)}\n`).toMatchFileSnapshot(pinnedAt(name))
  })

  test.each([1, 7, 1000])(
    'golden run - has the same bytes in batches of %i',
    async (batchEvents) => {
      const [plain, batched] = [await replay(name), await replay(name, { batchEvents })]
      expect(batched.bytes.equals(plain.bytes)).toBe(true)
      expect(batched.read('report.html')).toBe(plain.read('report.html'))
    },
  )

  test('golden run - has the same bytes from files that are split, shuffled or Parquet', async () => {
    const plain = await replay(name)
    for (const given of [splitFiles(), shuffledFiles(), parquetFiles()]) {
      const run = await replay(name, given)
      expect(run.bytes.equals(plain.bytes)).toBe(true)
      expect(run.read('report.json')).toBe(plain.read('report.json'))
    }
  })
})

type Files = Pick<FileReplayOptions, 'transactionFiles' | 'labelFiles'>

function splitFiles(): Files {
  const folder = temporaryFolder()
  const deal = <T>(kind: string, rows: readonly T[]): string[] =>
    [0, 1, 2].map((part) =>
      writeNdjson(
        folder,
        `${kind}-${part}.ndjson`,
        rows.filter((_, i) => (i * 7919) % 3 === part) as object[],
      ),
    )
  return {
    transactionFiles: deal('transactions', history.transactions),
    labelFiles: deal('labels', history.labels),
  }
}

function shuffledFiles(): Files {
  const folder = temporaryFolder()
  const write = (name: string, rows: readonly object[]): string[] => {
    const order = rows.map((_, i) => hashOf(`${name} ${i}`))
    const shuffled = [...rows.keys()].sort((a, b) => (order[a]! < order[b]! ? -1 : 1))
    return [
      writeNdjson(
        folder,
        name,
        shuffled.map((i) => rows[i]!),
      ),
    ]
  }
  return {
    transactionFiles: write('transactions.ndjson', history.transactions),
    labelFiles: write('labels.ndjson', history.labels),
  }
}

function parquetFiles(): Files {
  const directory = temporaryFolder()
  writeFiles({ directory, format: 'parquet', generator: world })
  return {
    transactionFiles: [join(directory, 'transactions.parquet')],
    labelFiles: [join(directory, 'labels.parquet')],
  }
}

describe('golden run of topics', () => {
  test.each([1, 3, 12])(
    'golden run - has the same bytes from %i partitions',
    async (partitions) => {
      const place = await openScoringEnvironment({ purpose: 'golden', partitions })
      const { stack, kafka, definition, schemaIds } = place
      const registry = connectRegistry(stack.registryUrl)
      try {
        const { transactions, labels } = await prefillTopic({
          brokers: stack.kafkaBrokers,
          transactionsTopic: definition.topics.transactions,
          labelsTopic: definition.topics.labels,
          schemaIds,
          generator: { ...world, count: Number.POSITIVE_INFINITY },
        })
        expect([transactions, labels]).toEqual([history.transactions.length, history.labels.length])
        const outFolder = join(temporaryFolder(), 'run')
        const decoders = openInputDecoders(registry, definition)
        // The history stands at fixed days while the brokers' clock goes on.
        const validate = { ...planValidate(definition), ageMaxMs: Number.MAX_SAFE_INTEGER }
        const report = await runReplay({
          definition: { ...withoutBrake(definition), validate },
          isScoring: true,
          outFolder,
          topicHistory: { kafka, decoders, fromMs: null, toMs: null, labelsToMs: null },
        })
        const [files, topics] = [await replay('card-fraud'), readRun(outFolder, report)]
        expect(topics.bytes.equals(files.bytes)).toBe(true)
        expect(topics.read('report.json')).toBe(files.read('report.json'))
      } finally {
        await registry.close()
        await place.close()
      }
    },
  )
})
