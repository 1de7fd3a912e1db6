// The way between a process and a server: where requests and answers are late, lost or overtaken,
// and where processes are killed and frozen.
//
// In: a call to a server. Out: its answer, if the process lives to hear it. What is thrown is the
// error that the client library of that server would make of it. Invariants: the server acts once
// or not at all; a process that was killed hears nothing any more, and one that was frozen hears
// late.

import type { Fate } from './fate.ts'
import type { Trace } from './trace.ts'
import type { Life, VirtualTime } from './virtual-time.ts'

export type Wire = {
  readonly time: VirtualTime
  readonly fate: Fate
  readonly trace: Trace
  /** Ends a process, as its machine or its operator would. */
  readonly kill: (life: Life, why: string) => void
}

export type Failures = {
  /** The connection was refused or closed. */
  readonly closed: () => Error
  /** Nothing was heard for `silenceMs`. */
  readonly silent: () => Error
  readonly silenceMs: number
  /** Whether the server can be reached now. */
  readonly isAway: () => boolean
  /** Whether it has fallen silent: connected, and nothing comes back. */
  readonly isSilent?: () => boolean
}

type Act<T> = () => T | Promise<T>

export type Call = (name: string, failures: Failures) => <T>(act: Act<T>) => Promise<T>

/** Calls of one process. */
export function createCall(life: Life, { time, fate, trace, kill }: Wire): Call {
  return (name, failures) =>
    <T>(act: Act<T>) =>
      new Promise<T>((resolve, reject) => {
        if (life.isDead) return
        const drawn = fate.callFate()
        const { thereMs, backMs } = drawn
        const kind = failures.isSilent?.() === true ? 'silent' : drawn.kind
        const isAway = failures.isAway()
        trace.tell(
          `${life.name} ${name}${kind === 'done' ? '' : ` ${kind}`}${isAway ? ' away' : ''}`,
        )
        const hear = (ms: number, tell: () => void) => void time.after(ms, tell, life)
        const carryOut = (): void => {
          void time.after(
            thereMs,
            () => {
              if (failures.isAway()) return hear(backMs, () => reject(failures.closed()))
              settle(act, (tell) => hear(backMs, tell), { resolve, reject })
            },
            null,
          )
        }
        const actUnheard = () =>
          void time.after(thereMs, () => settle(act, () => undefined, null), null)
        if (isAway || kind === 'lost') return hear(thereMs, () => reject(failures.closed()))
        if (kind === 'silent') {
          if (fate.random.chance(0.5)) actUnheard()
          return hear(failures.silenceMs, () => reject(failures.silent()))
        }
        if (kind === 'unheard') {
          actUnheard()
          return hear(thereMs + backMs, () => reject(failures.closed()))
        }
        if (kind === 'killed_before' || kind === 'killed_after') {
          if (kind === 'killed_after') actUnheard()
          return kill(life, `killed at ${name}`)
        }
        if (kind === 'frozen') {
          life.frozenUntilMs = time.nowMs() + fate.random.integer(500, 25_000)
          trace.tell(`${life.name} stands still for ${life.frozenUntilMs - time.nowMs()} ms`)
        }
        carryOut()
      })
}

type Settle<T> = { readonly resolve: (value: T) => void; readonly reject: (error: unknown) => void }

/** Servers answer at once or later, and refuse by throwing. */
function settle<T>(act: Act<T>, answer: (tell: () => void) => void, to: Settle<T> | null): void {
  new Promise<T>((resolve) => resolve(act())).then(
    (value) => answer(() => to?.resolve(value)),
    (error: unknown) => answer(() => to?.reject(error)),
  )
}
