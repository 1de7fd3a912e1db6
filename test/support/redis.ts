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
import { askRedis, waitForAnswer } from '../../dev/stack/answers.ts'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import { redisServer } from '../../dev/stack/native-servers.ts'
import { startSupervision } from '../../dev/stack/supervision.ts'
import { testStack } from './stack.ts'
import { type TestCertificate, tlsSettings } from './test-certificate.ts'

export type TestRedis = {
  readonly url: string
  /** undefined where the server is shared. */
  readonly pid: number | undefined
  readonly stop: () => Promise<void>
}

const answerDeadlineMs = 30_000

/** @param tls where there is one, the server speaks TLS only; it is then always the test's own. */
export async function startTestRedis(tls?: TestCertificate): Promise<TestRedis> {
  const isInstalled = spawnSync('redis-server', ['--version']).status === 0
  if (isInstalled || tls !== undefined) return startOwnRedis(tls)
  const { redisUrl } = await testStack()
  return { url: redisUrl, pid: undefined, stop: async () => undefined }
}

async function startOwnRedis(tls: TestCertificate | undefined): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-redis-'))
  const place = { folder, dataFolder: join(folder, 'data') }
  mkdirSync(place.dataFolder)
  const [port = 0] = await findFreePorts(1)
  const server = redisServer(place, port, 'redis-server', {})
  const url = tls === undefined ? server.address : `rediss://127.0.0.1:${port}`
  // Of a setting that stands there twice the last one counts.
  const settings = tls === undefined ? [] : tlsSettings(tls, port)
  const command = { ...server.command, arguments: [...server.command.arguments, ...settings] }
  const supervision = startSupervision(folder)
  supervision.removeAtEnd(folder)
  const stop = async () => {
    await supervision.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const { pid } = await supervision.run(command)
    await waitForAnswer(() => askRedis(url), answerDeadlineMs)
    return { url, pid, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
