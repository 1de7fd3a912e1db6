// Where and on what a result was taken: the machine and the commit.
//
// Out: facts that stand in every result, so that no figure is ever read without its machine.
// Nothing is refused; what cannot be found out is said so. Invariant: no name of the machine, no
// user and no path is among them.

import { execFileSync } from 'node:child_process'
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os'
import { repositoryFolder } from '../../../dev/stack/repository.ts'

export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly kernel: string
  readonly node: string
  /** Processes that wanted a core in the minute before: a quiet machine is near 0. */
  readonly loadBefore: number
}

export function describeMachine(): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() || `unknown ${arch()}`,
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 1e8) / 10,
    kernel: `${type()} ${release()}`,
    node: process.version,
    loadBefore: Math.round(loadavg()[0]! * 10) / 10,
  }
}

/** Short hash, with -dirty behind it where files differ from the commit. */
export function findCommit(): string {
  const flags = ['describe', '--always', '--dirty', '--abbrev=10', '--exclude=*']
  try {
    const options = { cwd: repositoryFolder, encoding: 'utf8', stdio: 'pipe' } as const
    return execFileSync('git', flags, options).trim()
  } catch {
    return 'unknown'
  }
}
