// One replay in a process of its own: the real command, as a user starts it.
//
// In: files, a pipeline file, flags for Node. Out: how fast it was, what it used, its Parquet file;
// or the command alone, for those who run it their own way. Refused: a replay that fails, with what
// it said. Invariant: the seconds are those that the command itself reports, from its first look at
// the files to the finished folder; Node's start is not in them.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import type { Footprint } from '../measure/report-usage.ts'
import type { HistoryFiles } from '../verify/feature-sql.ts'

export type ReplayedOnce = {
  readonly events: number
  readonly seconds: number
  readonly footprint: Footprint
  /** The rows. */
  readonly parquet: string
}

type ReplayOnce = {
  readonly pipelineFile: string
  readonly files: HistoryFiles
  readonly isScoring: boolean
  /** Must be there; gets the run and what the process used. */
  readonly folder: string
  readonly nodeFlags?: readonly string[]
}

const program = join(repositoryFolder, 'services', 'cli', 'main.ts')
const preload = join(repositoryFolder, 'load', 'bench', 'measure', 'report-usage.ts')
const outputBytesMax = 64 * 1024 * 1024

/** Arguments for Node. */
export function replayWords(options: Omit<ReplayOnce, 'nodeFlags'>): readonly string[] {
  const { pipelineFile, files, isScoring, folder } = options
  const words = ['replay', '--pipeline', pipelineFile, '--out', outOf(folder), '--json']
  words.push('--transactions', files.transactions, '--labels', files.labels)
  if (!isScoring) words.push('--features-only')
  return [program, ...words]
}

const outOf = (folder: string): string => join(folder, 'run')

export async function replayOnce(options: ReplayOnce): Promise<ReplayedOnce> {
  const { isScoring, folder, nodeFlags = [] } = options
  const out = outOf(folder)
  const usageFile = join(folder, 'usage.json')
  const address = pathToFileURL(preload)
  address.searchParams.set('to', usageFile)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', address.href, ...nodeFlags, ...replayWords(options)],
    { cwd: repositoryFolder, maxBuffer: outputBytesMax },
  )
  const { events, seconds } = JSON.parse(stdout.trim().split('\n').at(-1)!)
  const footprint = JSON.parse(readFileSync(usageFile, 'utf8')) as Footprint
  const parquet = join(out, isScoring ? 'scored.parquet' : 'features.parquet')
  return { events, seconds, footprint, parquet }
}
