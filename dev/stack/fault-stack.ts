// A stack to be hurt: one broker or three, a registry, Redis servers as they are wanted.
//
// In: a folder, and for each broker the port that clients behind a proxy are told. Out: native
// processes, each under control; direct addresses for whoever watches, and the ports that proxies
// forward to. Refused: a server that does not come up; what had been started is ended then.
// Invariant: everything ends with stop(), and with this process, however that ends.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { provideKafkaJars, provideRegistryJars } from './artifacts.ts'
import { type ControlledServer, startControlled } from './controlled-server.ts'
import { findFreePorts } from './free-ports.ts'
import { type KafkaNode, kafkaNodes } from './kafka-node.ts'
import { provide, type Say } from './machine-packages.ts'
import { registryServer } from './native-servers.ts'
import { type RedisNode, type RedisNodeOptions, startRedisNode } from './redis-node.ts'
import { cacheFolder, type Environment } from './repository.ts'
import { startSupervision } from './supervision.ts'

export type FaultBroker = {
  /** For clients that meet no proxy. */
  readonly address: string
  /** Where this broker's proxy forwards to. */
  readonly proxiedPort: number
  readonly control: ControlledServer
}

export type FaultStack = {
  readonly folder: string
  readonly brokers: readonly FaultBroker[]
  readonly registryUrl: string
  readonly startRedis: (name: string, options: RedisStart) => Promise<RedisNode>
  readonly stop: () => Promise<void>
}

type RedisStart = Omit<RedisNodeOptions, 'name' | 'port'>

type FaultStackOptions = {
  readonly folder: string
  readonly environment: Environment
  readonly say: Say
  /** One per broker: 1 or 3 of them. */
  readonly proxyPorts: readonly number[]
}

export async function startFaultStack(options: FaultStackOptions): Promise<FaultStack> {
  const { folder, environment, say, proxyPorts } = options
  const place = { folder, dataFolder: join(folder, 'data') }
  mkdirSync(place.dataFolder, { recursive: true })
  const programs = provide(['java', 'redis'], environment, say)
  const cache = cacheFolder(environment)
  const findMaven = () => provide(['maven'], environment, say).maven
  const kafkaJars = { java: programs.java, folder: provideKafkaJars(cache, findMaven, say) }
  const registryJars = { java: programs.java, folder: provideRegistryJars(cache, findMaven, say) }
  const nodes = await planNodes(proxyPorts)
  const [registryPort = 0] = await findFreePorts(1)
  const supervision = startSupervision(folder)
  supervision.removeAtEnd(place.dataFolder)
  const startBroker = async (server: ReturnType<typeof kafkaNodes>[number], i: number) => {
    const control = await startControlled(server, supervision)
    return { address: server.address, proxiedPort: nodes[i]!.proxied.listens, control }
  }
  const registry = registryServer(place, registryPort, registryJars)
  try {
    const [brokers] = await Promise.all([
      Promise.all(kafkaNodes(place, nodes, kafkaJars).map(startBroker)),
      startControlled(registry, supervision),
    ])
    return {
      folder,
      brokers,
      registryUrl: registry.address,
      startRedis: async (name, redis) => {
        const [port = 0] = await findFreePorts(1)
        return startRedisNode(place, programs.redis, supervision, { ...redis, name, port })
      },
      stop: () => supervision.stop(),
    }
  } catch (error) {
    await supervision.stop()
    throw error
  }
}

async function planNodes(proxyPorts: readonly number[]) {
  const ports = await findFreePorts(3 * proxyPorts.length)
  return proxyPorts.map((advertises, i) => {
    const [clientPort, controllerPort, listens] = ports.slice(3 * i) as [number, number, number]
    const proxied = { listens, advertises }
    return { id: i + 1, clientPort, controllerPort, proxied } satisfies KafkaNode
  })
}
