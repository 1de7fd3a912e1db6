// `weir score` as a process of its own: to be asked how it is, signalled, and waited for.
//
// In: a supervision to hang it on, the pipeline file, the environment, a log file. Out: handles.
// Refused: a scorer that ends or is not ready in time; the error carries the end of its log.
// Invariant: it ends with its supervision, and so with this process, however that ends.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import type { Supervision } from '../../dev/stack/supervision.ts'

export type StreamCounts = {
  readonly received: number
  readonly scored: number
  readonly labels: number
  readonly rejected: number
  readonly diverted: number
  readonly inFlight: number
  readonly difference: number
  readonly lag: number
  readonly lanes: number
}

export type ScorerHealth = {
  readonly ready: boolean
  readonly reasons: readonly unknown[]
  readonly streams: Readonly<Record<'transactions' | 'labels', StreamCounts>>
}

export type ScorerChild = {
  readonly pid: number
  readonly httpUrl: string
  readonly logFile: string
  /** Of no effect on a scorer that has ended. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** null while it does not answer. */
  readonly health: () => Promise<ScorerHealth | null>
  readonly readMetrics: () => Promise<string>
  readonly untilReady: () => Promise<ScorerHealth>
  /** What became of it in words: `exited with code 0`, `was ended by SIGKILL`. */
  readonly ended: Promise<string>
  /** Throws with the end of its log if it has ended. */
  readonly assertRunning: () => void
}

export type ScorerChildOptions = {
  readonly supervision: Supervision
  readonly name: string
  readonly pipelineFile: string
  readonly environment: Readonly<Record<string, string>>
  readonly logFile: string
}

const command = join(repositoryFolder, 'services', 'cli', 'main.ts')
const READY_MS_MAX = 60_000
const LOOK_EVERY_MS = 50
const ANSWER_MS_MAX = 2000
const LOG_TAIL_LINES = 15

export async function startScorerChild(options: ScorerChildOptions): Promise<ScorerChild> {
  const { supervision, name, pipelineFile, environment, logFile } = options
  const [port = 0] = await findFreePorts(1)
  const { pid, ended } = await supervision.run({
    name,
    command: process.execPath,
    arguments: [command, 'score', '--pipeline', pipelineFile],
    environment: { ...environment, WEIR_HTTP_HOST: '127.0.0.1', WEIR_HTTP_PORT: String(port) },
    folder: repositoryFolder,
    logFile,
  })
  let end: string | null = null
  void ended.then((how) => {
    end = how
  })
  const httpUrl = `http://127.0.0.1:${port}`
  const ask = async (path: string) =>
    fetch(`${httpUrl}${path}`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  const health = () =>
    ask('/health/ready')
      .then(async (response) => (await response.json()) as ScorerHealth)
      .catch(() => null)
  const assertRunning = (): void => {
    if (end !== null) throw new Error(`the scorer ${end}; its log ends with\n${tailOf(logFile)}`)
  }
  const untilReady = async (): Promise<ScorerHealth> => {
    const deadlineMs = Date.now() + READY_MS_MAX
    for (;;) {
      assertRunning()
      const found = await health()
      if (found?.ready) return found
      if (Date.now() > deadlineMs) {
        const reasons = JSON.stringify(found?.reasons ?? 'no answer')
        throw new Error(`the scorer is not ready: ${reasons}; its log:\n${tailOf(logFile)}`)
      }
      await pause(LOOK_EVERY_MS)
    }
  }
  return {
    pid,
    httpUrl,
    logFile,
    signal: (signal) => {
      if (end === null) process.kill(pid, signal)
    },
    health,
    readMetrics: async () => (await ask('/metrics')).text(),
    untilReady,
    ended,
    assertRunning,
  }
}

const tailOf = (logFile: string): string =>
  readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
