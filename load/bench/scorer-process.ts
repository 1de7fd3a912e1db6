// A scorer as in production: `weir score` as a process of its own, told by the environment.
//
// In: the place, flags for Node. Out: its process id, its /metrics and the moment of its first claim
// of a lane, read from its log. Refused: a scorer that ends or claims nothing in time; the error
// carries the end of its log. Invariant: it ends with stop(), and with this process.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { limits } from '../../services/core/limits.ts'
import type { BenchPlace } from './bench-place.ts'

export type ScorerProcess = {
  readonly pid: number
  /** Resolves at the first claim of a lane with its time, ms since the epoch. */
  readonly claimed: Promise<number>
  /** Rejects when the process ends by itself. */
  readonly failed: Promise<never>
  /** The text of its /metrics. */
  readonly readMetrics: () => Promise<string>
  readonly stop: () => Promise<void>
}

export type ScorerProcessOptions = {
  readonly place: BenchPlace
  /** Distinguishes scorers of one run. */
  readonly name: string
  readonly nodeFlags?: readonly string[]
}

const claimDeadlineMs = 60_000
/** After its own deadline it may still be writing a CPU profile. */
const exitDeadlineMs = limits.drainMsMax + 30_000
const logTailLines = 20

export function startScorerProcess(options: ScorerProcessOptions): ScorerProcess {
  const { place, name, nodeFlags = [] } = options
  const command = [join(repositoryFolder, 'services', 'cli', 'main.ts'), 'score']
  const child = spawn(
    process.execPath,
    [...nodeFlags, ...command, '--pipeline', place.pipelineFile],
    {
      cwd: repositoryFolder,
      env: environmentOf(place, name),
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const log = followLog(child)
  let isStopping = false
  const failed = once(child, 'exit').then(([code, signal]): never => {
    process.off('exit', killAtExit)
    throw new Error(`scorer ${name} ended (${signal ?? `code ${code}`})${log.tail()}`)
  })
  failed.catch(() => undefined)
  const deadline = setTimeout(() => {
    const seconds = claimDeadlineMs / 1_000
    log.fail(new Error(`scorer ${name} claimed no lane in ${seconds} s${log.tail()}`))
  }, claimDeadlineMs)
  const claimed = Promise.race([log.claimed, failed]).finally(() => clearTimeout(deadline))
  claimed.catch(() => undefined)
  return {
    pid: child.pid!,
    claimed,
    failed: failed.catch((error: Error) =>
      isStopping ? new Promise<never>(() => {}) : Promise.reject(error),
    ),
    readMetrics: async () => (await fetch(`${await log.httpUrl}/metrics`)).text(),
    stop: async () => {
      isStopping = true
      await stop(child)
    },
  }
}

/** Only what the scorer needs: names of development tools would be faults in its settings. */
function environmentOf(place: BenchPlace, name: string): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(([variable]) => !variable.startsWith('WEIR_'))
  const { stack, prefix, groupId } = place
  return {
    ...Object.fromEntries(others),
    WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
    WEIR_REDIS_URL: stack.redisUrl,
    WEIR_REGISTRY_URL: stack.registryUrl,
    WEIR_TOPIC_PREFIX: prefix,
    WEIR_KEY_PREFIX: prefix,
    WEIR_GROUP_ID: groupId,
    WEIR_INSTANCE_ID: name,
    WEIR_HTTP_HOST: '127.0.0.1',
    WEIR_HTTP_PORT: '0',
    WEIR_LOG_LEVEL: 'info',
  }
}

type LogLine = {
  readonly happening?: string
  readonly time?: string
  readonly detail?: { readonly http?: string }
}

function followLog(child: ChildProcess) {
  const lines: string[] = []
  const { promise: httpUrl, resolve: listens } = Promise.withResolvers<string>()
  const { promise: claimed, resolve: claims, reject: fail } = Promise.withResolvers<number>()
  createInterface({ input: child.stderr! }).on('line', (text) => {
    lines.push(text)
    if (lines.length > logTailLines) lines.shift()
    const { happening, time, detail } = parseLine(text)
    if (happening === 'started' && detail?.http !== undefined) listens(detail.http)
    if (happening === 'lane_claimed' && time !== undefined) claims(Date.parse(time))
  })
  const tail = () => `; the end of its log:\n${lines.join('\n')}`
  return { httpUrl, claimed, fail, tail }
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    // A warning of Node's or a stack: kept for the tail.
    return {}
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  const deadline = setTimeout(() => child.kill('SIGKILL'), exitDeadlineMs)
  child.kill('SIGTERM')
  await exited
  clearTimeout(deadline)
}
