// Faults of the network between scorers and one system: late, cut, stalled, half open.
//
// In: what was drawn. Out: the fault done, and the wire as it should be again, but for connections
// that the far side has forgotten: those stay silent until the scorer gives them up.

import { setTimeout as pause } from 'node:timers/promises'
import { type ChaosWorld, drawMs, type FaultMaker } from './fault.ts'
import type { TcpProxy } from './tcp-proxy.ts'

type WiredSystem = 'Kafka' | 'Redis'

const wiresOf = ({ wires, redis }: ChaosWorld, system: WiredSystem): readonly TcpProxy[] =>
  system === 'Kafka' ? wires.kafka : redis.wires

type Trouble = {
  readonly words: string
  readonly begin: (wire: TcpProxy) => void
  readonly ms: readonly [low: number, high: number]
}

const troubles = {
  cut: { words: 'is cut', begin: (wire) => wire.cut(), ms: [50, 6000] },
  stall: { words: 'delivers nothing', begin: (wire) => wire.stall(), ms: [200, 8000] },
  'half open': {
    words: 'has forgotten its connections, and takes no new ones',
    begin: (wire) => {
      wire.abandon()
      wire.stall()
    },
    ms: [50, 1000],
  },
} as const satisfies Readonly<Record<string, Trouble>>

export const disturbWire =
  (system: WiredSystem, name: keyof typeof troubles): FaultMaker =>
  (random) => {
    const { words, begin, ms } = troubles[name]
    const forMs = drawMs(random, ms[0], ms[1])
    return {
      kind: `${system} ${name}`,
      words: `the wire to ${system} ${words} for ${forMs} ms`,
      strike: async (world) => {
        for (const wire of wiresOf(world, system)) begin(wire)
        await pause(forMs)
        for (const wire of wiresOf(world, system)) wire.pass()
      },
    }
  }

export const slowWire =
  (system: WiredSystem): FaultMaker =>
  (random) => {
    const delayMs = drawMs(random, 50, 400)
    const forMs = drawMs(random, 1000, 5000)
    return {
      kind: `${system} slow`,
      words: `each piece to and from ${system} is ${delayMs} ms late for ${forMs} ms`,
      strike: async (world) => {
        for (const wire of wiresOf(world, system)) wire.delay(delayMs)
        await pause(forMs)
        for (const wire of wiresOf(world, system)) wire.pass()
      },
    }
  }
