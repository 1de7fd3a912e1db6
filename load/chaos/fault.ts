// What a fault is, and what it may touch.
//
// Types only. A fault is drawn from a seed before the campaign begins, all of it: its words say
// everything that was drawn. So the same seed gives the same schedule on any machine; what becomes
// of it there is the experiment.

import type { FaultBroker } from '../../dev/stack/fault-stack.ts'
import type { RandomStream } from '../generator/random.ts'
import type { ChaosRedis } from './chaos-redis.ts'
import type { ChaosTraffic } from './chaos-traffic.ts'
import type { Crew } from './crew.ts'
import type { TcpProxy } from './tcp-proxy.ts'

export type ChaosWorld = {
  readonly crew: Crew
  readonly brokers: readonly FaultBroker[]
  readonly redis: ChaosRedis
  readonly wires: { readonly kafka: readonly TcpProxy[]; readonly registry: TcpProxy }
  readonly traffic: ChaosTraffic
  /** After this long without a heartbeat the group gives a scorer's lanes to others. */
  readonly sessionMs: number
}

export type Fault = {
  /** One word or two for the table. */
  readonly kind: string
  /** All that was drawn. */
  readonly words: string
  /** Resolves when it is over; recovery begins then. */
  readonly strike: (world: ChaosWorld) => Promise<void>
}

export type FaultMaker = (random: RandomStream) => Fault

/** Durations are drawn in steps that can be read. */
export const drawMs = (random: RandomStream, low: number, high: number): number =>
  Math.round(random.between(low, high) / 50) * 50
