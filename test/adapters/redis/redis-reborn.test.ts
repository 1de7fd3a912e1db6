// A server that began to answer anew is not believed: it may lack the tail of what it had
// acknowledged.
//
// Real servers, restarted, put back to snapshots, failed over to replicas and back. After each, the
// store is refused until every lane has said what it committed; what is missing then shows as lost.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFreePorts } from '../../../dev/stack/free-ports.ts'
import { type RedisNode, startRedisNode } from '../../../dev/stack/redis-node.ts'
import { startSupervision } from '../../../dev/stack/supervision.ts'
import { connectRedis } from '../../../services/adapters/redis/client/redis-client.ts'
import type { RedisClient } from '../../../services/adapters/redis/client/redis-commands.ts'
import { createRedisLogStore } from '../../../services/adapters/redis/logs/redis-log-store.ts'
import type { EntityLogStore } from '../../../services/pipeline/enrich/log-store.ts'
import { observeNothing } from '../../../services/pipeline/observe/signals.ts'
import { refusalOf } from '../../contract/log-store-contract.ts'
import { holdLane } from '../../support/hold-lane.ts'
import { entriesOf, ordinalsOf, requestOf, testKinds } from '../../support/log-requests.ts'
import { hasRedisServer } from '../../support/redis-cluster.ts'
import { uniqueName } from '../../support/stack.ts'

const lanes = { laneIds: [1, 2] }
const buckets = 2

describe.skipIf(!hasRedisServer)('Redis store - a server that is new', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-reborn-'))
  const place = { folder, dataFolder: join(folder, 'data') }
  mkdirSync(place.dataFolder)
  const supervision = startSupervision(folder)
  const clients: RedisClient[] = []
  let first: RedisNode
  let second: RedisNode

  beforeAll(async () => {
    const [portA = 0, portB = 0] = await findFreePorts(2)
    const start = (name: string, port: number) =>
      startRedisNode(place, 'redis-server', supervision, { name, port, appendOnly: false })
    first = await start('first', portA)
    second = await start('second', portB)
  })

  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await supervision.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  async function openOn(node: RedisNode, prefix: string): Promise<EntityLogStore> {
    const redis = await connectRedis(`redis://127.0.0.1:${node.port}`, observeNothing)
    clients.push(redis)
    return createRedisLogStore({
      redis,
      kinds: testKinds,
      prefix,
      buckets,
      retentionMs: 600_000,
      observe: observeNothing,
    })
  }

  /** Two lanes that have applied and committed offsets 0..4 each. */
  async function openUsed(node: RedisNode) {
    const prefix = uniqueName('reborn')
    const store = await openOn(node, prefix)
    await store.claim(2)
    const a = await holdLane(store, 1, lanes)
    expect(a.state).toBe('waiting')
    const b = await holdLane(store, 2, lanes)
    expect(b.state).toBe('ready')
    await store.advance(requestOf([a], entriesOf(0, 4)))
    await store.advance(requestOf([b], entriesOf(0, 4)))
    return { prefix, store, a, b }
  }

  const codeOf = async (work: Promise<unknown>) => (await refusalOf(work)).code

  test('is refused by advance and touch until all lanes have spoken, then goes on whole', async () => {
    const { store, a, b } = await openUsed(first)
    await first.keepSnapshot()
    await first.restoreSnapshot()
    const next = requestOf([a], entriesOf(5, 5))
    expect(await codeOf(store.advance(next))).toBe('WEIR_ENRICH_STORE_UNSURE')
    const own = { laneId: 2, epoch: b.epoch, frontierMs: 0, isIdle: true, committedOffset: 5 }
    expect(await codeOf(store.touch([own]))).toBe('WEIR_ENRICH_STORE_UNSURE')
    const again = await holdLane(store, 1, { ...lanes, committedOffset: 5 })
    expect(again.state).toBe('waiting')
    expect(await codeOf(store.advance(requestOf([again], entriesOf(5, 5))))).toBe(
      'WEIR_ENRICH_STORE_UNSURE',
    )
    expect((await holdLane(store, 2, { ...lanes, committedOffset: 5 })).state).toBe('ready')
    const reply = await store.advance(requestOf([again], entriesOf(5, 5)))
    expect(ordinalsOf(reply)).toEqual([10])
    await store.touch([{ ...own, epoch: b.epoch + 1 }])
  })

  test('that fell back to a snapshot is lost for a lane that applied nothing since', async () => {
    const { store, b } = await openUsed(first)
    await first.keepSnapshot()
    await store.advance(requestOf([b], entriesOf(5, 9)))
    await first.restoreSnapshot()
    // Lane 1 finds all of its own, and must not go on where lane 2's records are missing.
    expect((await holdLane(store, 1, { ...lanes, committedOffset: 5 })).state).toBe('waiting')
    expect((await holdLane(store, 2, { ...lanes, committedOffset: 10 })).state).toBe('lost')
  })

  test('that was promoted behind its master is lost, and so is one that reigns again', async () => {
    await second.follow(first.port)
    // A first replica gives its master a new replication id: before anybody is confirmed.
    await second.untilInSync()
    const { prefix, store, a, b } = await openUsed(first)
    await second.untilInSync()
    await sleep(50)
    await second.promote()
    // The old master still answers: what it takes from now on is lost with it.
    await store.advance(requestOf([a], entriesOf(5, 6)))
    const onSecond = await openOn(second, prefix)
    const next = requestOf([b], entriesOf(5, 5))
    expect(await codeOf(onSecond.advance(next))).toBe('WEIR_ENRICH_STORE_UNSURE')
    expect((await holdLane(onSecond, 2, { ...lanes, committedOffset: 5 })).state).toBe('waiting')
    expect((await holdLane(onSecond, 1, { ...lanes, committedOffset: 7 })).state).toBe('lost')

    await first.follow(second.port)
    await first.untilInSync()
    await first.promote()
    const back = await openOn(first, prefix)
    const last = requestOf([a], entriesOf(7, 7))
    expect(await codeOf(back.advance(last))).toBe('WEIR_ENRICH_STORE_UNSURE')
  })
})
