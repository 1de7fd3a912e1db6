// A Redis Cluster of native servers: three masters that share the slots, each with a replica.
//
// In: a way to start a server. Out: the six of them, once they agree on who has what. Refused:
// nodes that do not find together in time. Invariant: a master that is away for longer than the
// nodes' time-out loses its slots to its replica, and comes back as the replica of that one.

import { waitForAnswer } from './answers.ts'
import type { FaultStack } from './fault-stack.ts'
import { findFreePorts } from './free-ports.ts'
import type { RedisNode } from './redis-node.ts'

const masterCount = 3
const slotCount = 16_384
/** Short, so that a campaign sees failovers, too. */
const nodeTimeoutMs = 2000
const agreeMsMax = 30_000

export async function startRedisCluster(
  stack: FaultStack,
  name: string,
): Promise<readonly RedisNode[]> {
  const busPorts = await findFreePorts(2 * masterCount)
  const nodes = await Promise.all(
    busPorts.map((busPort, i) =>
      stack.startRedis(`${name}-${i + 1}`, {
        appendOnly: true,
        settings: [
          ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
          ...['--cluster-node-timeout', String(nodeTimeoutMs)],
          ...['--repl-diskless-sync-delay', '0'],
        ],
      }),
    ),
  )
  await form(nodes, busPorts)
  return nodes
}

async function form(nodes: readonly RedisNode[], busPorts: readonly number[]): Promise<void> {
  const masters = nodes.slice(0, masterCount)
  for (const [i, node] of nodes.entries()) {
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
  }
  for (const [i, master] of masters.entries()) {
    const first = Math.round((i * slotCount) / masterCount)
    const last = Math.round(((i + 1) * slotCount) / masterCount) - 1
    await master.call('CLUSTER', 'ADDSLOTSRANGE', String(first), String(last))
  }
  for (const [i, { port }] of nodes.entries()) {
    if (i === 0) continue
    await nodes[0]!.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPorts[i]))
  }
  const ids = await Promise.all(nodes.map(idOf))
  // A node that is still shaking hands is listed, but not yet under its own name.
  await untilAll(nodes, async (node) => {
    const view = String(await node.call('CLUSTER', 'NODES'))
    return ids.every((id) => view.includes(id)) && !view.includes('handshake')
  })
  for (const [i, replica] of nodes.slice(masterCount).entries()) {
    await replica.call('CLUSTER', 'REPLICATE', ids[i % masterCount]!)
  }
  await untilAll(nodes, isWhole)
}

/** Moves the slot of some key from one master to another, key by key, while both serve. */
export async function moveSomeSlot(nodes: readonly RedisNode[]): Promise<void> {
  const masters: RedisNode[] = []
  for (const node of nodes) if (await isMaster(node)) masters.push(node)
  const [from, to] = masters as [RedisNode, RedisNode]
  const key = await from.call('RANDOMKEY')
  if (key === null) return
  const slot = String(await from.call('CLUSTER', 'KEYSLOT', String(key)))
  const [fromId, toId] = [await idOf(from), await idOf(to)]
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  const target = ['127.0.0.1', String(to.port), '', '0', '5000', 'KEYS']
  for (;;) {
    const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, '20')) as string[]
    if (keys.length === 0) break
    await from.call('MIGRATE', ...target, ...keys)
  }
  const others = masters.filter((master) => master !== from && master !== to)
  for (const master of [to, from, ...others]) {
    await master.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
  }
}

const isMaster = async (node: RedisNode): Promise<boolean> =>
  String(await node.call('INFO', 'replication')).includes('role:master')

const idOf = async (node: RedisNode): Promise<string> => String(await node.call('CLUSTER', 'MYID'))

/** Resolves when every node serves, and every replica is in touch with its master. */
export const untilClusterIsWhole = (nodes: readonly RedisNode[]): Promise<void> =>
  untilAll(nodes, isWhole)

async function isWhole(node: RedisNode): Promise<boolean> {
  const state = String(await node.call('CLUSTER', 'INFO'))
  const replication = String(await node.call('INFO', 'replication'))
  return state.includes('cluster_state:ok') && !replication.includes('master_link_status:down')
}

const untilAll = (
  nodes: readonly RedisNode[],
  isReady: (node: RedisNode) => Promise<boolean>,
): Promise<void> =>
  waitForAnswer(async () => {
    const ready = await Promise.all(nodes.map(isReady))
    const missing = ready.filter((is) => !is).length
    if (missing > 0) throw new Error(`${missing} of ${nodes.length} Redis nodes do not agree yet`)
  }, agreeMsMax)
