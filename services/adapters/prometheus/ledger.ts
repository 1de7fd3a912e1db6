// The books of one process: what came in, what went out, what is still inside, per stream.
//
//   received = scored + labels + rejected + diverted + skipped + inFlight  (at every moment)
//
// In: signals. Out: `read()`. `received` goes up with `received`, when events are taken in, and
// down with `abandoned`, when they are given up and will be read again; so a redelivery is received
// once in the books, whichever process ends up committing it. A lane whose commit is in doubt keeps
// its events in flight until the committed offset tells the outcome; then it says `committed` or
// `abandoned`, never both. Late events stand in `diverted` and not in `rejected` as well.
// Invariant: `difference` is 0. It is worth something only where in flight is counted elsewhere:
// the lanes give that count with `watchInFlight`, and change it in the same tick in which they emit
// the signal. Without it, in flight is what the books say and only an overdraft is a difference.

import type { RejectionCode } from '../../core/errors.ts'
import type { Signal } from '../../pipeline/observe/signals.ts'
import { type Stream, streams } from '../../pipeline/records.ts'

export type StreamBooks = {
  /** Taken in, less abandoned. */
  readonly received: number
  readonly scored: number
  readonly labels: number
  readonly rejected: number
  readonly rejectedByCode: Readonly<Record<string, number>>
  readonly diverted: number
  readonly skipped: number
  readonly flagged: { readonly review: number; readonly block: number }
  readonly braked: number
  readonly abandoned: number
  readonly inFlight: number
  readonly difference: number
  /** Of the lanes owned now; 0 until a lane has told. */
  readonly lag: number
  readonly lanes: number
}

export type CountInFlight = (stream: Stream) => number

export type Ledger = {
  readonly enter: (signal: Signal) => void
  readonly watchInFlight: (count: CountInFlight) => void
  readonly read: (stream: Stream) => StreamBooks
}

type Account = {
  takenIn: number
  abandoned: number
  scored: number
  labels: number
  rejected: number
  readonly rejectedByCode: Map<RejectionCode, number>
  diverted: number
  skipped: number
  review: number
  block: number
  braked: number
  /** Lag of each owned lane by partition. */
  readonly lags: Map<number, number>
}

const openAccount = (): Account => ({
  takenIn: 0,
  abandoned: 0,
  scored: 0,
  labels: 0,
  rejected: 0,
  rejectedByCode: new Map(),
  diverted: 0,
  skipped: 0,
  review: 0,
  block: 0,
  braked: 0,
  lags: new Map(),
})

export function createLedger(): Ledger {
  const accounts = { transactions: openAccount(), labels: openAccount() }
  let countInFlight: CountInFlight | null = null
  return {
    enter: (signal) => {
      if ('stream' in signal) enterInto(accounts[signal.stream], signal)
      if (signal.kind === 'stopped') for (const stream of streams) accounts[stream].lags.clear()
    },
    watchInFlight: (count) => {
      countInFlight = count
    },
    read: (stream) => readAccount(accounts[stream], countInFlight?.(stream) ?? null),
  }
}

function enterInto(account: Account, signal: Signal & { readonly stream: Stream }): void {
  switch (signal.kind) {
    case 'received':
      account.takenIn += signal.events
      break
    case 'abandoned':
      account.abandoned += signal.events
      break
    case 'committed':
      enterCommitted(account, signal)
      break
    case 'lane_claimed':
      // A lane that is claimed again after doubt keeps the lag that it has told.
      account.lags.set(signal.partition, account.lags.get(signal.partition) ?? 0)
      break
    case 'lane_released':
      account.lags.delete(signal.partition)
      break
    case 'lag':
      // A last word from a lane that is already gone must not bring its lag back.
      if (account.lags.has(signal.partition)) {
        account.lags.set(signal.partition, signal.events)
      }
      break
  }
}

function enterCommitted(account: Account, committed: Extract<Signal, { kind: 'committed' }>): void {
  account.scored += committed.scored
  account.labels += committed.labels
  account.diverted += committed.diverted
  account.skipped += committed.skipped
  account.review += committed.flagged.review
  account.block += committed.flagged.block
  account.braked += committed.braked
  for (const [code, events] of committed.rejected) {
    account.rejected += events
    account.rejectedByCode.set(code, (account.rejectedByCode.get(code) ?? 0) + events)
  }
}

function readAccount(account: Account, counted: number | null): StreamBooks {
  const { scored, labels, rejected, diverted, skipped, abandoned } = account
  const received = account.takenIn - abandoned
  const balance = received - scored - labels - rejected - diverted - skipped
  const inFlight = counted ?? Math.max(0, balance)
  let lag = 0
  for (const events of account.lags.values()) lag += events
  return {
    received,
    scored,
    labels,
    rejected,
    rejectedByCode: Object.fromEntries(account.rejectedByCode),
    diverted,
    skipped,
    flagged: { review: account.review, block: account.block },
    braked: account.braked,
    abandoned,
    inFlight,
    difference: balance - inFlight,
    lag,
    lanes: account.lags.size,
  }
}
