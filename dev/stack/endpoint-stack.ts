// The stack that somebody else runs.
//
// In: endpoints from the environment. Out: the same as a Stack, once each of them has answered.
// Refused: an endpoint that does not answer, named with its variable. Nothing here is ever stopped.

import { askKafka, askRedis, askRegistry, waitForAnswer } from './answers.ts'
import type { Endpoints } from './choice.ts'
import type { Stack } from './stack-types.ts'

const answerDeadlineMs = 10_000

export async function startEndpointStack(endpoints: Endpoints): Promise<Stack> {
  const { kafkaBrokers, redisUrl, registryUrl } = endpoints
  const anyBroker = () => Promise.any(kafkaBrokers.map((broker) => askKafka(broker)))
  await Promise.all([
    demandAnswer('WEIR_KAFKA_BROKERS', kafkaBrokers.join(','), anyBroker),
    demandAnswer('WEIR_REDIS_URL', withoutPassword(redisUrl), () => askRedis(redisUrl)),
    demandAnswer('WEIR_REGISTRY_URL', registryUrl, () => askRegistry(registryUrl)),
  ])
  return { kind: 'endpoints', ...endpoints, folder: undefined, servers: undefined, stop: leave }
}

async function demandAnswer(
  variable: string,
  address: string,
  ask: () => Promise<void>,
): Promise<void> {
  try {
    await waitForAnswer(ask, answerDeadlineMs)
  } catch (error) {
    const seconds = answerDeadlineMs / 1_000
    throw new Error(`${variable}=${address} did not answer as it should within ${seconds} s`, {
      cause: error,
    })
  }
}

function withoutPassword(url: string): string {
  return url.replace(/:\/\/[^@/]*@/, '://***@')
}

async function leave(): Promise<void> {
  // Given endpoints belong to whoever gave them.
}
