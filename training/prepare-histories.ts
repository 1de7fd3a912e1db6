// The training's input, from nothing: generated histories, replayed into features.
//
// In: a training config (training/card-fraud.json). Out, below its workFolder: per history the
// generator's files and a run folder of `weir replay --features-only`. A history whose files are
// there already is not made again, one whose pipeline file has changed is replayed again. Refused:
// what the generator and the replay refuse.

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

export async function prepareHistories(configFile: string): Promise<void> {
  const config = JSON.parse(readFileSync(configFile, 'utf8')) as TrainingConfig
  const definition = loadPipelineFile(config.pipeline)
  for (const history of config.histories) {
    const folders = foldersOf(config, history)
    generate(history, folders)
    await replay(history, folders, definition)
  }
}

type Folders = { readonly files: string; readonly run: string }

/** The names that train.py looks for. */
const foldersOf = ({ workFolder }: TrainingConfig, { name }: HistorySpec): Folders => ({
  files: join(workFolder, name),
  run: join(workFolder, `${name}.features`),
})

function generate({ name, generator }: HistorySpec, folders: Folders): void {
  const directory = folders.files
  const specFile = join(directory, 'generator.json')
  const spec = JSON.stringify(generator)
  if (existsSync(specFile) && readFileSync(specFile, 'utf8') === spec) return
  rmSync(directory, { recursive: true, force: true })
  rmSync(folders.run, { recursive: true, force: true })
  const startTimeMs = Date.parse(generator.startTimeMs)
  const counts = writeFiles({
    directory,
    format: 'parquet',
    generator: { ...generator, startTimeMs },
  })
  writeFileSync(specFile, spec)
  tell(name, `generated ${JSON.stringify(counts)}`)
}

async function replay(
  { name }: HistorySpec,
  { files, run: outFolder }: Folders,
  pipeline: PipelineDefinition,
): Promise<void> {
  if (readLayoutHash(outFolder) === pipeline.layoutHash) return tell(name, 'features are there')
  rmSync(outFolder, { recursive: true, force: true })
  const startedMs = performance.now()
  const { events } = await runReplay({
    definition: pipeline,
    transactionFiles: [join(files, 'transactions.parquet')],
    labelFiles: [join(files, 'labels.parquet')],
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

function tell(name: string, text: string): void {
  process.stdout.write(`${name}: ${text}\n`)
}
