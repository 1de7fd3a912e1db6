// A registry whose answering node lags behind: the real one, seen through a proxy that denies at
// first.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { createDecoder, createEncoder } from '../../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../../services/adapters/registry/schema-files.ts'
import { connectRegistry, subjectOf } from '../../../services/adapters/registry/schema-registry.ts'
import { limits } from '../../../services/core/limits.ts'
import { decodeLearning } from '../../../services/pipeline/decode/decode-learning.ts'
import { testStack, uniqueName } from '../../support/stack.ts'

let registryUrl: string
beforeAll(async () => {
  registryUrl = (await testStack()).registryUrl
})

/**
 * Denies each schema id that is asked for, until told otherwise; the rest is the real registry's.
 */
async function openFollower() {
  const world = { denials: 0, lags: true }
  const server: Server = createServer(async (request, response) => {
    response.setHeader('content-type', 'application/json')
    if (world.lags && request.url!.includes('/schemas/ids/')) {
      world.denials++
      response.statusCode = 404
      response.end('{"error_code":40403,"message":"Schema not found"}')
      return
    }
    const answer = await fetch(new URL(registryUrl).origin + request.url)
    response.statusCode = answer.status
    response.end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const follower = connectRegistry(`http://127.0.0.1:${port}${new URL(registryUrl).pathname}`)
  onTestFinished(async () => {
    await follower.close()
    server.closeAllConnections()
    server.close()
  })
  return { world, follower }
}

async function registerLabel() {
  const leader = connectRegistry(registryUrl)
  onTestFinished(leader.close)
  const subject = subjectOf(uniqueName('lagging'))
  const schema = readSchema('label')
  const id = await leader.register(subject, schema)
  const label = {
    transactionId: 't-1',
    eventTime: 0,
    customerId: 'C1',
    terminalId: 'T1',
    isFraud: true,
    labelTime: 1,
    source: 'chargeback',
  }
  const value = createEncoder<typeof label>(schema, id)(label)
  return { subject, schema, id, message: { offset: 0, brokerTimeMs: 0, key: null, value } }
}

it('lagging registry - denies an id at first: its events are read all the same', async () => {
  const { world, follower } = await openFollower()
  const { subject, schema, message } = await registerLabel()
  let nowMs = 0
  const decoder = createDecoder<{ transactionId: string }>(
    schema,
    (id) => follower.schemaById(id, subject),
    { nowMs: () => nowMs },
  )
  const pause = async (ms: number) => {
    nowMs += ms
    if (nowMs >= limits.schemaAbsentMs / 2) world.lags = false
  }
  const { values, rejections } = await decodeLearning([message], decoder, { attemptsMax: 3, pause })
  expect(rejections).toEqual([null])
  expect(values[0]).toMatchObject({ transactionId: 't-1' })
  expect(world.denials).toBe(10)
})

it('lagging registry - denies an id for longer than it is allowed: the event is rejected', async () => {
  const { world, follower } = await openFollower()
  const { subject, schema, message } = await registerLabel()
  let nowMs = 0
  const decoder = createDecoder(schema, (id) => follower.schemaById(id, subject), {
    nowMs: () => nowMs,
  })
  const pause = async (ms: number) => {
    nowMs += ms
  }
  const { rejections } = await decodeLearning([message], decoder, { attemptsMax: 3, pause })
  expect(rejections).toMatchObject([{ code: 'WEIR_DECODE_UNKNOWN_SCHEMA' }])
  expect(world.denials).toBe(1 + limits.schemaAbsentMs / 250)
})
