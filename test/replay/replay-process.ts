// `weir replay`, and other commands of `weir` beside it, as processes of their own.
//
// In: flags, and variables where the test has servers; without them nobody answers, so a replay
// that asked would fail. Out: the process, or how it ended and all it said. It is killed with the
// test.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'

const nowhere = {
  WEIR_KAFKA_BROKERS: 'localhost:1',
  WEIR_REDIS_URL: 'redis://localhost:1',
  WEIR_REGISTRY_URL: 'http://localhost:1',
}

type Variables = Readonly<Record<string, string>>

export function startWeir(words: readonly string[], variables: Variables = {}): ChildProcess {
  const child = spawn(process.execPath, [repositoryPath('services/cli/main.ts'), ...words], {
    cwd: repositoryPath('.'),
    env: { ...process.env, ...nowhere, ...variables },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

export const startReplay = (flags: readonly string[], variables: Variables = {}): ChildProcess =>
  startWeir(['replay', ...flags], variables)

export async function runWeir(words: readonly string[], variables: Variables = {}) {
  const child = startWeir(words, variables)
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (text) => {
    stdout += text
  })
  child.stderr!.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

export const runReplay = (flags: readonly string[], variables: Variables = {}) =>
  runWeir(['replay', ...flags], variables)
