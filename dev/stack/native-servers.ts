// How each server is started as a plain process: its command, its files, its address.
//
// In: the folder of this stack, a port, the jars. Out: a NativeServer, which says what to run and
// how to ask whether it answers. All of them listen on 127.0.0.1 only, keep their data below the
// stack's folder and write one log file each beside it.

import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { askKafka, askRedis, askRegistry } from './answers.ts'
import { provideOnce } from './artifacts.ts'
import { kafkaSettings } from './kafka-settings.ts'
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

const log4jFile = fileURLToPath(new URL('./kafka-log4j2.yaml', import.meta.url))
const clusterId = 'AAAAAAAAAAAAAAAAAAAAAQ'

export function kafkaServer(
  place: Place,
  ports: readonly [client: number, controller: number],
  jars: { readonly java: string; readonly folder: string },
): NativeServer {
  const [clientPort, controllerPort] = ports
  const dataFolder = join(place.dataFolder, 'kafka')
  const settingsFile = join(place.folder, 'kafka.properties')
  writeFileSync(settingsFile, kafkaProperties(dataFolder, clientPort, controllerPort))
  cpSync(provideFormattedFolder(jars), dataFolder, { recursive: true })
  return {
    command: {
      name: 'kafka',
      command: jars.java,
      arguments: [
        // A fixed small heap, and the collector with the shortest pauses that two cores can afford.
        // The first compiler only: a broker of minutes spends half its time in the second one.
        ...['-Xms256m', '-Xmx512m', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-Xshare:auto'],
        '-XX:TieredStopAtLevel=1',
        ...[`-Dlog4j2.configurationFile=${log4jFile}`, '-cp', join(jars.folder, '*')],
        ...['kafka.Kafka', settingsFile],
      ],
      environment: {},
      folder: place.folder,
      logFile: join(place.folder, 'kafka.log'),
    },
    address: `127.0.0.1:${clientPort}`,
    ask: () => askKafka(`127.0.0.1:${clientPort}`),
  }
}

function kafkaProperties(dataFolder: string, clientPort: number, controllerPort: number): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `CLIENT://127.0.0.1:${clientPort},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${clientPort}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'CLIENT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': dataFolder,
    ...kafkaSettings,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/**
 * Formatting a data folder takes a Java start of its own (1 to 2 s), and its result depends only on
 * Kafka's version and the fixed ids: it is done once per machine and copied after that.
 */
function provideFormattedFolder(jars: { readonly java: string; readonly folder: string }): string {
  return provideOnce(`${jars.folder}-formatted`, (folder) => {
    const settingsFile = `${folder}.properties`
    writeFileSync(settingsFile, kafkaProperties(folder, 9092, 9093))
    const run = spawnSync(
      jars.java,
      [
        ...['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'],
        ...[`-Dlog4j2.configurationFile=${log4jFile}`, '-cp', join(jars.folder, '*')],
        ...['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', settingsFile],
      ],
      { encoding: 'utf8' },
    )
    rmSync(settingsFile)
    if (run.status !== 0) throw new Error(`formatting failed: ${run.stdout}${run.stderr}`)
  })
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
