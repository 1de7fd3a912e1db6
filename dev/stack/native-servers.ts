// How Redis and the registry are started as plain processes: command, files, address.
//
// In: the folder of this stack, a port, the jars. Out: a NativeServer, which says what to run and
// how to ask whether it answers. All of them listen on 127.0.0.1 only, keep their data below the
// stack's folder and write one log file each beside it. Kafka has a file of its own, kafka-node.ts.

import { globSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { askRedis, askRegistry } from './answers.ts'
import type { ServerCommand } from './supervisor.ts'

export type NativeServer = {
  readonly command: ServerCommand
  readonly address: string
  readonly ask: () => Promise<void>
}

export type Place = { readonly folder: string; readonly dataFolder: string }

export type RedisOptions = {
  /** Redis' `save` setting: '' for no snapshots, '1 1' for one each second if anything changed. */
  readonly save?: string
  readonly appendOnly?: boolean
  readonly maxMemory?: string
}

export function redisServer(
  place: Place,
  port: number,
  program: string,
  options: RedisOptions,
): NativeServer {
  const dataFolder = join(place.dataFolder, 'redis')
  mkdirSync(dataFolder, { recursive: true })
  const url = `redis://127.0.0.1:${port}`
  return {
    command: {
      name: 'redis',
      command: program,
      arguments: [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dataFolder],
        ...['--daemonize', 'no', '--maxmemory-policy', 'noeviction'],
        ...['--maxmemory', options.maxMemory ?? '0', '--save', options.save ?? ''],
        ...['--appendonly', options.appendOnly ? 'yes' : 'no'],
      ],
      environment: {},
      folder: place.folder,
      logFile: join(place.folder, 'redis.log'),
    },
    address: url,
    ask: () => askRedis(url),
  }
}

export function registryServer(
  place: Place,
  port: number,
  jars: { readonly java: string; readonly folder: string },
): NativeServer {
  const [runner] = globSync(join(jars.folder, '*-runner.jar'))
  if (runner === undefined) throw new Error(`found no *-runner.jar in ${jars.folder}; remove it`)
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  return {
    command: {
      name: 'registry',
      command: jars.java,
      arguments: [
        // It serves a handful of requests: start time counts, throughput does not.
        ...['-Xms128m', '-Xmx384m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-jar', runner],
      ],
      environment: {
        QUARKUS_HTTP_HOST: '127.0.0.1',
        QUARKUS_HTTP_PORT: String(port),
        QUARKUS_HTTP_ACCESS_LOG_ENABLED: 'false',
        QUARKUS_LOG_LEVEL: 'WARN',
        QUARKUS_BANNER_ENABLED: 'false',
      },
      folder: place.folder,
      logFile: join(place.folder, 'registry.log'),
    },
    address: url,
    ask: () => askRegistry(url),
  }
}
