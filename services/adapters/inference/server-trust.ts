// The circuit breaker: whether the inference server is asked, or left alone until it was examined.
//
//   trusted ──(remoteFailuresMax failures in a row, or one wrong answer)──► doubted
//      ▲                                                                       │ remotePauseMs
//      └────────────────────── whole examination passed ◄──────────────────────┘ and again
//
// In: how calls ended. Out: `isTrusted`, and signals. No live batch is ever the trial: what is
// doubted is examined like at the start, golden vectors included, because who comes back may be
// another model. Refused at `begin`: a server that answers wrongly; one that is away begins
// doubted. Invariant: at most one examination at a time, and none after `close`.

import { setTimeout as pause } from 'node:timers/promises'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Observe } from '../../pipeline/observe/signals.ts'

type ServerTrustOptions = {
  readonly examine: () => Promise<void>
  readonly observe: Observe
  readonly pauseMs?: number
}

export class ServerTrust {
  /** Why the server is not asked; null while it is trusted. */
  doubt: WeirError | null = null
  #failures = 0
  readonly #examine: () => Promise<void>
  readonly #observe: Observe
  readonly #pauseMs: number
  readonly #closed = new AbortController()

  constructor({ examine, observe, pauseMs = limits.remotePauseMs }: ServerTrustOptions) {
    this.#examine = examine
    this.#observe = observe
    this.#pauseMs = pauseMs
  }

  async begin(): Promise<void> {
    try {
      await this.#examine()
      this.#tell('up', '')
    } catch (error) {
      const trouble = remoteTrouble(error)
      if (trouble?.code !== 'WEIR_CLASSIFY_REMOTE_AWAY') throw error
      this.#lose(trouble)
    }
  }

  succeeded(): void {
    this.#failures = 0
  }

  failed(trouble: WeirError): void {
    if (this.doubt !== null) return
    this.#failures++
    const isWrong = trouble.code === 'WEIR_CLASSIFY_REMOTE_WRONG'
    if (isWrong || this.#failures >= limits.remoteFailuresMax) this.#lose(trouble)
  }

  close(): void {
    this.#closed.abort()
  }

  #lose(trouble: WeirError): void {
    this.doubt = trouble
    this.#tell('down', trouble.message)
    // Ends with `close`; what else it may throw is a mistake of ours, and is met as one.
    void this.#regain()
  }

  async #regain(): Promise<void> {
    const { signal } = this.#closed
    for (let attempt = 1; ; attempt++) {
      await pause(this.#pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return
      try {
        await this.#examine()
      } catch (error) {
        const trouble = remoteTrouble(error)
        if (trouble === null) throw error
        this.doubt = trouble
        const { code, message: detail } = trouble
        this.#observe({ kind: 'retried', operation: 'examine_server', attempt, code, detail })
        continue
      }
      if (signal.aborted) return
      this.doubt = null
      this.#failures = 0
      this.#tell('up', `after ${attempt} examinations`)
      return
    }
  }

  #tell(state: 'up' | 'down', detail: string): void {
    this.#observe({ kind: 'connection', system: 'inference', state, detail })
  }
}

/** Null where it is no trouble with the server. */
export function remoteTrouble(error: unknown): WeirError | null {
  if (!(error instanceof WeirError)) return null
  const { code } = error
  const isRemote = code === 'WEIR_CLASSIFY_REMOTE_AWAY' || code === 'WEIR_CLASSIFY_REMOTE_WRONG'
  return isRemote ? error : null
}
