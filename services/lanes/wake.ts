// A bell between things that happen and the loop that waits for them.
//
// A ring that comes while nobody waits is not lost: the next wait returns at once.

export type Wake = {
  readonly ring: () => void
  /** Resolves at the next ring, or after so many ms at the latest. */
  readonly wait: (msMax: number) => Promise<void>
}

export function createWake(): Wake {
  let hasRung = false
  const waiting = new Set<() => void>()
  return {
    ring: () => {
      if (waiting.size === 0) hasRung = true
      for (const resolve of waiting) resolve()
    },
    wait: (msMax) => {
      if (hasRung) {
        hasRung = false
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const finish = () => {
          clearTimeout(timer)
          waiting.delete(finish)
          resolve()
        }
        const timer = setTimeout(finish, msMax)
        waiting.add(finish)
      })
    },
  }
}
