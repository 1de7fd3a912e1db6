// The stack in containers, for real: through startStack, and docker-compose.yml through
// testcontainers. Skipped, with the reason, on a machine without Docker or without the images.

import { Redis } from 'ioredis'
import { DockerComposeEnvironment, Wait } from 'testcontainers'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { askKafka, askRedis, askRegistry } from '../../dev/stack/answers.ts'
import { findContainers } from '../../dev/stack/container-stack.ts'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { startStack } from '../../dev/stack/stack.ts'

const startMs = 300_000
let obstacle: string | undefined

beforeAll(() => {
  obstacle = findContainers(() => undefined)
})

test('container stack - comes up, restarts a server, and leaves no container', {
  timeout: startMs,
}, async ({ skip }) => {
  skip(obstacle !== undefined, obstacle)
  const environment = { PATH: process.env.PATH, WEIR_STACK: 'containers' }
  const stack = await startStack({ name: 'contained', environment, redis: { appendOnly: true } })
  onTestFinished(() => stack.stop())
  expect(stack.kind).toBe('containers')
  await Promise.all([
    askKafka(stack.kafkaBrokers[0] ?? ''),
    askRedis(stack.redisUrl),
    askRegistry(stack.registryUrl),
  ])
  const redis = new Redis(stack.redisUrl)
  expect(await redis.config('GET', 'maxmemory-policy')).toContainEqual('noeviction')
  await redis.set('kept', 'yes')
  redis.disconnect()

  await stack.servers!.redis.kill()
  await expect(askRedis(stack.redisUrl)).rejects.toThrow()
  await stack.servers!.redis.start()
  const again = new Redis(stack.redisUrl)
  expect(await again.get('kept')).toBe('yes')
  again.disconnect()

  await stack.stop()
  const addresses = [stack.kafkaBrokers[0] ?? '', new URL(stack.redisUrl).host]
  for (const address of addresses) {
    await expect(askKafka(address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  }
})

test('container stack - docker-compose.yml also serves testcontainers', {
  timeout: startMs,
}, async ({ skip }) => {
  skip(obstacle !== undefined, obstacle)
  // Its reaper is one more image to pull; the environment is taken down here instead.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true'
  const [kafkaPort, redisPort, registryPort] = (await findFreePorts(3)).map(String)
  const environment = await new DockerComposeEnvironment(repositoryFolder, 'docker-compose.yml')
    .withEnvironment({
      ...(kafkaPort && { WEIR_KAFKA_PORT: kafkaPort }),
      ...(redisPort && { WEIR_REDIS_PORT: redisPort }),
      ...(registryPort && { WEIR_REGISTRY_PORT: registryPort }),
    })
    .withDefaultWaitStrategy(Wait.forHealthCheck())
    .withStartupTimeout(startMs)
    .up()
  onTestFinished(async () => {
    await environment.down({ removeVolumes: true })
  })
  await Promise.all([
    askKafka(`127.0.0.1:${kafkaPort}`),
    askRedis(`redis://127.0.0.1:${redisPort}`),
    askRegistry(`http://127.0.0.1:${registryPort}/apis/ccompat/v7`),
  ])
})
