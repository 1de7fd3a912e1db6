// A start that waits for what is outside: everything opened at once, or closed again and tried
// anew.
//
//   open ─► begin ─► running
//     └──────┴── away? close what was opened ─► `waiting`, a pause ─► open
//
// In: how to open and to begin, the place, a signal that ends the waiting. Out: what was opened,
// and how to close it. Thrown as it comes, for waiting does not help: settings, a place or a model
// that is refused, and our own mistakes; the signal's reason, at once and in the middle of opening
// too. Invariant: nothing of an attempt that failed stays open.

import { setTimeout as wait } from 'node:timers/promises'
import { translateKafka } from '../adapters/kafka/client/broker-answer.ts'
import { type ErrorCode, WeirError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { readRedisUrls } from '../core/redis-urls.ts'
import { type Failure, retrying } from '../core/retrying.ts'
import type { Settings } from '../core/settings.ts'
import { createClosers } from '../environment/closers.ts'
import type { Observe, System } from '../pipeline/observe/signals.ts'

type Start<T> = {
  readonly open: (add: (close: () => Promise<void>) => void) => Promise<T>
  /** What lets others see that this process is there: it is never cut short. */
  readonly begin: (opened: T) => Promise<void>
  readonly settings: Pick<Settings, 'kafka' | 'redis' | 'registry' | 'models'>
  readonly observe: Observe
  /** Told of what did not close. */
  readonly tell: (error: unknown) => void
  readonly signal: AbortSignal
}

type Opened<T> = { readonly opened: T; readonly closeAll: () => Promise<void> }

const FIRST_PAUSE_MS = 500

/** The systems whose absence is waited for, by the code that tells it. */
const awaited: { readonly [C in ErrorCode]?: Exclude<System, 'inference'> } = {
  WEIR_KAFKA_AWAY: 'kafka',
  WEIR_ENRICH_STORE_AWAY: 'redis',
  WEIR_REGISTRY_AWAY: 'registry',
  WEIR_CLASSIFY_REGISTRY_AWAY: 'mlflow',
}

export function openWhenThere<T>(start: Start<T>): Promise<Opened<T>> {
  const { settings, observe, signal } = start
  return retrying(() => openOnce(start), {
    isPassing: (error) => troublesOf(error) !== null,
    onFailure: (failure) => tellWaiting(failure, settings, observe),
    pauseMsMin: FIRST_PAUSE_MS,
    pauseMsMax: limits.startPauseMsMax,
    pause: (ms, ending) => wait(ms, undefined, { signal: ending }).catch(() => undefined),
    signal,
  })
}

async function openOnce<T>({ open, begin, signal, tell }: Start<T>): Promise<Opened<T>> {
  const { add, closeAll } = createClosers(tell)
  const opening = translateKafka(() => open(add))
  try {
    const opened = await unlessAborted(opening, signal)
    await translateKafka(() => begin(opened))
    return { opened, closeAll }
  } catch (error) {
    // Where it was cut short, whatever is still being opened is closed when it is there.
    if (signal.aborted) void opening.catch(() => undefined).then(closeAll)
    else await closeAll()
    throw error
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const stop = (): void => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

type Trouble = { readonly system: Exclude<System, 'inference'>; readonly error: WeirError }

/** All that is away; null where any of it is something else. */
function troublesOf(error: unknown): readonly Trouble[] | null {
  const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
  const troubles: Trouble[] = []
  for (const one of errors) {
    const system = one instanceof WeirError ? awaited[one.code] : undefined
    if (system === undefined) return null
    troubles.push({ system, error: one as WeirError })
  }
  return troubles
}

function tellWaiting(
  { error, attempt, nextTryMs }: Failure,
  settings: Start<unknown>['settings'],
  observe: Observe,
): void {
  for (const { system, error: trouble } of troublesOf(error) ?? []) {
    const { code, message: detail } = trouble
    const address = addressOf(system, settings)
    observe({ kind: 'waiting', system, address, attempt, code, detail, nextTryMs })
  }
}

/** Where it was looked for, without credentials. */
function addressOf(system: Trouble['system'], settings: Start<unknown>['settings']): string {
  const { kafka, redis, registry, models } = settings
  const hostOf = (url: string): string => URL.parse(url)?.host ?? ''
  switch (system) {
    case 'kafka':
      return kafka.brokers.join(', ')
    case 'redis':
      return (readRedisUrls(redis.url) ?? []).map(hostOf).join(', ')
    case 'registry':
      return hostOf(registry.url)
    case 'mlflow':
      return hostOf(models.mlflow?.url ?? '')
  }
}
