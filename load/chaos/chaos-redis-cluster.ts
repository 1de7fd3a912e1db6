// The feature store of a campaign as a Redis Cluster: three masters, each with a replica.
//
// In: a stack. Out: what may befall a cluster: any node dies or hangs, for a moment or for long
// enough to lose its slots to its replica, and a slot moves. Scorers speak to the nodes directly,
// as these tell their own addresses. Invariant: the next fault finds a whole cluster.

import type { FaultStack } from '../../dev/stack/fault-stack.ts'
import {
  moveSomeSlot,
  startRedisCluster,
  untilClusterIsWhole,
} from '../../dev/stack/redis-cluster.ts'
import type { RedisNode } from '../../dev/stack/redis-node.ts'
import { type ChaosRedis, hangNode, restartNode } from './chaos-redis.ts'

export async function startChaosCluster(stack: FaultStack, name: string): Promise<ChaosRedis> {
  const nodes = await startRedisCluster(stack, `${name}-redis`)
  const pick = async (which: number): Promise<RedisNode> => {
    await untilClusterIsWhole(nodes)
    return nodes[Math.floor(which * nodes.length)]!
  }
  return {
    url: nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(','),
    wires: [],
    restart: async (how, awayMs, which) => restartNode(await pick(which), how, awayMs),
    hang: async (forMs, which) => hangNode(await pick(which), forMs),
    forget: null,
    moveSlot: async () => {
      await untilClusterIsWhole(nodes)
      await moveSomeSlot(nodes)
    },
    close: async () => {
      await Promise.all(nodes.map(({ control }) => control.kill()))
    },
  }
}
