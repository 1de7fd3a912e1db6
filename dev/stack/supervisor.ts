// The process that owns the servers of a stack, so that none of them outlives whoever asked for it.
//
// In: orders over the channel to the parent (start this command, run that one at the end, remove
// this folder at the end). Out: reports (running, ended). When the channel closes, for whatever
// reason (the parent stops the stack, exits, or is killed without a chance to say anything), the
// supervisor kills the process group of every server, runs the closing commands, removes the
// folders and exits. It stands in a process group of its own, so Ctrl-C in a terminal, which goes
// to the parent's group, reaches it only through the parent's end. Invariant: when it has exited,
// nothing that it started is running.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'

export type ServerCommand = {
  readonly name: string
  readonly command: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly folder: string
  readonly logFile: string
}

export type Order =
  | { readonly kind: 'run'; readonly server: ServerCommand }
  | { readonly kind: 'runAtEnd'; readonly command: string; readonly arguments: readonly string[] }
  | { readonly kind: 'removeAtEnd'; readonly folder: string }

export type Report =
  | { readonly kind: 'running'; readonly name: string; readonly pid: number }
  | { readonly kind: 'ended'; readonly name: string; readonly how: string }

const closingCommandMs = 60_000
const running = new Map<string, ChildProcess>()
const closingCommands: Extract<Order, { kind: 'runAtEnd' }>[] = []
const foldersToRemove: string[] = []
let isEnding = false

process.on('message', (order: Order) => {
  if (order.kind === 'run') run(order.server)
  else if (order.kind === 'runAtEnd') closingCommands.push(order)
  else foldersToRemove.push(order.folder)
})
process.on('disconnect', end)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)

function run(server: ServerCommand): void {
  if (isEnding) return
  const log = openSync(server.logFile, 'a')
  const child = spawn(server.command, server.arguments, {
    cwd: server.folder,
    env: { ...process.env, ...server.environment },
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  running.set(server.name, child)
  child.once('spawn', () => report({ kind: 'running', name: server.name, pid: child.pid ?? 0 }))
  child.once('error', (error) => forget(server.name, `could not be started: ${error.message}`))
  child.once('exit', (code, signal) => {
    forget(server.name, signal ? `was ended by ${signal}` : `exited with code ${code}`)
  })
}

function forget(name: string, how: string): void {
  running.delete(name)
  report({ kind: 'ended', name, how })
  if (isEnding) finishWhenAllAreGone()
}

function report(message: Report): void {
  // The parent may be gone already; there is then nobody to tell.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

// The data is thrown away with the stack, so there is nothing to save: SIGKILL is quick, and unlike
// a polite signal no server can be too busy (or stopped by a test) to obey it.
function end(): void {
  if (isEnding) return
  isEnding = true
  for (const child of running.values()) killGroup(child.pid)
  finishWhenAllAreGone()
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The group ended between the look and the signal, which is what was wanted.
  }
}

function finishWhenAllAreGone(): void {
  if (running.size > 0) return
  for (const closing of closingCommands) {
    const { status, stderr } = spawnSync(closing.command, closing.arguments, {
      encoding: 'utf8',
      timeout: closingCommandMs,
    })
    if (status !== 0) console.error(`${closing.command} ended with ${status}: ${stderr}`)
  }
  for (const folder of foldersToRemove) rmSync(folder, { recursive: true, force: true })
  process.exit(0)
}
