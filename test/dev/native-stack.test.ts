// The native stack: what was started ends, whatever ends its parent, and trouble shows its log.
//
// Each test runs a program of its own, because it is that program's end that matters. Only the
// servers' process ids, which the program prints, say whether anything is left.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { stacksFolder } from '../../dev/stack/repository.ts'
import { startStack } from '../../dev/stack/stack.ts'

const native = { ...process.env, WEIR_STACK: 'native' }
for (const name of ['WEIR_KAFKA_BROKERS', 'WEIR_REDIS_URL', 'WEIR_REGISTRY_URL'] as const) {
  delete (native as NodeJS.ProcessEnv)[name]
}
// Two Java starts each, on a machine that runs other tests beside them.
const startMs = 240_000
const goneDeadline = { timeout: 30_000, interval: 50 }

const program = `
import { startStack } from './dev/stack/stack.ts'
const stack = await startStack({ name: 'parent', say: () => {} })
const pids = Object.values(stack.servers).map((server) => server.pid())
console.log(JSON.stringify({ pids, folder: stack.folder }))
setInterval(() => {}, 1e6)
`

type Started = { readonly pids: readonly number[]; readonly folder: string }

async function startParent(): Promise<{ parent: ChildProcess; started: Started }> {
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: native,
  })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [line] = await once(createInterface(parent.stdout!), 'line')
  return { parent, started: JSON.parse(line) }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('native stack - leaves nothing running when its parent is killed', {
  timeout: startMs,
}, async () => {
  const { parent, started } = await startParent()
  expect(started.pids).toHaveLength(3)
  expect(started.pids.every(isRunning)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => started.pids.filter(isRunning), goneDeadline).toEqual([])
  await expect.poll(() => existsSync(join(started.folder, 'data')), goneDeadline).toBe(false)
  expect(readdirSync(started.folder)).toEqual(
    expect.arrayContaining(['kafka.log', 'redis.log', 'registry.log']),
  )
})

test('native stack - kills a server, starts it again on its data, and stops', {
  timeout: startMs,
}, async () => {
  const stack = await startStack({
    name: 'restart',
    environment: native,
    redis: { appendOnly: true },
  })
  onTestFinished(() => stack.stop())
  const { kafka, redis } = stack.servers!
  const before = [kafka.pid(), redis.pid()]

  const client = new Redis(stack.redisUrl)
  await client.set('kept', 'yes')
  client.disconnect()
  await Promise.all([kafka.kill(), redis.kill()])
  expect(before.filter((pid) => isRunning(pid!))).toEqual([])
  await Promise.all([kafka.start(), redis.start()])

  const again = new Redis(stack.redisUrl)
  expect(await again.get('kept')).toBe('yes')
  again.disconnect()
  const after = [kafka.pid()!, redis.pid()!]
  await stack.stop()
  expect(after.filter(isRunning)).toEqual([])
})

test('native stack - shows the log of a server that does not start, and ends the others', {
  timeout: startMs,
}, async () => {
  const folders = () => readdirSync(stacksFolder).filter((name) => name.startsWith('broken-'))
  const starting = startStack({
    name: 'broken',
    environment: native,
    redis: { maxMemory: 'a lot' },
  })
  await expect(starting).rejects.toThrow(/redis exited with code 1; the end of .*argument/s)
  expect(folders()).not.toEqual([])
  for (const name of folders()) expect(existsSync(join(stacksFolder, name, 'data'))).toBe(false)
})
