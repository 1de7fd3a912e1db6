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
export type RedisShape = 'durable' | 'forgetful' | 'replicated'

export type ChaosRedis = {
  /** Between scorers and the master. */
  readonly wire: TcpProxy
  readonly restart: (how: 'SIGTERM' | 'SIGKILL', awayMs: number) => Promise<void>
  /** It is there, and does not answer. */
  readonly hang: (forMs: number) => Promise<void>
  /** Starts again with nothing. */
  readonly lose: () => Promise<void>
  /** Goes on running with nothing. */
  readonly flush: () => Promise<void>
  /** Goes back to how it was so long ago. */
  readonly fallBack: (byMs: number) => Promise<void>
  /**
   * The master dies; its replica, behind by so much, takes its place. Resolves when it has; the old
   * master becomes its replica meanwhile, before anything else can happen to it.
   */
  readonly failOver: (behindMs: number) => Promise<void>
  readonly close: () => Promise<void>
}

export async function startChaosRedis(
  stack: FaultStack,
  name: string,
  shape: RedisShape,
): Promise<ChaosRedis> {
  const options = { appendOnly: shape === 'durable' }
  let master = await stack.startRedis(`${name}-redis`, options)
  const [wirePort = 0, linkPort = 0] = await findFreePorts(2)
  const wire = await startTcpProxy({ port: wirePort, target: master.port })
  let replica: RedisNode | null = null
  const link = await startTcpProxy({ port: linkPort, target: master.port })
  if (shape === 'replicated') {
    replica = await stack.startRedis(`${name}-redis-2`, options)
    await follow(replica, link.port)
  }
  let following = Promise.resolve()
  return {
    wire,
    restart: async (how, awayMs) => {
      if (how === 'SIGTERM') await master.control.terminate()
      else await master.control.kill()
      await pause(awayMs)
      await master.control.start()
    },
    hang: async (forMs) => {
      await master.control.signal('SIGSTOP')
      await pause(forMs)
      await master.control.signal('SIGCONT')
    },
    lose: () => master.lose(),
    flush: () => master.flush(),
    fallBack: async (byMs) => {
      await master.keepSnapshot()
      await pause(byMs)
      await master.restoreSnapshot()
    },
    failOver: async (behindMs) => {
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
    },
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
