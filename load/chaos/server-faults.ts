// Faults of servers: brokers and Redis die, hang, come back; Redis forgets; the registry is away.
//
// In: what was drawn. Out: the fault done, and the server there again. Refused: a server that does
// not come back. Brokers keep their data; whether Redis does is what the kinds of faults differ in.

import { setTimeout as pause } from 'node:timers/promises'
import type { Forgetting } from './chaos-redis.ts'
import { type ChaosWorld, drawMs, type FaultMaker } from './fault.ts'

type Ending = 'SIGTERM' | 'SIGKILL'

const endingWords = { SIGTERM: 'clean', SIGKILL: 'SIGKILL' } as const

export const restartBroker =
  (how: Ending): FaultMaker =>
  (random) => {
    const which = random.uniform()
    const awayMs = drawMs(random, 0, 3000)
    return {
      kind: `broker restart, ${endingWords[how]}`,
      words: `broker ${which.toFixed(2)} ends by ${how}, back after ${awayMs} ms`,
      strike: async ({ brokers }) => {
        const { control } = brokers[Math.floor(which * brokers.length)]!
        if (how === 'SIGTERM') await control.terminate()
        else await control.kill()
        await pause(awayMs)
        await control.start()
      },
    }
  }

export const restartRedis =
  (how: Ending): FaultMaker =>
  (random) => {
    const which = random.uniform()
    const awayMs = drawMs(random, 0, 3000)
    return {
      kind: `Redis restart, ${endingWords[how]}`,
      words: `Redis ${which.toFixed(2)} ends by ${how}, back with its data after ${awayMs} ms`,
      strike: ({ redis }) => redis.restart(how, awayMs, which),
    }
  }

/** Longer than a command may take, or not. */
export const hangRedis: FaultMaker = (random) => {
  const which = random.uniform()
  const forMs = drawMs(random, 300, 7000)
  return {
    kind: 'Redis hangs',
    words: `Redis ${which.toFixed(2)} hangs for ${forMs} ms`,
    strike: ({ redis }) => redis.hang(forMs, which),
  }
}

/** Resharding: a slot with its keys goes to another master, key by key. */
export const moveRedisSlot: FaultMaker = () => ({
  kind: 'Redis slot moves',
  words: 'a slot moves to another master',
  strike: async ({ redis }) => {
    if (redis.moveSlot === null) throw new Error('only a cluster has slots to move')
    await redis.moveSlot()
  },
})

function forgettingOf({ redis }: ChaosWorld): Forgetting {
  if (redis.forget === null) throw new Error('a cluster does not forget on demand')
  return redis.forget
}

export const loseRedis: FaultMaker = () => ({
  kind: 'Redis lost',
  words: 'Redis starts again with nothing',
  strike: (world) => forgettingOf(world).lose(),
})

export const flushRedis: FaultMaker = () => ({
  kind: 'Redis flushed',
  words: 'somebody flushes Redis',
  strike: (world) => forgettingOf(world).flush(),
})

export const fallBackRedis: FaultMaker = (random) => {
  const byMs = drawMs(random, 500, 5000)
  return {
    kind: 'Redis fell back',
    words: `Redis starts again from a snapshot ${byMs} ms old`,
    strike: (world) => forgettingOf(world).fallBack(byMs),
  }
}

export const failOverRedis: FaultMaker = (random) => {
  const behindMs = drawMs(random, 500, 4000)
  return {
    kind: 'Redis failed over',
    words: `a replica ${behindMs} ms behind takes the place of Redis`,
    strike: (world) => forgettingOf(world).failOver(behindMs),
  }
}

/**
 * Whoever runs goes on with the schemas it knows; whoever starts meanwhile has to wait or to die.
 */
export const registryAway: FaultMaker = (random) => {
  const which = random.uniform()
  const awayMs = drawMs(random, 1000, 5000)
  return {
    kind: 'registry away',
    words: `the registry is away for ${awayMs} ms, and member ${which.toFixed(2)} dies`,
    strike: async ({ wires, crew }) => {
      wires.registry.cut()
      const members = crew.running()
      members[Math.floor(which * members.length)]?.signal('SIGKILL')
      await pause(awayMs)
      wires.registry.pass()
    },
  }
}
