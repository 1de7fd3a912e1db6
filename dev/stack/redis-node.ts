// A Redis of a campaign of faults: killed, emptied, put back to an old snapshot, made a replica.
//
// In: a name, a free port, how it keeps its data, whose replica it is. Out: the server under
// control and what a fault does to its data. Refused: what Redis refuses. Invariant: a server that
// is asked to lose something is stopped while its files are touched, and answers again afterwards.

import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { waitForAnswer } from './answers.ts'
import { type ControlledServer, startControlled } from './controlled-server.ts'
import { type Place, type RedisOptions, redisServer } from './native-servers.ts'
import type { Supervision } from './supervision.ts'

export type RedisNode = {
  readonly name: string
  readonly port: number
  readonly control: ControlledServer
  /** One command; errors are thrown as Redis says them. */
  readonly call: (command: string, ...words: readonly string[]) => Promise<unknown>
  /** Keeps a copy of what it holds now, beside its data. */
  readonly keepSnapshot: () => Promise<void>
  /** Goes on, after a SIGKILL, from the copy that was kept. */
  readonly restoreSnapshot: () => Promise<void>
  /** Goes on, after a SIGKILL, with nothing. */
  readonly lose: () => Promise<void>
  /** Holds nothing from now on, and goes on running. */
  readonly flush: () => Promise<void>
  /** From now on nobody's replica. */
  readonly promote: () => Promise<void>
  /** Starts over as the replica of the server at that port of this machine. */
  readonly follow: (port: number) => Promise<void>
  /** Waits until it is in touch with its master and has all that the master had. */
  readonly untilInSync: () => Promise<void>
}

export type RedisNodeOptions = RedisOptions & {
  readonly name: string
  readonly port: number
  /** Settings beside the usual ones, as redis-server takes them. */
  readonly settings?: readonly string[]
}

const syncMsMax = 30_000

export async function startRedisNode(
  place: Place,
  program: string,
  supervision: Supervision,
  options: RedisNodeOptions,
): Promise<RedisNode> {
  const { name, port, settings = [] } = options
  const own = { ...place, dataFolder: join(place.dataFolder, name) }
  const { command, ...rest } = redisServer(own, port, program, options)
  const logFile = join(place.folder, `${name}.log`)
  const all = [...command.arguments, ...settings]
  const control = await startControlled(
    { ...rest, command: { ...command, name, logFile, arguments: all } },
    supervision,
  )
  const folder = join(own.dataFolder, 'redis')
  const [current, kept] = [join(folder, 'dump.rdb'), join(own.dataFolder, 'kept.rdb')]
  const restartWith = async (prepare: () => void): Promise<void> => {
    await control.kill()
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    prepare()
    await control.start()
  }
  return {
    name,
    port,
    control,
    call: (word, ...words) => send(port, word, ...words),
    keepSnapshot: async () => {
      await send(port, 'SAVE')
      copyFileSync(current, kept)
    },
    restoreSnapshot: () => restartWith(() => copyFileSync(kept, current)),
    lose: () => restartWith(() => undefined),
    flush: async () => {
      await send(port, 'FLUSHALL')
    },
    promote: async () => {
      await send(port, 'REPLICAOF', 'NO', 'ONE')
    },
    follow: async (master) => {
      await send(port, 'REPLICAOF', '127.0.0.1', String(master))
    },
    untilInSync: () => waitForAnswer(() => demandSync(port), syncMsMax),
  }
}

async function demandSync(port: number): Promise<void> {
  const state = String(await send(port, 'INFO', 'replication'))
  if (!/master_link_status:up/.test(state) || !/master_sync_in_progress:0/.test(state)) {
    throw new Error(`the replica at ${port} is not in sync: ${state}`)
  }
}

async function send(port: number, command: string, ...words: readonly string[]): Promise<unknown> {
  const redis = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return await redis.call(command, ...words)
  } finally {
    redis.disconnect()
  }
}
