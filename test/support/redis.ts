// A Redis for tests that need nothing else of the stack.
//
// In: nothing. Out: the URL of a redis-server of this test file's own, where the machine has the
// program; otherwise of the run's shared stack. Both are used with a unique prefix, and a test that
// wants an emptied store removes its own prefix' keys, so the difference is only one of speed.
// Invariant: the server ends with stop(), and with this process, however that ends.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitForAnswer } from '../../dev/stack/answers.ts'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import { redisServer } from '../../dev/stack/native-servers.ts'
import { startSupervision } from '../../dev/stack/supervision.ts'
import { testStack } from './stack.ts'

export type TestRedis = {
  readonly url: string
  /** undefined where the server is shared. */
  readonly pid: number | undefined
  readonly stop: () => Promise<void>
}

const answerDeadlineMs = 30_000

export async function startTestRedis(): Promise<TestRedis> {
  const isInstalled = spawnSync('redis-server', ['--version']).status === 0
  if (isInstalled) return startOwnRedis()
  const { redisUrl } = await testStack()
  return { url: redisUrl, pid: undefined, stop: async () => undefined }
}

async function startOwnRedis(): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-redis-'))
  const place = { folder, dataFolder: join(folder, 'data') }
  mkdirSync(place.dataFolder)
  const [port = 0] = await findFreePorts(1)
  const server = redisServer(place, port, 'redis-server', {})
  const supervision = startSupervision(folder)
  supervision.removeAtEnd(folder)
  const stop = async () => {
    await supervision.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const { pid } = await supervision.run(server.command)
    await waitForAnswer(server.ask, answerDeadlineMs)
    return { url: server.address, pid, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
