// Whether a server really answers, not merely accepts a connection.
//
// In: an address. Out: nothing when it answered as it should; otherwise an error that says why not.
// The question to Kafka is written to a plain socket: the scorer puts faster functions into kafkajs
// before kafkajs is first loaded, so the code that brings up the stack must not load it earlier.

import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'

const answerMs = 3_000
const betweenTriesMs = 100

/**
 * Kafka, Metadata v4 for no topics:
 *   request   size i32 | key i16 = 3 | version i16 = 4 | correlation i32 | client string16
 *             | topics i32 count = 0 | allow auto creation i8 = 0
 *   response  size i32 | correlation i32 | throttle i32 | brokers i32 count | ...
 */
export async function askKafka(address: string): Promise<void> {
  const client = Buffer.from('weir-stack')
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + 4 + 1)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(3, 4)
  request.writeInt16BE(4, 6)
  request.writeInt32BE(1, 8)
  request.writeInt16BE(client.length, 12)
  client.copy(request, 14)
  const answer = await exchange(address, request, 16)
  const brokerCount = answer.readInt32BE(12)
  if (brokerCount < 1) throw new Error(`the cluster at ${address} reports no broker yet`)
}

function exchange(address: string, request: Buffer, sizeMin: number): Promise<Buffer> {
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? []
  if (!port) return Promise.reject(new Error(`found '${address}', expected host:port`))
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) })
    let received = Buffer.alloc(0)
    const finish = (settle: () => void) => {
      socket.destroy()
      settle()
    }
    socket.setTimeout(answerMs, () => finish(() => reject(new Error(`${address} is silent`))))
    socket.once('error', (error) => finish(() => reject(error)))
    socket.once('end', () => finish(() => reject(new Error(`${address} hung up`))))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length >= sizeMin) finish(() => resolve(received))
    })
    socket.once('connect', () => socket.write(request))
  })
}

export async function askRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: answerMs,
    commandTimeout: answerMs,
    maxRetriesPerRequest: 0,
  })
  // The same trouble also rejects connect() or ping(); without a listener it would be printed too.
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    await redis.ping()
  } finally {
    redis.disconnect()
  }
}

export async function askRegistry(url: string): Promise<void> {
  const response = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(answerMs) })
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`${url}/subjects answered ${response.status}, expected 200`)
}

/** Asks until the answer is right; throws the last reason when the deadline has passed. */
export async function waitForAnswer(ask: () => Promise<void>, deadlineMs: number): Promise<void> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() >= deadline) throw error
      await pause(betweenTriesMs)
    }
  }
}
