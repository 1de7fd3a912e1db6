// A wire that can be hurt: everything between a scorer and one server goes through it.
//
// In: a port to listen on, a port of this machine to forward to. Out: what a network may do:
//   pass      as it should be                        delay     bytes arrive so much later
//   cut       connections end, new ones are refused  stall     bytes wait, and come when it passes
//   abandon   the far side forgot the connections of now: they stay open and are silent for ever
// Refused: nothing; what one side does to its connection is done to the other. Invariant: bytes are
// never doubled or reordered, and lost only with their connection.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export type TcpProxy = {
  readonly port: number
  readonly pass: () => void
  readonly delay: (delayMs: number) => void
  readonly cut: () => void
  readonly stall: () => void
  readonly abandon: () => void
  /** New connections go there; those of now are cut, as their server is another one. */
  readonly retarget: (port: number) => void
  readonly connectionCount: () => number
  readonly close: () => Promise<void>
}

type Mode =
  | { readonly kind: 'pass' | 'cut' | 'stall' }
  | { readonly kind: 'delay'; readonly delayMs: number }

type Wire = { readonly near: Socket; readonly far: Socket; isAbandoned: boolean }

export async function startTcpProxy(options: {
  readonly port: number
  readonly target: number
}): Promise<TcpProxy> {
  const wires = new Set<Wire>()
  let mode: Mode = { kind: 'pass' }
  let target = options.target
  let turned = Promise.withResolvers<void>()

  const turn = (next: Mode): void => {
    mode = next
    turned.resolve()
    turned = Promise.withResolvers()
  }

  const dropAll = (): void => {
    for (const wire of wires) drop(wire)
  }

  const untilPassable = async (): Promise<void> => {
    if (mode.kind === 'delay') await pause(mode.delayMs)
    while (mode.kind === 'stall') await turned.promise
  }

  const server = createServer((near) => {
    if (mode.kind === 'cut') {
      near.resetAndDestroy()
      return
    }
    const far = connect({ port: target, host: '127.0.0.1' })
    const wire: Wire = { near, far, isAbandoned: false }
    wires.add(wire)
    near.once('close', () => wires.delete(wire))
    void copy(wire, near, far, untilPassable)
    void copy(wire, far, near, untilPassable)
  })
  server.listen({ port: options.port, host: '127.0.0.1' })
  await once(server, 'listening')
  return {
    port: options.port,
    pass: () => turn({ kind: 'pass' }),
    delay: (delayMs) => turn({ kind: 'delay', delayMs }),
    cut: () => {
      turn({ kind: 'cut' })
      dropAll()
    },
    stall: () => turn({ kind: 'stall' }),
    abandon: () => {
      for (const wire of wires) {
        wire.isAbandoned = true
        wire.far.destroy()
      }
    },
    retarget: (port) => {
      target = port
      dropAll()
    },
    connectionCount: () => wires.size,
    close: async () => {
      server.close()
      dropAll()
      turn({ kind: 'pass' })
      await once(server, 'close')
    },
  }
}

/** In order: a piece is read only when the one before it has gone on its way. */
async function copy(
  wire: Wire,
  from: Socket,
  to: Socket,
  untilPassable: () => Promise<void>,
): Promise<void> {
  from.setNoDelay(true)
  // A failure also ends the iteration below; without a listener it would end this process.
  from.on('error', () => undefined)
  try {
    for await (const bytes of from as AsyncIterable<Buffer>) {
      await untilPassable()
      if (wire.isAbandoned) continue
      if (!to.write(bytes)) await Promise.race([once(to, 'drain'), once(to, 'close')])
    }
    if (!wire.isAbandoned) to.end()
  } catch {
    if (!wire.isAbandoned) drop(wire)
  }
}

function drop({ near, far }: Wire): void {
  near.resetAndDestroy()
  far.destroy()
}
