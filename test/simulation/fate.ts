// What may befall a world, and the chance that decides: one seed, one order of draws.
//
// In: a seed. Out: a Fate that is asked at every call between a client and a server. Each world has
// a few kinds of trouble, each with a rate of its own, until `calmFromMs`; then nothing happens any
// more, and the world has to come to its end. Invariant: the same seed and the same calls give the
// same answers, so a world is repeated by its seed alone.

import { createRandom, type Random } from '../support/random.ts'

/** What becomes of one call to a server. */
export type CallFate = {
  readonly kind:
    | 'done'
    | 'lost'
    | 'unheard'
    | 'silent'
    | 'killed_before'
    | 'killed_after'
    | 'frozen'
  /** On the way there and back, ms. */
  readonly thereMs: number
  readonly backMs: number
}

/** Chances per call, or per second where it says so. */
export type Troubles = {
  /** The request does not arrive: the connection is closed. */
  readonly lost: number
  /** The request is carried out, the connection is closed before the answer. */
  readonly unheard: number
  /** No answer at all, until the client gives up. */
  readonly silent: number
  /** The process is killed at the call. */
  readonly killed: number
  /** The process stands still at the call, and goes on as a zombie. */
  readonly frozen: number
  /** An answer takes long, and is overtaken. */
  readonly slow: number
}

export const calm: Troubles = { lost: 0, unheard: 0, silent: 0, killed: 0, frozen: 0, slow: 0 }

export type Fate = {
  readonly random: Random
  readonly callFate: () => CallFate
}

const kinds = ['lost', 'unheard', 'silent', 'killed', 'frozen'] as const

export function createFate(random: Random, troublesNow: () => Troubles): Fate {
  const delay = (slow: number): number =>
    random.chance(slow) ? random.integer(20, 2000) : random.integer(1, 40) / 10
  const callFate = (): CallFate => {
    const troubles = troublesNow()
    const thereMs = delay(troubles.slow)
    const backMs = delay(troubles.slow)
    for (const kind of kinds) {
      if (!random.chance(troubles[kind])) continue
      if (kind !== 'killed') return { kind, thereMs, backMs }
      return { kind: random.chance(0.5) ? 'killed_before' : 'killed_after', thereMs, backMs }
    }
    return { kind: 'done', thereMs, backMs }
  }
  return { random, callFate }
}

export const createSeededFate = (seed: number, troublesNow: () => Troubles): Fate =>
  createFate(createRandom(seed), troublesNow)
