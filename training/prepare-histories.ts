// The training's input, from nothing: generated histories, replayed into features.
//
// In: a training config (training/card-fraud.json). Out, below its workFolder: per history the
// generator's files and a run folder of `weir replay --features-only`. A history whose files are
// there already is not made again, one whose pipeline file has changed is replayed again. Refused:
// what the generator and the replay refuse. Run by `npm run train:features`.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFiles } from '../load/generator/file-sink.ts'
import type { GeneratorOptions } from '../load/generator/options.ts'
import { loadPipelineFile } from '../services/adapters/file/pipeline-file.ts'
import type { PipelineDefinition } from '../services/core/pipeline-definition.ts'
import { runReplay } from '../services/replay/run-replay.ts'

type HistorySpec = {
  readonly name: string
  /** The generator's knobs; startTimeMs is written as ISO 8601. */
  readonly generator: Omit<Partial<GeneratorOptions>, 'startTimeMs'> & {
    readonly startTimeMs: string
  }
}

type TrainingConfig = {
  readonly pipeline: string
  readonly workFolder: string
  readonly histories: readonly HistorySpec[]
}

const configFile = process.argv[2] ?? 'training/card-fraud.json'
const config = JSON.parse(readFileSync(configFile, 'utf8')) as TrainingConfig
const definition = loadPipelineFile(config.pipeline)
for (const history of config.histories) {
  generate(history)
  await replay(history, definition)
}

function generate({ name, generator }: HistorySpec): void {
  const directory = filesFolderOf(name)
  const specFile = join(directory, 'generator.json')
  const spec = JSON.stringify(generator)
  if (existsSync(specFile) && readFileSync(specFile, 'utf8') === spec) return
  rmSync(directory, { recursive: true, force: true })
  rmSync(runFolderOf(name), { recursive: true, force: true })
  const startTimeMs = Date.parse(generator.startTimeMs)
  const counts = writeFiles({
    directory,
    format: 'parquet',
    generator: { ...generator, startTimeMs },
  })
  writeFileSync(specFile, spec)
  tell(name, `generated ${JSON.stringify(counts)}`)
}

async function replay({ name }: HistorySpec, pipeline: PipelineDefinition): Promise<void> {
  const outFolder = runFolderOf(name)
  if (readLayoutHash(outFolder) === pipeline.layoutHash) return tell(name, 'features are there')
  rmSync(outFolder, { recursive: true, force: true })
  const startedMs = performance.now()
  const { events } = await runReplay({
    definition: pipeline,
    transactionFiles: [join(filesFolderOf(name), 'transactions.parquet')],
    labelFiles: [join(filesFolderOf(name), 'labels.parquet')],
    isScoring: false,
    outFolder,
  })
  const seconds = (performance.now() - startedMs) / 1000
  tell(name, `replayed ${events} transactions in ${seconds.toFixed(0)} s`)
}

function readLayoutHash(runFolder: string): string | null {
  const path = join(runFolder, 'manifest.json')
  if (!existsSync(path)) return null
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { pipeline: { layoutHash: string } }
  return manifest.pipeline.layoutHash
}

function filesFolderOf(name: string): string {
  return join(config.workFolder, name)
}

function runFolderOf(name: string): string {
  return join(config.workFolder, `${name}.features`)
}

function tell(name: string, text: string): void {
  process.stdout.write(`${name}: ${text}\n`)
}
