// The wire between a scorer and a server: what each kind of trouble does to a conversation.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { findFreePorts } from '../../../dev/stack/free-ports.ts'
import { startTcpProxy, type TcpProxy } from '../../../load/chaos/tcp-proxy.ts'
import { waitFor } from '../../support/wait-for.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Answers everything with its name and what it got. */
async function startEcho(name: string): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => socket.write(`${name}:${bytes}`))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function startProxy(target: number): Promise<TcpProxy> {
  const [port = 0] = await findFreePorts(1)
  const proxy = await startTcpProxy({ port, target })
  closers.push(() => proxy.close())
  return proxy
}

function open(port: number) {
  const socket = connect({ port, host: '127.0.0.1' })
  closers.push(() => void socket.destroy())
  let text = ''
  let isClosed = false
  socket.on('data', (bytes) => {
    text += bytes
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    isClosed = true
  })
  return {
    say: (words: string) => socket.write(words),
    heard: () => text,
    isClosed: () => isClosed,
    untilHeard: (words: string) =>
      waitFor(
        () => text.includes(words),
        () => `heard ${text}`,
      ),
    untilClosed: () =>
      waitFor(
        () => isClosed,
        () => 'still open',
      ),
  }
}

/** A round trip on another connection: what would have come, has come by then. */
async function untilOthersSpoke(port: number): Promise<void> {
  const other = open(port)
  other.say('probe')
  await other.untilHeard('probe')
}

describe('tcp proxy', () => {
  it('pass - carries large bodies whole and in order, both ways', async () => {
    const proxy = await startProxy(await startEcho(''))
    const one = open(proxy.port)
    const body = Array.from({ length: 200_000 }, (_, i) => String(i)).join(',')
    one.say(body)
    await waitFor(
      () => one.heard().replaceAll(':', '').length >= body.length,
      () => `${one.heard().length} of ${body.length}`,
    )
    expect(one.heard().replaceAll(':', '')).toBe(body)
  })

  it('cut - ends what is open, refuses what is new, and passes again', async () => {
    const proxy = await startProxy(await startEcho('a'))
    const one = open(proxy.port)
    one.say('hello')
    await one.untilHeard('a:hello')
    proxy.cut()
    await one.untilClosed()
    const refused = open(proxy.port)
    await refused.untilClosed()
    proxy.pass()
    await untilOthersSpoke(proxy.port)
    expect(refused.heard()).toBe('')
  })

  it('stall - holds the bytes back, and delivers them when it passes', async () => {
    const target = await startEcho('a')
    const proxy = await startProxy(target)
    const one = open(proxy.port)
    one.say('first')
    await one.untilHeard('a:first')
    proxy.stall()
    one.say('second')
    await untilOthersSpoke(target)
    expect(one.heard()).toBe('a:first')
    proxy.pass()
    await one.untilHeard('a:second')
    expect(one.isClosed()).toBe(false)
  })

  it('abandon - leaves connections open and silent for ever, new ones work', async () => {
    const proxy = await startProxy(await startEcho('a'))
    const one = open(proxy.port)
    one.say('first')
    await one.untilHeard('a:first')
    proxy.abandon()
    one.say('second')
    await untilOthersSpoke(proxy.port)
    expect(one.heard()).toBe('a:first')
    expect(one.isClosed()).toBe(false)
  })

  it('delay - is late by at least that much', async () => {
    const proxy = await startProxy(await startEcho('a'))
    proxy.delay(60)
    const startedMs = performance.now()
    const one = open(proxy.port)
    one.say('hello')
    await one.untilHeard('a:hello')
    // Once in each direction; a slow machine only makes it more.
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(115)
  })

  it('retarget - the next conversation is with the other server', async () => {
    const proxy = await startProxy(await startEcho('a'))
    const one = open(proxy.port)
    one.say('hello')
    await one.untilHeard('a:hello')
    proxy.retarget(await startEcho('b'))
    await one.untilClosed()
    const two = open(proxy.port)
    two.say('hello')
    await two.untilHeard('b:hello')
    expect(proxy.connectionCount()).toBe(1)
  })
})
