// A scorer in a process of its own: to be asked how it is, stopped, killed, and waited for.
//
// In: a process id and where its log and its health server are. Out: handles that wait for a
// condition with a deadline; what is waited for in vain fails with the end of the scorer's log.

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

export type ScorerHealth = {
  readonly ready: boolean
  readonly reasons: readonly { readonly code: string }[]
  readonly streams: Readonly<
    Record<
      'transactions' | 'labels',
      {
        readonly received: number
        readonly scored: number
        readonly rejected: number
        readonly diverted: number
        readonly inFlight: number
        readonly difference: number
        readonly lag: number
        readonly lanes: number
      }
    >
  >
}

export type ScorerProcess = {
  readonly pid: number
  readonly httpUrl: string
  /** Of no effect on a scorer that has ended. */
  readonly signal: (signal: NodeJS.Signals) => void
  readonly assertRunning: () => void
  /** null while it does not answer. */
  readonly health: () => Promise<ScorerHealth | null>
  readonly untilReady: () => Promise<ScorerHealth>
  /** Resolves with what became of it in words: `exited with code 0`, `was ended by SIGKILL`. */
  readonly ended: Promise<string>
  readonly log: () => string
}

export type ScorerParts = Pick<ScorerProcess, 'pid' | 'httpUrl' | 'ended'> & {
  readonly logFile: string
}

const READY_MS_MAX = 45_000
const LOG_TAIL_LINES = 15

export function createScorerProcess({ pid, httpUrl, ended, logFile }: ScorerParts): ScorerProcess {
  let end: string | null = null
  void ended.then((how) => {
    end = how
  })
  const log = () => readFileSync(logFile, 'utf8')
  const tail = () => log().trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')

  const health = async (): Promise<ScorerHealth | null> => {
    try {
      const response = await fetch(`${httpUrl}/health/ready`, {
        signal: AbortSignal.timeout(2000),
      })
      return (await response.json()) as ScorerHealth
    } catch {
      return null
    }
  }

  const until = async (what: string, isSo: (found: ScorerHealth) => boolean) => {
    const deadlineMs = Date.now() + READY_MS_MAX
    for (;;) {
      const found = await health()
      if (found !== null && isSo(found)) return found
      if (end !== null) throw new Error(`the scorer ${end}; its log ends with\n${tail()}`)
      if (Date.now() > deadlineMs) {
        const state = JSON.stringify(found ?? 'no answer')
        throw new Error(`the scorer is not ${what}: ${state}; its log ends with\n${tail()}`)
      }
      await pause(20)
    }
  }

  return {
    pid,
    httpUrl,
    signal: (signal) => {
      if (end === null) process.kill(pid, signal)
    },
    assertRunning: () => {
      if (end !== null) throw new Error(`the scorer ${end}; its log ends with\n${tail()}`)
    },
    health,
    untilReady: () => until('ready', ({ ready }) => ready),
    ended,
    log,
  }
}
