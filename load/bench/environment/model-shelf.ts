// Versions of a model side by side in a scratch folder, for a pipeline file that looks for them
// there.
//
// In: the model's name, which folder stands for which version, the text of a pipeline file by the
// folder that it is to name. Out: that file, and a way to put one more version there or to spoil
// one. Only name and version of a manifest are changed, so every model still passes its own golden
// rows. Used by benches and by tests.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export type ModelShelf = {
  readonly pipelineFile: string
  /** @param spoil changes the copy once its manifest is written. */
  readonly add: (version: string, source: string, spoil?: (folder: string) => void) => void
  readonly remove: () => void
}

type ShelfOptions = {
  /** Removed in the end with everything in it; left out: one of its own. */
  readonly folder?: string
  readonly name: string
  /** Folders of models by the version that they get. */
  readonly versions: Readonly<Record<string, string>>
  /** @param models absolute, what `model.source` has to be. */
  readonly writePipeline: (models: string) => string
}

export function makeModelShelf(options: ShelfOptions): ModelShelf {
  const { name, versions, writePipeline } = options
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'weir-models-'))
  const models = resolve(folder, 'models')
  const add: ModelShelf['add'] = (version, source, spoil = () => undefined) => {
    const target = join(models, name, version)
    mkdirSync(target, { recursive: true })
    cpSync(resolve(source), target, { recursive: true })
    const file = join(target, 'manifest.json')
    const manifest = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify({ ...manifest, name, version }))
    spoil(target)
  }
  for (const [version, source] of Object.entries(versions)) add(version, source)
  const pipelineFile = join(folder, 'pipeline.yaml')
  writeFileSync(pipelineFile, writePipeline(models))
  return { pipelineFile, add, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** The text of a pipeline file with another line `model:`, whose champion is version 1. */
export function readPipelineFor(pipelineFile: string, name: string) {
  const text = readFileSync(pipelineFile, 'utf8')
  if (!/^model: .*$/m.test(text)) throw new Error(`${pipelineFile} has no line that begins model:`)
  return (models: string): string =>
    text.replace(/^model: .*$/m, `model: { name: ${name}, version: "1", source: ${models} }`)
}
