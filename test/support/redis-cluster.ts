// A Redis Cluster of this test's own: masters that share the slots, replicas behind them.
//
// In: how many masters and replicas, and settings for all of them. Out: its URLs, its nodes, and
// what may befall them: a node is killed, started again with its data, a slot moves from one master
// to another key by key. Where the machine has no redis-server there is no cluster, and the tests
// are skipped. Invariant: all servers end with stop(), and with this process, however that ends.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { askRedis, waitForAnswer } from '../../dev/stack/answers.ts'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import { type Supervision, startSupervision } from '../../dev/stack/supervision.ts'
import { slotCount } from '../../services/adapters/redis/client/key-slot.ts'
import { type TestCertificate, tlsSettings } from './test-certificate.ts'
import { waitFor } from './wait-for.ts'

export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0

export type ClusterOptions = {
  readonly masters: number
  readonly replicasEach?: number
  /** Where there is one, the nodes speak TLS only, to clients and among themselves. */
  readonly tls?: TestCertificate
}

export type ClusterNode = {
  readonly port: number
  readonly busPort: number
  readonly url: string
  readonly folder: string
  /** A connection of the test's own. */
  readonly redis: Redis
  /** Name of the node within the cluster. */
  id: string
  pid: number
  /** Resolves when the server that runs now is gone. */
  ended: Promise<unknown>
}

export type TestCluster = {
  /** All nodes, as WEIR_REDIS_URL takes them. */
  readonly url: string
  readonly nodes: readonly ClusterNode[]
  /** The master that serves a slot now, as most nodes see it. */
  readonly ownerOf: (slot: number) => Promise<ClusterNode>
  readonly kill: (node: ClusterNode) => Promise<void>
  readonly start: (node: ClusterNode) => Promise<void>
  /** Moves a slot key by key; `between` runs while some keys are here and some are there. */
  readonly moveSlot: (slot: number, to: ClusterNode, between?: () => Promise<void>) => Promise<void>
  readonly stop: () => Promise<void>
}

const answerDeadlineMs = 30_000
/** Long enough for a machine that is busy, short enough to wait for a failover in a test. */
const nodeTimeoutMs = 3000

export async function startTestCluster(options: ClusterOptions): Promise<TestCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-cluster-'))
  const supervision = startSupervision(folder)
  supervision.removeAtEnd(folder)
  const size = options.masters * (1 + (options.replicasEach ?? 0))
  const ports = await findFreePorts(2 * size)
  const nodes = Array.from({ length: size }, (_, i) =>
    planNode(join(folder, `node-${i}`), ports.slice(2 * i, 2 * i + 2), options.tls !== undefined),
  )
  const start = (node: ClusterNode) => startNode(node, supervision, options.tls)
  const stop = async () => {
    for (const { redis } of nodes) redis.disconnect()
    await supervision.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await Promise.all(nodes.map(start))
    await formCluster(nodes, options.masters)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: nodes.map(({ url }) => url).join(','),
    nodes,
    ownerOf: (slot) => findOwner(nodes, slot),
    kill: killNode,
    start,
    moveSlot: (slot, to, between) => moveSlot(nodes, slot, to, between),
    stop,
  }
}

function planNode(folder: string, ports: readonly number[], isSecure: boolean): ClusterNode {
  mkdirSync(folder)
  const [port = 0, busPort = 0] = ports
  const url = `${isSecure ? 'rediss' : 'redis'}://127.0.0.1:${port}`
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => 50 })
  redis.on('error', () => undefined)
  return { port, busPort, url, folder, redis, id: '', pid: 0, ended: Promise.resolve() }
}

async function startNode(
  node: ClusterNode,
  supervision: Supervision,
  tls: TestCertificate | undefined,
): Promise<void> {
  const { port } = node
  const listening =
    tls === undefined
      ? ['--port', String(port)]
      : [...tlsSettings(tls, port), '--tls-cluster', 'yes', '--tls-replication', 'yes']
  const server = await supervision.run({
    name: `redis-${port}`,
    command: 'redis-server',
    arguments: [
      ...[...listening, '--bind', '127.0.0.1', '--dir', node.folder],
      ...['--daemonize', 'no', '--save', '', '--appendonly', 'yes', '--repl-diskless-sync', 'yes'],
      ...['--repl-diskless-sync-delay', '0', '--maxmemory-policy', 'noeviction'],
      ...['--cluster-enabled', 'yes', '--cluster-port', String(node.busPort)],
      ...['--cluster-node-timeout', String(nodeTimeoutMs)],
    ],
    environment: {},
    folder: node.folder,
    logFile: join(node.folder, 'redis.log'),
  })
  node.pid = server.pid
  node.ended = server.ended
  await waitForAnswer(() => askRedis(node.url), answerDeadlineMs)
}

async function formCluster(nodes: readonly ClusterNode[], masterCount: number): Promise<void> {
  const masters = nodes.slice(0, masterCount)
  for (const [i, node] of nodes.entries()) {
    node.id = (await node.redis.cluster('MYID')) as string
    await node.redis.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
  }
  for (const [i, { redis }] of masters.entries()) {
    const first = Math.round((i * slotCount) / masterCount)
    const last = Math.round(((i + 1) * slotCount) / masterCount) - 1
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', String(first), String(last))
  }
  for (const { port, busPort } of nodes.slice(1)) {
    await nodes[0]!.redis.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort))
  }
  // A node that is still shaking hands is listed, but not yet under its own name.
  await waitForAll(nodes, async ({ redis }) => {
    const view = String(await redis.cluster('NODES'))
    return nodes.every(({ id }) => view.includes(id)) && !view.includes('handshake')
  })
  for (const [i, { redis }] of nodes.slice(masterCount).entries()) {
    await redis.call('CLUSTER', 'REPLICATE', masters[i % masterCount]!.id)
  }
  await waitForAll(nodes, async ({ redis }) => {
    const state = String(await redis.call('CLUSTER', 'INFO'))
    const replication = await redis.info('replication')
    return state.includes('cluster_state:ok') && !replication.includes('master_link_status:down')
  })
}

const waitForAll = (
  nodes: readonly ClusterNode[],
  isReady: (node: ClusterNode) => Promise<boolean>,
): Promise<void> =>
  waitFor(
    async () => (await Promise.all(nodes.map(isReady))).every(Boolean),
    () => 'the nodes to form a cluster',
  )

async function killNode(node: ClusterNode): Promise<void> {
  process.kill(node.pid, 'SIGKILL')
  await node.ended
}

const waitForOneEpoch = (nodes: readonly ClusterNode[]): Promise<void> =>
  waitFor(
    async () => {
      const alive = nodes.filter(({ redis }) => redis.status === 'ready')
      const states = await Promise.all(alive.map(({ redis }) => redis.call('CLUSTER', 'INFO')))
      const epochs = states.map((state) => /cluster_current_epoch:(\d+)/.exec(String(state))?.[1])
      return new Set(epochs).size === 1
    },
    () => 'the nodes to agree on the epoch',
  )

type SlotRange = readonly [first: number, last: number, master: readonly [string, number]]

/** Asks the nodes that answer, and believes what most of them say. */
async function findOwner(nodes: readonly ClusterNode[], slot: number): Promise<ClusterNode> {
  const votes = new Map<ClusterNode, number>()
  for (const { redis } of nodes.filter((node) => node.redis.status === 'ready')) {
    // Whoever dies under the question has no voice.
    const answer: unknown = await redis.cluster('SLOTS').catch(() => [])
    const ranges = answer as SlotRange[]
    const range = ranges.find(([first, last]) => first <= slot && slot <= last)
    const owner = nodes.find(({ port }) => port === range?.[2][1])
    if (owner !== undefined) votes.set(owner, (votes.get(owner) ?? 0) + 1)
  }
  const [winner] = [...votes].sort(([, a], [, b]) => b - a)
  if (winner === undefined) throw new Error(`no node knows who has slot ${slot}`)
  return winner[0]
}

async function moveSlot(
  nodes: readonly ClusterNode[],
  slot: number,
  to: ClusterNode,
  between: () => Promise<void> = async () => undefined,
): Promise<void> {
  // Who takes a slot without knowing the others' epochs may lose it again to an older message.
  await waitForOneEpoch(nodes)
  const from = await findOwner(nodes, slot)
  const set = (node: ClusterNode, ...state: string[]) =>
    node.redis.call('CLUSTER', 'SETSLOT', String(slot), ...state)
  await set(to, 'IMPORTING', from.id)
  await set(from, 'MIGRATING', to.id)
  for (let isFirst = true; ; isFirst = false) {
    const keys = (await from.redis.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '2')) as string[]
    if (keys.length > 0) {
      const target = ['127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys]
      await from.redis.call('MIGRATE', ...target)
    }
    if (isFirst) await between()
    if (keys.length === 0) break
  }
  // The new owner first: from then on there is one, whatever happens to the others' view.
  for (const node of [to, from, ...nodes]) {
    if (node.redis.status === 'ready') await set(node, 'NODE', to.id).catch(() => undefined)
  }
}
