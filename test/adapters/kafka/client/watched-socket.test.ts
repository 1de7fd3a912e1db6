// A connection that has fallen silent is given up; an idle one, and one that still speaks, is kept.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findFreePorts } from '../../../../dev/stack/free-ports.ts'
import { startTcpProxy } from '../../../../load/chaos/tcp-proxy.ts'
import { createKafka } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import {
  createFrameCounter,
  createSocketFactory,
} from '../../../../services/adapters/kafka/client/watched-socket.ts'
import { createRandom } from '../../../support/random.ts'
import { silentLogger } from '../../../support/silent-logger.ts'
import { testStack } from '../../../support/stack.ts'
import { waitFor } from '../../../support/wait-for.ts'

const frameOf = (size: number): Buffer => {
  const frame = Buffer.alloc(4 + size, 0xff)
  frame.writeInt32BE(size, 0)
  return frame
}

/** A server that answers, says something else, or nothing. */
async function startServer(hear: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => hear(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

async function openSocket(port: number, silenceMsMax: number) {
  const { promise: connected, resolve } = Promise.withResolvers<void>()
  const host = '127.0.0.1'
  const socket = createSocketFactory(silenceMsMax)({
    host,
    port,
    ssl: undefined as never,
    onConnect: resolve,
  }) as Socket
  const errors: string[] = []
  socket.on('error', ({ message }) => errors.push(message))
  onTestFinished(() => void socket.destroy())
  await connected
  return { socket, errors }
}

describe('frame counter', () => {
  it('counts frames however they are cut', () => {
    const random = createRandom(7)
    for (let round = 0; round < 200; round++) {
      const sizes = Array.from({ length: random.integer(1, 20) }, () => random.integer(0, 300))
      const bytes = Buffer.concat(sizes.map(frameOf))
      const count = createFrameCounter()
      let frames = 0
      for (let at = 0; at < bytes.length; ) {
        const next = at + random.integer(1, 200)
        frames += count(bytes.subarray(at, next))
        at = next
      }
      expect(frames, `round ${round} of seed 7`).toBe(sizes.length)
    }
  })
})

describe('watched socket', () => {
  it('is given up with requests open and nothing heard', async () => {
    const { socket, errors } = await openSocket(await startServer(() => undefined), 100)
    socket.write(frameOf(10))
    socket.write(frameOf(10))
    await waitFor(
      () => socket.destroyed,
      () => 'still open',
    )
    expect(errors).toEqual(['2 requests and nothing heard for 100 ms'])
  })

  it('is kept when everything is answered, or as long as anything comes', async () => {
    const answering = await openSocket(await startServer((s) => s.write(frameOf(5))), 20)
    answering.socket.write(frameOf(10))
    await once(answering.socket, 'data')
    // Pieces of one long answer, each within the time.
    const slow = await openSocket(
      await startServer((socket) => {
        socket.write(frameOf(1_000_000).subarray(0, 4))
        const timer = setInterval(() => socket.write(Buffer.alloc(10)), 10)
        socket.once('close', () => clearInterval(timer))
      }),
      2000,
    )
    slow.socket.write(frameOf(10))
    // A third one is given up meanwhile, several times over: so long was the wait.
    for (let i = 0; i < 5; i++) {
      const silent = await openSocket(await startServer(() => undefined), 100)
      silent.socket.write(frameOf(10))
      await waitFor(
        () => silent.socket.destroyed,
        () => 'still open',
      )
    }
    expect(answering.errors).toEqual([])
    expect(answering.socket.destroyed).toBe(false)
    expect(slow.errors).toEqual([])
  })

  it('lets kafkajs connect anew where the far side has forgotten the connection', async () => {
    const { kafkaBrokers } = await testStack()
    const target = Number(kafkaBrokers[0]!.split(':')[1])
    const [port = 0] = await findFreePorts(1)
    const proxy = await startTcpProxy({ port, target })
    onTestFinished(() => proxy.close())
    const kafka = createKafka({
      brokers: [`127.0.0.1:${port}`],
      clientId: 'forgotten',
      logger: silentLogger,
      // The request itself would fail much later than the connection is given up.
      requestTimeoutMs: 40_000,
      silenceMsMax: 300,
    })
    const admin = kafka.admin()
    await admin.connect()
    onTestFinished(() => admin.disconnect())
    await admin.listTopics()
    proxy.abandon()
    expect(proxy.connectionCount()).toBe(1)
    expect(Array.isArray(await admin.listTopics())).toBe(true)
  })
})
