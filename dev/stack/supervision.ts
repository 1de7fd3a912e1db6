// The parent's side of the supervisor: starts it, gives it orders, hears its reports.
//
// In: a folder for the supervisor's own log. Out: a Supervision through which servers are started,
// watched and, with stop(), ended together. The channel to the supervisor is the life line: it
// closes with this process, however this process ends. Like an open connection it keeps this
// process alive until stop(). Refused: a server that cannot be started. Invariant: after stop()
// nothing is running any more; should the supervisor itself be killed, this side kills the servers
// it left behind.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Order, Report, ServerCommand } from './supervisor.ts'

export type RunningServer = {
  readonly pid: number
  /** Resolves with the reason in words when the server is gone. */
  readonly ended: Promise<string>
}

export type Supervision = {
  readonly pid: number
  run(server: ServerCommand): Promise<RunningServer>
  runAtEnd(command: string, commandArguments: readonly string[]): void
  removeAtEnd(folder: string): void
  stop(): Promise<void>
}

type Watched = {
  pid: number
  readonly markRunning: (server: RunningServer) => void
  readonly markEnded: (how: string) => void
  readonly ended: Promise<string>
}

const supervisorFile = fileURLToPath(new URL('./supervisor.ts', import.meta.url))
const stopMs = 70_000

export function startSupervision(folder: string): Supervision {
  const log = openSync(join(folder, 'supervisor.log'), 'a')
  const child = spawn(process.execPath, [supervisorFile], {
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
  })
  closeSync(log)

  const watched = new Map<string, Watched>()
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      for (const server of watched.values()) killGroup(server.pid)
      for (const server of watched.values()) server.markEnded('was ended with its supervisor')
      resolve()
    })
  })
  child.on('message', (report: Report) => hear(report, watched))

  return {
    pid: child.pid ?? 0,
    run: (server) => run(server, child, watched),
    runAtEnd: (command, commandArguments) => {
      give(child, { kind: 'runAtEnd', command, arguments: commandArguments })
    },
    removeAtEnd: (folder) => give(child, { kind: 'removeAtEnd', folder }),
    stop: () => stop(child, gone),
  }
}

async function run(
  server: ServerCommand,
  child: ChildProcess,
  watched: Map<string, Watched>,
): Promise<RunningServer> {
  const { promise: ended, resolve: markEnded } = Promise.withResolvers<string>()
  const { promise: running, resolve: markRunning } = Promise.withResolvers<RunningServer>()
  watched.set(server.name, { pid: 0, markRunning, markEnded, ended })
  give(child, { kind: 'run', server })
  const report = await Promise.race([running, ended])
  if (typeof report === 'string') throw new Error(`${server.name} ${report}`)
  return report
}

function give(child: ChildProcess, order: Order): void {
  if (!child.connected) throw new Error('the stack is stopped, or its supervisor was killed')
  child.send(order)
}

function hear(report: Report, watched: Map<string, Watched>): void {
  const server = watched.get(report.name)
  if (!server) return
  if (report.kind === 'running') {
    server.pid = report.pid
    server.markRunning({ pid: report.pid, ended: server.ended })
  } else {
    watched.delete(report.name)
    server.markEnded(report.how)
  }
}

async function stop(child: ChildProcess, gone: Promise<void>): Promise<void> {
  if (child.connected) child.disconnect()
  const lateness = setTimeout(() => child.kill('SIGKILL'), stopMs)
  await gone
  clearTimeout(lateness)
}

function killGroup(pid: number): void {
  if (pid === 0) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Already gone, as it should be.
  }
}
