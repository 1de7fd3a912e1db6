// The supervisor, with servers that cost nothing: whoever ends the parent, nothing is left.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { startSupervision } from '../../dev/stack/supervision.ts'
import type { ServerCommand } from '../../dev/stack/supervisor.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const goneDeadline = { timeout: 30_000, interval: 20 }

// A server with a child of its own that does not obey signals, as a shell around a server would be.
const stubborn = `trap '' TERM INT HUP; sleep 1000 & echo child $!; wait`

const program = `
import { startSupervision } from '${join(repositoryFolder, 'dev/stack/supervision.ts')}'
const [folder, server] = [process.argv[1], JSON.parse(process.argv[2])]
const supervision = startSupervision(folder)
supervision.removeAtEnd(folder + '/data')
supervision.runAtEnd('touch', [folder + '/closed'])
const { pid } = await supervision.run(server)
console.log(JSON.stringify([pid, supervision.pid]))
`

function serverIn(folder: string, script: string): ServerCommand {
  return {
    name: 'stubborn',
    command: '/bin/sh',
    arguments: ['-c', script],
    environment: { WORD: 'heard' },
    folder,
    logFile: join(folder, 'stubborn.log'),
  }
}

async function startParent(folder: string): Promise<{ parent: ChildProcess; pids: number[] }> {
  const parent = spawn(
    process.execPath,
    [
      '--input-type=module-typescript',
      '--eval',
      program,
      folder,
      JSON.stringify(serverIn(folder, stubborn)),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
  )
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [line] = await once(createInterface(parent.stdout!), 'line')
  return { parent, pids: JSON.parse(line) }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test.each([
  ['is killed without warning', 'SIGKILL'],
  ['is interrupted by Ctrl-C', 'SIGINT'],
  ['is told to end', 'SIGTERM'],
  ['loses its terminal', 'SIGHUP'],
] as const)('supervision - ends everything when its parent %s', async (_title, signal) => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'data'))
  const { parent, pids } = await startParent(folder)
  const readLog = () => readFileSync(join(folder, 'stubborn.log'), 'utf8')
  await expect.poll(readLog, goneDeadline).toMatch(/child \d+/)
  pids.push(Number(/child (\d+)/.exec(readLog())?.[1]))
  expect(pids.filter(isRunning)).toHaveLength(3)
  // The parent's whole process group, as a terminal does it.
  process.kill(-parent.pid!, signal)
  await expect.poll(() => pids.filter(isRunning), goneDeadline).toEqual([])
  expect(existsSync(join(folder, 'data'))).toBe(false)
  expect(existsSync(join(folder, 'closed'))).toBe(true)
})

test('supervision - ends the servers also when the supervisor is killed', async () => {
  const folder = temporaryFolder()
  const supervision = startSupervision(folder)
  const server = await supervision.run(serverIn(folder, 'exec sleep 1000'))
  process.kill(supervision.pid, 'SIGKILL')
  await expect.poll(() => isRunning(server.pid), goneDeadline).toBe(false)
  expect(await server.ended).toBe('was ended with its supervisor')
  await supervision.stop()
})

test('supervision - tells how a server ended, and writes its log', async () => {
  const folder = temporaryFolder()
  const supervision = startSupervision(folder)
  const server = await supervision.run(serverIn(folder, 'echo $WORD; pwd; exit 3'))
  expect(await server.ended).toBe('exited with code 3')
  expect(readFileSync(join(folder, 'stubborn.log'), 'utf8')).toBe(`heard\n${folder}\n`)
  await supervision.stop()
})

test('supervision - refuses a program that is not there, and orders after the end', async () => {
  const folder = temporaryFolder()
  const supervision = startSupervision(folder)
  const nowhere = { ...serverIn(folder, ''), command: join(folder, 'nowhere') }
  await expect(supervision.run(nowhere)).rejects.toThrow(/stubborn could not be started: .*ENOENT/)
  await supervision.stop()
  await expect(supervision.run(nowhere)).rejects.toThrow('the stack is stopped')
})
