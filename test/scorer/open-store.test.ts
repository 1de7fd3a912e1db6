// The feature store of a scorer: a Redis that refuses half-way is left without a connection to it.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPipelineText } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { createClosers } from '../../services/environment/closers.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import { observeNothing } from '../../services/pipeline/observe/signals.ts'
import { openStore } from '../../services/scorer/open-store.ts'
import { soundText } from '../adapters/pipeline-file/pipeline-text.ts'
import { startTestRedis, type TestRedis } from '../support/redis.ts'
import { uniqueName } from '../support/stack.ts'
import { waitFor } from '../support/wait-for.ts'

const user = uniqueName('half')
let redis: TestRedis
let owner: Redis
beforeAll(async () => {
  redis = await startTestRedis()
  owner = new Redis(redis.url)
  // May look at the server and not load Weir's functions.
  await owner.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '+@all', '-function')
})
afterAll(async () => {
  await owner.call('ACL', 'DELUSER', user)
  owner.disconnect()
  await redis.stop()
})

const countConnections = async (): Promise<number> => {
  const clients = String(await owner.call('CLIENT', 'LIST')).split('\n')
  return clients.filter((line) => line.includes(` user=${user} `)).length
}

test('open store - leaves nothing open where the store refuses', async () => {
  const definition = readPipelineText(soundText).definition!
  const url = new URL(redis.url)
  url.username = user
  url.password = 'secret'
  const settings = { redis: { url: url.toString() }, keyPrefix: user }
  const { add, closeAll } = createClosers(() => undefined)
  const wish = { definition, settings, observe: observeNothing, add }
  await expect(openStore(wish, planFeatures(definition))).rejects.toThrow(/NOPERM/)
  expect(await countConnections()).toBe(1)
  await closeAll()
  await waitFor(
    async () => (await countConnections()) === 0,
    () => 'connections are left',
  )
})
