// A clock that jumps from timer to timer: hours of a world pass in milliseconds, always in one
// order.
//
// In: a start time and a source of numbers. Out: a VirtualTime; while it runs a world, setTimeout,
// setInterval, setImmediate, node:timers/promises, Date.now, performance.now and Math.random are
// its own. Between two timers all promises settle, as between two turns of the real event loop.
//
// Each timer belongs to the life that set it (AsyncLocalStorage): a process that was killed never
// wakes again, one that is frozen (a long garbage collection, a suspended machine) wakes later.
// Why not @sinonjs/fake-timers: it waits a real millisecond per timer to let promises settle.

import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire, syncBuiltinESMExports } from 'node:module'

/** One process of the world, or whatever else sets timers. */
export type Life = {
  readonly name: string
  isDead: boolean
  /** Nothing of it runs before, ms of virtual time. */
  frozenUntilMs: number
}

export type VirtualTime = {
  readonly nowMs: () => number
  /**
   * Calls back after so many ms; null is nobody in particular: servers, faults, the world itself.
   */
  readonly after: (ms: number, call: () => void, life: Life | null) => Timer
  readonly cancel: (timer: Timer) => void
  /** Until it is so; false when it is not so at the deadline. */
  readonly runUntil: (isSo: () => boolean, deadlineMs: number) => Promise<boolean>
  /** All code that `work` starts belongs to this life. */
  readonly live: <T>(life: Life, work: () => T) => T
  readonly lifeNow: () => Life | null
  readonly steps: () => number
}

type Timer = {
  readonly dueMs: number
  readonly order: number
  readonly life: Life | null
  readonly call: () => void
  isCancelled: boolean
  ref: () => Timer
  unref: () => Timer
  hasRef: () => boolean
  refresh: () => Timer
  [Symbol.toPrimitive]: () => number
}

export type { Timer }

const lives = new AsyncLocalStorage<Life>()
const realImmediate = globalThis.setImmediate
const realNow = Date.now

export const newLife = (name: string): Life => ({ name, isDead: false, frozenUntilMs: 0 })

export function createVirtualTime(startMs: number, random: () => number): VirtualTime {
  let nowMs = startMs
  let order = 0
  let steps = 0
  const queue = createTimerQueue()

  const after = (ms: number, call: () => void, life: Life | null): Timer => {
    const wait = Number.isFinite(ms) && ms > 0 ? ms : 0
    const timer = makeTimer({ dueMs: nowMs + wait, order: order++, life, call })
    queue.push(timer)
    return timer
  }

  /** A timer of a life that is dead is dropped; one of a life that is frozen is put off. */
  const fire = (timer: Timer): void => {
    if (timer.isCancelled || timer.life?.isDead === true) return
    nowMs = Math.max(nowMs, timer.dueMs)
    const frozenUntilMs = timer.life?.frozenUntilMs ?? 0
    if (frozenUntilMs > nowMs) {
      const unlessCancelled = (): void => {
        if (!timer.isCancelled) timer.call()
      }
      after(frozenUntilMs - nowMs, unlessCancelled, timer.life)
      return
    }
    try {
      if (timer.life === null) lives.exit(timer.call)
      else lives.run(timer.life, timer.call)
    } catch (error) {
      // Nobody catches what a timer throws: it is told as what ends a process.
      void Promise.reject(error)
    }
  }

  const runUntil = async (isSo: () => boolean, deadlineMs: number): Promise<boolean> => {
    const world = createReplacements({ nowMs: () => nowMs, after, random })
    world.install()
    try {
      await settlePromises()
      while (!isSo()) {
        const timer = queue.pop()
        if (timer === undefined || timer.dueMs > deadlineMs) return false
        if (timer.isCancelled) continue
        steps++
        fire(timer)
        await settlePromises()
      }
      return true
    } finally {
      world.remove()
    }
  }

  return {
    nowMs: () => nowMs,
    after,
    cancel: (timer) => {
      timer.isCancelled = true
    },
    runUntil,
    live: (life, work) => lives.run(life, work),
    lifeNow: () => lives.getStore() ?? null,
    steps: () => steps,
  }
}

/** One turn of the real loop: it begins only when no promise has anything left to do. */
const settlePromises = (): Promise<void> => new Promise((resolve) => void realImmediate(resolve))

function makeTimer(parts: Pick<Timer, 'dueMs' | 'order' | 'life' | 'call'>): Timer {
  const timer: Timer = {
    ...parts,
    isCancelled: false,
    ref: () => timer,
    unref: () => timer,
    hasRef: () => true,
    refresh: () => timer,
    [Symbol.toPrimitive]: () => parts.order,
  }
  return timer
}

/** A binary heap: the earliest first, and of equal times the one that was set first. */
function createTimerQueue() {
  const heap: Timer[] = []
  const isEarlier = (a: Timer, b: Timer): boolean =>
    a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
  const swap = (i: number, j: number): void => {
    const kept = heap[i]!
    heap[i] = heap[j]!
    heap[j] = kept
  }
  return {
    push: (timer: Timer): void => {
      let at = heap.push(timer) - 1
      while (at > 0) {
        const parent = (at - 1) >> 1
        if (!isEarlier(heap[at]!, heap[parent]!)) break
        swap(at, parent)
        at = parent
      }
    },
    pop: (): Timer | undefined => {
      const first = heap[0]
      const last = heap.pop()
      if (first === undefined || last === undefined || heap.length === 0) return first
      heap[0] = last
      for (let at = 0; ; ) {
        const left = 2 * at + 1
        if (left >= heap.length) break
        const right = left + 1
        const next = right < heap.length && isEarlier(heap[right]!, heap[left]!) ? right : left
        if (!isEarlier(heap[next]!, heap[at]!)) break
        swap(at, next)
        at = next
      }
      return first
    },
  }
}

type Time = {
  readonly random: () => number
  readonly nowMs: () => number
  readonly after: (ms: number, call: () => void, life: Life | null) => Timer
}

type Waiting = { readonly signal?: AbortSignal }

/** What a world calls in place of the real functions. */
function createReplacements({ nowMs, after, random }: Time) {
  const set = (ms: number, call: () => void): Timer => after(ms, call, lives.getStore() ?? null)
  const clear = (timer: Timer | undefined | null): void => {
    if (timer !== undefined && timer !== null) timer.isCancelled = true
  }
  const repeat = (task: (...a: unknown[]) => void, ms = 0, ...a: unknown[]): Timer => {
    const call = (): void => task(...a)
    const interval = makeTimer({ dueMs: 0, order: -1, life: lives.getStore() ?? null, call })
    const again = (): void => {
      if (interval.isCancelled) return
      set(ms, again)
      call()
    }
    set(ms, again)
    return interval
  }
  const wait = <T>(ms = 0, value?: T, { signal }: Waiting = {}): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason)
      const timer = set(ms, () => resolve(value))
      signal?.addEventListener('abort', () => {
        clear(timer)
        reject(signal.reason)
      })
    })
  const promises = createRequire(import.meta.url)('node:timers/promises') as Record<string, unknown>
  const swaps: readonly (readonly [object, string, unknown])[] = [
    [
      globalThis,
      'setTimeout',
      (call: (...a: unknown[]) => void, ms = 0, ...a: unknown[]) => set(ms, () => call(...a)),
    ],
    [globalThis, 'clearTimeout', clear],
    [globalThis, 'setInterval', repeat],
    [globalThis, 'clearInterval', clear],
    [
      globalThis,
      'setImmediate',
      (call: (...a: unknown[]) => void, ...a: unknown[]) => set(0, () => call(...a)),
    ],
    [globalThis, 'clearImmediate', clear],
    [Date, 'now', () => Math.floor(nowMs())],
    [performance, 'now', () => nowMs()],
    [Math, 'random', random],
    [promises, 'setTimeout', wait],
    [promises, 'setImmediate', (value?: unknown) => wait(0, value)],
  ]
  const kept = swaps.map(([owner, name]) => Object.getOwnPropertyDescriptor(owner, name))
  return {
    install: (): void => {
      for (const [owner, name, value] of swaps) {
        Object.defineProperty(owner, name, { value, configurable: true, writable: true })
      }
      syncBuiltinESMExports()
    },
    remove: (): void => {
      for (const [i, [owner, name]] of swaps.entries()) {
        const before = kept[i]
        if (before === undefined) Reflect.deleteProperty(owner, name)
        else Object.defineProperty(owner, name, before)
      }
      syncBuiltinESMExports()
    },
  }
}

/** The machine's own clock, for measuring how long worlds take. */
export const machineNowMs = (): number => realNow()
