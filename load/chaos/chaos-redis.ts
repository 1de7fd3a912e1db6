// The feature store of a campaign: one Redis, or a master with its replica, behind one wire.
//
// In: how it keeps its data. Out: the ways in which it restarts, forgets and fails over. Refused:
// what Redis refuses. Invariant: the scorers' wire leads to the master of now; a replica follows
// through a link of its own, which can be cut so that it falls behind.

import { setTimeout as pause } from 'node:timers/promises'
import type { FaultStack } from '../../dev/stack/fault-stack.ts'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import type { RedisNode } from '../../dev/stack/redis-node.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** durable: every write is on its way to the disk before its answer; forgetful: nothing is kept. */
export type RedisShape = 'durable' | 'forgetful' | 'replicated' | 'cluster'

type RedisEnding = 'SIGTERM' | 'SIGKILL'

export type ChaosRedis = {
  /** As scorers are told. */
  readonly url: string
  /** Between scorers and Redis; none where they speak to a cluster. */
  readonly wires: readonly TcpProxy[]
  /** @param which of several nodes, in [0, 1). */
  readonly restart: (how: RedisEnding, awayMs: number, which: number) => Promise<void>
  /** It is there, and does not answer. */
  readonly hang: (forMs: number, which: number) => Promise<void>
  /** null where nothing is forgotten. */
  readonly forget: Forgetting | null
  /** null where there is nothing to move. */
  readonly moveSlot: (() => Promise<void>) | null
  readonly close: () => Promise<void>
}

export type Forgetting = {
  /** Starts again with nothing. */
  readonly lose: () => Promise<void>
  /** Goes on running with nothing. */
  readonly flush: () => Promise<void>
  /** Goes back to how it was so long ago. */
  readonly fallBack: (byMs: number) => Promise<void>
  /**
   * The master dies; its replica, behind by so much, takes its place. Resolves when it has; the old
   * master becomes its replica meanwhile, before it can happen again.
   */
  readonly failOver: (behindMs: number) => Promise<void>
}

export async function restartNode(
  { control }: RedisNode,
  how: RedisEnding,
  awayMs: number,
): Promise<void> {
  if (how === 'SIGTERM') await control.terminate()
  else await control.kill()
  await pause(awayMs)
  await control.start()
}

export async function hangNode({ control }: RedisNode, forMs: number): Promise<void> {
  await control.signal('SIGSTOP')
  await pause(forMs)
  await control.signal('SIGCONT')
}

export async function startChaosRedis(
  stack: FaultStack,
  name: string,
  shape: Exclude<RedisShape, 'cluster'>,
): Promise<ChaosRedis> {
  const options = { appendOnly: shape === 'durable' }
  let master = await stack.startRedis(`${name}-redis`, options)
  let replica: RedisNode | null = null
  const [wirePort = 0, linkPort = 0] = await findFreePorts(2)
  const wire = await startTcpProxy({ port: wirePort, target: master.port })
  const link = await startTcpProxy({ port: linkPort, target: master.port })
  if (shape === 'replicated') {
    replica = await stack.startRedis(`${name}-redis-2`, options)
    await follow(replica, link.port)
  }
  let following = Promise.resolve()

  const failOver = async (behindMs: number): Promise<void> => {
    await following
    if (replica === null) throw new Error(`a ${shape} Redis has no replica to fail over to`)
    link.cut()
    await pause(behindMs)
    await master.control.kill()
    await replica.promote()
    wire.retarget(replica.port)
    ;[master, replica] = [replica, master]
    link.retarget(master.port)
    link.pass()
    following = startFollowing(replica, link.port)
    following.catch(() => undefined)
  }

  return {
    url: `redis://127.0.0.1:${wire.port}`,
    wires: [wire],
    restart: (how, awayMs) => restartNode(master, how, awayMs),
    hang: (forMs) => hangNode(master, forMs),
    forget: {
      lose: () => master.lose(),
      flush: () => master.flush(),
      fallBack: async (byMs) => {
        await master.keepSnapshot()
        await pause(byMs)
        await master.restoreSnapshot()
      },
      failOver,
    },
    moveSlot: null,
    close: async () => {
      await following.catch(() => undefined)
      await Promise.all([wire.close(), link.close()])
      await Promise.all([master.control.kill(), replica?.control.kill()])
    },
  }
}

async function startFollowing(node: RedisNode, masterPort: number): Promise<void> {
  await node.control.start()
  await follow(node, masterPort)
}

async function follow(node: RedisNode, masterPort: number): Promise<void> {
  await node.follow(masterPort)
  await node.untilInSync()
}
