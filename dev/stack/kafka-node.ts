// How Kafka is started as plain processes: one node, or several that form a cluster.
//
// In: the folder of the stack, the nodes' ids and ports, the jars. Out: a NativeServer per node. A
// node is broker and controller at once (KRaft). It may have a second listener for clients that
// come through a proxy: those are told the proxy's port, while the brokers and everybody else speak
// directly. All listen on 127.0.0.1 only and keep their data below the stack's folder.

import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { askKafka } from './answers.ts'
import { provideOnce } from './artifacts.ts'
import { kafkaSettings } from './kafka-settings.ts'
import type { NativeServer, Place } from './native-servers.ts'

type KafkaJars = { readonly java: string; readonly folder: string }

export type KafkaNode = {
  /** From 1; the first one is called kafka, the others kafka-2, kafka-3, ... */
  readonly id: number
  readonly clientPort: number
  readonly controllerPort: number
  /** Clients at `listens` are told that the broker is at `advertises`. */
  readonly proxied?: { readonly listens: number; readonly advertises: number }
}

type Settings = Readonly<Record<string, string>>

const log4jFile = fileURLToPath(new URL('./kafka-log4j2.yaml', import.meta.url))
const clusterId = 'AAAAAAAAAAAAAAAAAAAAAQ'

/** Of three nodes one may be away: internal topics have three copies, two of them in sync. */
const threeNodes: Settings = {
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'min.insync.replicas': '2',
  // The share groups of Kafka 4 are not used; their topic would wait for copies all the same.
  'share.coordinator.state.topic.replication.factor': '3',
  'share.coordinator.state.topic.min.isr': '2',
  // A node that was killed is missed after 2 s in place of 9, so that a campaign sees more faults.
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
}

export function kafkaServer(
  place: Place,
  ports: readonly [client: number, controller: number],
  jars: KafkaJars,
): NativeServer {
  const [clientPort, controllerPort] = ports
  const [server] = kafkaNodes(place, [{ id: 1, clientPort, controllerPort }], jars)
  return server!
}

/** @param nodes one, or three that form a cluster. */
export function kafkaNodes(
  place: Place,
  nodes: readonly KafkaNode[],
  jars: KafkaJars,
): readonly NativeServer[] {
  const settings = nodes.length === 1 ? kafkaSettings : { ...kafkaSettings, ...threeNodes }
  return nodes.map((node) => {
    const name = node.id === 1 ? 'kafka' : `kafka-${node.id}`
    const dataFolder = join(place.dataFolder, name)
    const settingsFile = join(place.folder, `${name}.properties`)
    writeFileSync(settingsFile, propertiesOf(dataFolder, node, nodes, settings))
    cpSync(provideFormattedFolder(jars), dataFolder, { recursive: true })
    if (node.id !== 1) renameNode(dataFolder, node.id)
    return {
      command: {
        name,
        command: jars.java,
        arguments: [
          // A fixed small heap, and the collector with the shortest pauses that two cores can
          // afford. The first compiler only: a broker of minutes spends half its time in the
          // second.
          ...['-Xms256m', '-Xmx512m', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-Xshare:auto'],
          '-XX:TieredStopAtLevel=1',
          ...[`-Dlog4j2.configurationFile=${log4jFile}`, '-cp', join(jars.folder, '*')],
          ...['kafka.Kafka', settingsFile],
        ],
        environment: {},
        folder: place.folder,
        logFile: join(place.folder, `${name}.log`),
      },
      address: `127.0.0.1:${node.clientPort}`,
      ask: () => askKafka(`127.0.0.1:${node.clientPort}`),
    }
  })
}

function propertiesOf(
  dataFolder: string,
  node: KafkaNode,
  nodes: readonly KafkaNode[],
  settings: Settings,
): string {
  const { id, clientPort, controllerPort, proxied } = node
  const at = (listener: string, port: number) => `${listener}://127.0.0.1:${port}`
  const through = (port?: number) => (port === undefined ? [] : [at('PROXIED', port)])
  const listeners = [at('CLIENT', clientPort), ...through(proxied?.listens)]
  const voters = nodes.map((voter) => `${voter.id}@127.0.0.1:${voter.controllerPort}`)
  const properties: Settings = {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters.join(','),
    listeners: [...listeners, at('CONTROLLER', controllerPort)].join(','),
    'advertised.listeners': [at('CLIENT', clientPort), ...through(proxied?.advertises)].join(','),
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'CLIENT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': dataFolder,
    ...settings,
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/**
 * Formatting a data folder takes a Java start of its own (1 to 2 s), and its result depends only on
 * Kafka's version and the fixed ids: it is done once per machine and copied after that.
 */
function provideFormattedFolder(jars: KafkaJars): string {
  return provideOnce(`${jars.folder}-formatted`, (folder) => {
    const settingsFile = `${folder}.properties`
    const node = { id: 1, clientPort: 9092, controllerPort: 9093 }
    writeFileSync(settingsFile, propertiesOf(folder, node, [node], kafkaSettings))
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

/** The formatted folder is that of node 1: another node has its own id and its own folder's id. */
function renameNode(dataFolder: string, id: number): void {
  const file = join(dataFolder, 'meta.properties')
  const renamed = readFileSync(file, 'utf8')
    .replace(/^node\.id=.*$/m, `node.id=${id}`)
    .replace(/^directory\.id=.*$/m, `directory.id=${randomBytes(16).toString('base64url')}`)
  writeFileSync(file, renamed)
}
