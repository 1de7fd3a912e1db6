// The Python that trains: one that is named, or a virtual environment made from requirements.txt.
//
// In: WEIR_TRAINING_PYTHON, else training/.venv, which is made when it is missing or was made from
// other requirements. Out: the path of an interpreter that has the libraries. Refused as
// TrainingFault: a machine without Python 3.11 or newer, or without a way to install packages.
// Invariants: an environment that was half made is never used, as what it was made from is written
// last; two at a time never make it.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
// @ts-expect-error -- the launcher is plain JavaScript, so that any Node can start it.
import { withLock } from '../dev/launch.mjs'
import { TrainingFault } from './training-config.ts'

const folder = fileURLToPath(new URL('.venv', import.meta.url))
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url))
const python = join(folder, 'bin', 'python')
const madeFrom = join(folder, 'made-from.txt')

export function openPython(environment = process.env): string {
  const named = environment.WEIR_TRAINING_PYTHON
  if (named !== undefined && named !== '') return named
  const lock = fileURLToPath(new URL('../.weir/training-python.lock', import.meta.url))
  return isMade() ? python : withLock(lock, makeEnvironment)
}

const isMade = (): boolean =>
  existsSync(madeFrom) && readFileSync(madeFrom, 'utf8') === readFileSync(requirements, 'utf8')

function makeEnvironment(): string {
  // Looked at again: another process may have made it while this one waited.
  if (isMade()) return python
  process.stderr.write('training: making training/.venv from training/requirements.txt\n')
  run('python3', ['-m', 'venv', '--clear', folder])
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '2']
  run(python, [...pip, '--requirement', requirements])
  writeFileSync(madeFrom, readFileSync(requirements))
  return python
}

function run(command: string, given: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, given, { encoding: 'utf8' })
  if (status === 0) return
  const reason = error?.message ?? stderr.trim().split('\n').at(-1) ?? ''
  throw new TrainingFault(
    `${command} ${given.slice(0, 3).join(' ')} failed: ${reason}; expected Python 3.11 or newer ` +
      'with venv and pip, or WEIR_TRAINING_PYTHON with the packages of training/requirements.txt',
  )
}
