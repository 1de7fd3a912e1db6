// The stack as plain processes of this machine.
//
// In: a folder for this stack, options for Redis. Out: the three servers, started at the same time
// under one supervisor and each of them answering, with hooks to signal, kill and start them again
// on the same port and data. Refused: a server that ends or stays silent; the error then carries
// the end of its log, and whatever had been started is ended before the error is thrown.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { provideKafkaJars, provideRegistryJars } from './artifacts.ts'
import { startControlled } from './controlled-server.ts'
import { findFreePorts } from './free-ports.ts'
import { kafkaServer } from './kafka-node.ts'
import { provide, type Say } from './machine-packages.ts'
import { type Place, type RedisOptions, redisServer, registryServer } from './native-servers.ts'
import { cacheFolder, type Environment } from './repository.ts'
import type { Stack } from './stack-types.ts'
import { startSupervision } from './supervision.ts'

type NativeOptions = {
  readonly folder: string
  readonly environment: Environment
  readonly redis: RedisOptions
  readonly say: Say
}

export async function startNativeStack(options: NativeOptions): Promise<Stack> {
  const place = { folder: options.folder, dataFolder: join(options.folder, 'data') }
  mkdirSync(place.dataFolder, { recursive: true })
  const servers = await prepareServers(place, options)
  const supervision = startSupervision(place.folder)
  supervision.removeAtEnd(place.dataFolder)
  try {
    const [kafka, redis, registry] = await Promise.all([
      startControlled(servers.kafka, supervision),
      startControlled(servers.redis, supervision),
      startControlled(servers.registry, supervision),
    ])
    return {
      kind: 'native',
      kafkaBrokers: [servers.kafka.address],
      redisUrl: servers.redis.address,
      registryUrl: servers.registry.address,
      folder: place.folder,
      servers: { kafka, redis, registry },
      stop: () => supervision.stop(),
    }
  } catch (error) {
    await supervision.stop()
    throw error
  }
}

async function prepareServers(place: Place, { environment, redis, say }: NativeOptions) {
  const programs = provide(['java', 'redis'], environment, say)
  const cache = cacheFolder(environment)
  const findMaven = () => provide(['maven'], environment, say).maven
  const kafkaJars = provideKafkaJars(cache, findMaven, say)
  const registryJars = provideRegistryJars(cache, findMaven, say)
  const [client = 0, controller = 0, redisPort = 0, registryPort = 0] = await findFreePorts(4)
  const { java } = programs
  return {
    kafka: kafkaServer(place, [client, controller], { java, folder: kafkaJars }),
    redis: redisServer(place, redisPort, programs.redis, redis),
    registry: registryServer(place, registryPort, { java, folder: registryJars }),
  }
}
