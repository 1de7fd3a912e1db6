// The code that made something, as one hash: for caches, which must not outlive it, and for
// lineage.
//
// In: folders and files of the repository. Out: sha-256 over the paths and bytes of all TypeScript,
// Python, Avro and requirement files below them, in order. Nothing is refused. Invariant: it
// depends on what stands in the files, not on the machine, the clock or the commit they are in.

import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const repositoryFolder = fileURLToPath(new URL('..', import.meta.url))
const endings = ['ts', 'py', 'avsc', 'txt']

/** Everything that a feature's value depends on, besides the pipeline file and the input. */
export const featureSources = [
  'services/core',
  'services/pipeline',
  'services/adapters/file',
  'services/adapters/memory',
  'services/replay',
  'schemas',
]
export const generatorSources = ['load/generator']
export const trainingSources = ['training', ...featureSources, 'services/adapters/onnx']

export function hashSources(folders: readonly string[]): string {
  const patterns = folders.map((folder) => `${folder}/**/*.{${endings.join(',')}}`)
  const paths = globSync(patterns, { cwd: repositoryFolder, exclude: ['training/.venv'] })
  const hash = createHash('sha256')
  for (const path of paths.map((path) => path.split(sep).join('/')).sort()) {
    const content = createHash('sha256').update(readFileSync(join(repositoryFolder, path)))
    hash.update(`${path} ${content.digest('hex')}\n`)
  }
  return hash.digest('hex')
}
