// Replays beside live scoring: one after the other at full speed, for as long as something is
// measured.
//
// In: files, a pipeline file, the priority, the measurement. Out: what was measured, and how many
// transactions were replayed per second of it (to the second: as the command tells its progress).
// Refused: a replay that fails. Invariants: it is the real command, in a session of its own as a
// service would be; with the measurement it has ended, and what it wrote is removed.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { type RunningServer, startSupervision } from '../../../dev/stack/supervision.ts'
import type { HistoryFiles } from '../verify/feature-sql.ts'
import { replayWords } from './replay-process.ts'

export type Priority = 'usual' | 'lowest'

type ReplayBeside = {
  readonly pipelineFile: string
  readonly files: HistoryFiles
  readonly priority: Priority
}

const lowestNice = '19'
/** Not Linux, a replay that has ended already, a kernel without such groups. */
const hasNoGroup: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EINVAL'])

export async function replayBeside<T>(
  options: ReplayBeside,
  measure: () => Promise<T>,
): Promise<{ readonly measured: T; readonly replayedPerSecond: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-beside-'))
  const supervision = startSupervision(folder)
  const over = new AbortController()
  try {
    const startedMs = performance.now()
    const replaying = replayAgainAndAgain(options, { supervision, folder, signal: over.signal })
    // Its failure is met when it is awaited; until then it must not count as unhandled.
    replaying.catch(() => undefined)
    const measured = await measure()
    const seconds = (performance.now() - startedMs) / 1_000
    over.abort()
    return { measured, replayedPerSecond: (await replaying) / seconds }
  } finally {
    await supervision.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Stage = {
  readonly supervision: ReturnType<typeof startSupervision>
  readonly folder: string
  readonly signal: AbortSignal
}

/** The transactions that were replayed until the signal. */
async function replayAgainAndAgain(
  { pipelineFile, files, priority }: ReplayBeside,
  { supervision, folder, signal }: Stage,
): Promise<number> {
  let transactions = 0
  for (let run = 0; !signal.aborted; run++) {
    const runFolder = mkdtempSync(join(folder, 'run-'))
    const logFile = join(runFolder, 'replay.log')
    const words = replayWords({ pipelineFile, files, isScoring: true, folder: runFolder })
    const command = [process.execPath, ...words]
    if (priority === 'lowest') command.unshift('nice', '-n', lowestNice)
    const [program = '', ...programArguments] = command
    const replay = await supervision.run({
      name: `replay-${run}`,
      command: program,
      arguments: programArguments,
      environment: {},
      folder: repositoryFolder,
      logFile,
    })
    if (priority === 'lowest') lowerGroup(replay)
    await endedOrOver(replay, signal, logFile)
    transactions += readProgress(readFileSync(logFile, 'utf8'))
    rmSync(runFolder, { recursive: true, force: true })
  }
  return transactions
}

async function endedOrOver({ pid, ended }: RunningServer, signal: AbortSignal, logFile: string) {
  const stop = () => {
    try {
      process.kill(pid, 'SIGTERM')
    } catch {
      // It ended by itself at the same moment.
    }
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const how = await ended
  signal.removeEventListener('abort', stop)
  if (how !== 'exited with code 0' && !signal.aborted) {
    throw new Error(`the replay ${how}; its log ends with\n${readFileSync(logFile, 'utf8')}`)
  }
}

/**
 * Linux may share cores between sessions first and between processes second (sched_autogroup); then
 * nice alone moves nothing outside the replay's own session, and the session has to step back too.
 */
function lowerGroup({ pid }: RunningServer): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, lowestNice)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!hasNoGroup.has(code)) throw error
  }
}

/** Of the lines `<count> of <count> transactions, ...` and `<count> transactions, ...` the last. */
export function readProgress(log: string): number {
  const counts = [...log.matchAll(/^(\d+) (?:of \d+ )?transactions, /gm)]
  return Number(counts.at(-1)?.[1] ?? 0)
}
