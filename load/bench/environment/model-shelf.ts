// Versions of a model side by side, and a pipeline file that looks for them there.
//
// In: a pipeline file, which folder stands for which version. Out: a pipeline file of a scratch folder, whose champion
// is version 1. Only name and version of a manifest are changed, so every model passes its own golden rows.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export type ModelShelf = { readonly pipelineFile: string; readonly remove: () => void }

type ShelfOptions = {
  readonly pipelineFile: string
  readonly name: string
  /** Folders of models by the version that they get. */
  readonly versions: Readonly<Record<string, string>>
}

export function makeModelShelf({ pipelineFile, name, versions }: ShelfOptions): ModelShelf {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-models-'))
  for (const [version, source] of Object.entries(versions)) {
    const target = join(folder, name, version)
    mkdirSync(target, { recursive: true })
    cpSync(resolve(source), target, { recursive: true })
    const manifestFile = join(target, 'manifest.json')
    const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'))
    writeFileSync(manifestFile, JSON.stringify({ ...manifest, name, version }))
  }
  const text = readFileSync(pipelineFile, 'utf8')
  const model = `model: { name: ${name}, version: "1", source: ${folder} }`
  if (!/^model: .*$/m.test(text)) throw new Error(`${pipelineFile} has no line that begins model:`)
  const file = join(folder, 'pipeline.yaml')
  writeFileSync(file, text.replace(/^model: .*$/m, model))
  return { pipelineFile: file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
