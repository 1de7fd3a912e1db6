// The stack as plain processes of this machine.
//
// In: a folder for this stack, options for Redis. Out: the three servers, started at the same time
// under one supervisor and each of them answering, with hooks to signal, kill and start them again
// on the same port and data. Refused: a server that ends or stays silent; the error then carries
// the end of its log, and whatever had been started is ended before the error is thrown.

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitForAnswer } from './answers.ts'
import { provideKafkaJars, provideRegistryJars } from './artifacts.ts'
import { findFreePorts } from './free-ports.ts'
import { provide, type Say } from './machine-packages.ts'
import {
  kafkaServer,
  type NativeServer,
  type Place,
  type RedisOptions,
  redisServer,
  registryServer,
} from './native-servers.ts'
import { cacheFolder, type Environment } from './repository.ts'
import type { ServerControl, Stack } from './stack-types.ts'
import { type RunningServer, type Supervision, startSupervision } from './supervision.ts'

export type NativeOptions = {
  readonly folder: string
  readonly environment: Environment
  readonly redis: RedisOptions
  readonly say: Say
}

const answerDeadlineMs = 90_000
const logTailLines = 25

export async function startNativeStack(options: NativeOptions): Promise<Stack> {
  const place = { folder: options.folder, dataFolder: join(options.folder, 'data') }
  mkdirSync(place.dataFolder, { recursive: true })
  const servers = await prepareServers(place, options)
  const supervision = startSupervision(place.folder)
  supervision.removeAtEnd(place.dataFolder)
  try {
    const [kafka, redis, registry] = await Promise.all([
      control(servers.kafka, supervision),
      control(servers.redis, supervision),
      control(servers.registry, supervision),
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

async function control(server: NativeServer, supervision: Supervision): Promise<ServerControl> {
  let running = await startAndWait(server, supervision)
  return {
    pid: () => running.pid,
    signal: async (signal) => {
      process.kill(running.pid, signal)
    },
    kill: async () => {
      process.kill(running.pid, 'SIGKILL')
      await running.ended
    },
    start: async () => {
      running = await startAndWait(server, supervision)
    },
  }
}

async function startAndWait(
  server: NativeServer,
  supervision: Supervision,
): Promise<RunningServer> {
  const { name, logFile } = server.command
  const running = await supervision.run(server.command)
  let ending: string | undefined
  running.ended.then((how) => {
    ending = how
  })
  const ask = async () => (ending === undefined ? server.ask() : undefined)
  try {
    await waitForAnswer(ask, answerDeadlineMs)
  } catch (error) {
    const seconds = answerDeadlineMs / 1_000
    throw new Error(`${name} did not answer in ${seconds} s${readLogTail(logFile)}`, {
      cause: error,
    })
  }
  if (ending !== undefined) throw new Error(`${name} ${ending}${readLogTail(logFile)}`)
  return running
}

function readLogTail(logFile: string): string {
  if (!existsSync(logFile)) return ''
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n')
  return `; the end of ${logFile}:\n${lines.slice(-logTailLines).join('\n')}`
}
