// `weir score` as a process of its own: to be asked how it is, signalled, and waited for.
//
// In: a supervision to hang it on, the pipeline file, the environment, a log file; another program
// in place of `weir score` where a campaign of faults wants one that can be armed. Out: handles.
// Refused: a scorer that ends, is not ready or claims no lane in time; the error carries the end of
// its log. Invariant: it ends with its supervision, and so with this process, however that ends.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import type { Supervision } from '../../dev/stack/supervision.ts'
import { limits } from '../../services/core/limits.ts'

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

type ScorerHealth = {
  readonly ready: boolean
  readonly reasons: readonly unknown[]
  readonly streams: Readonly<Record<'transactions' | 'labels', StreamCounts>>
}

export type ScorerProcess = {
  readonly name: string
  readonly pid: number
  readonly httpUrl: string
  readonly logFile: string
  /** Of no effect on a scorer that has ended. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** null while it does not answer. */
  readonly health: () => Promise<ScorerHealth | null>
  readonly readMetrics: () => Promise<string>
  readonly untilReady: () => Promise<ScorerHealth>
  /** When it claimed its first lane, ms since the epoch, from its log. */
  readonly untilClaimed: () => Promise<number>
  readonly isRunning: () => boolean
  /** What became of it in words: `exited with code 0`, `was ended by SIGKILL`. */
  readonly ended: Promise<string>
  /** Rejects with the end of its log when it has ended. */
  readonly failed: Promise<never>
  /** Throws with the end of its log if it has ended. */
  readonly assertRunning: () => void
  /** SIGTERM, and SIGKILL where that does not help. */
  readonly stop: () => Promise<string>
}

type ScorerProcessOptions = {
  readonly supervision: Supervision
  /** Distinguishes scorers of one supervision. */
  readonly name: string
  readonly pipelineFile: string
  readonly environment: Readonly<Record<string, string>>
  readonly logFile: string
  readonly nodeFlags?: readonly string[]
  /** Command and arguments before `--pipeline`; `weir score` unless given. */
  readonly program?: readonly string[]
}

const weirScore = [join(repositoryFolder, 'services', 'cli', 'main.ts'), 'score']
const START_MS_MAX = 60_000
/** After its own deadline it may still be writing a CPU profile. */
const EXIT_MS_MAX = limits.drainMsMax + 30_000
const LOOK_EVERY_MS = 20
const ANSWER_MS_MAX = 2000
const LOG_TAIL_LINES = 15

export async function startScorerProcess(options: ScorerProcessOptions): Promise<ScorerProcess> {
  const { supervision, name, pipelineFile, environment, logFile } = options
  const { nodeFlags = [], program = weirScore } = options
  const [port = 0] = await findFreePorts(1)
  const { pid, ended } = await supervision.run({
    name,
    command: process.execPath,
    arguments: [...nodeFlags, ...program, '--pipeline', pipelineFile],
    environment: { ...environment, WEIR_HTTP_HOST: '127.0.0.1', WEIR_HTTP_PORT: String(port) },
    folder: repositoryFolder,
    logFile,
  })
  let end: string | null = null
  const describeEnd = () => new Error(`${name} ${end}; its log ends with\n${tailOf(logFile)}`)
  const failed = ended.then((how): never => {
    end = how
    throw describeEnd()
  })
  failed.catch(() => undefined)
  const httpUrl = `http://127.0.0.1:${port}`
  const ask = async (path: string) =>
    fetch(`${httpUrl}${path}`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  const health = () =>
    ask('/health/ready')
      .then(async (response) => (await response.json()) as ScorerHealth)
      .catch(() => null)
  const assertRunning = (): void => {
    if (end !== null) throw describeEnd()
  }
  const signal = (signal: NodeJS.Signals): void => {
    if (end === null) process.kill(pid, signal)
  }
  const untilReady = () =>
    until(name, assertRunning, async () => {
      const found = await health()
      return found?.ready
        ? { found }
        : { missing: `not ready: ${JSON.stringify(found?.reasons ?? 'no answer')}` }
    })
  const untilClaimed = () =>
    until(name, assertRunning, async () => {
      const claimedMs = findClaim(logFile)
      return claimedMs === null ? { missing: 'without a lane' } : { found: claimedMs }
    })
  return {
    name,
    pid,
    httpUrl,
    logFile,
    signal,
    health,
    readMetrics: async () => (await ask('/metrics')).text(),
    untilReady,
    untilClaimed,
    isRunning: () => end === null,
    ended,
    failed,
    assertRunning,
    stop: async () => {
      signal('SIGTERM')
      const lateness = setTimeout(() => signal('SIGKILL'), EXIT_MS_MAX)
      const how = await ended
      clearTimeout(lateness)
      return how
    },
  }
}

type Look<T> = { readonly found: T } | { readonly missing: string }

async function until<T>(
  name: string,
  assertRunning: () => void,
  look: () => Promise<Look<T>>,
): Promise<T> {
  const deadlineMs = Date.now() + START_MS_MAX
  for (;;) {
    assertRunning()
    const seen = await look()
    if ('found' in seen) return seen.found
    if (Date.now() > deadlineMs) {
      throw new Error(`${name} is ${seen.missing}, ${START_MS_MAX / 1000} s after its start`)
    }
    await pause(LOOK_EVERY_MS)
  }
}

/** Lines of the log are JSON, but for warnings of Node's and the like. */
function findClaim(logFile: string): number | null {
  const line = readFileSync(logFile, 'utf8')
    .split('\n')
    .find((text) => text.startsWith('{') && text.includes('"lane_claimed"'))
  return line === undefined ? null : Date.parse((JSON.parse(line) as { time: string }).time)
}

const tailOf = (logFile: string): string =>
  readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
