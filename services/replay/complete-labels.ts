// Labels that name a transaction by its id alone, made whole.
//
// In: both streams in the order of time, of the transactions only what labels repeat. Out: the
// labels in their order with event time and entities' keys of the transaction with their id.
// Refused row by row: a label before its transaction, without one, or later than `keptMsMax` after
// it, when no window holds the transaction any more. Invariants: which labels are refused follows
// from the times alone; memory holds the keys of the last `keptMsMax`, as a transaction may be
// labelled again.

import type { FileEvent } from '../adapters/event-files/event-block.ts'
import type { BareLabel, TransactionKeys } from '../adapters/event-files/row-mappings.ts'
import type { Label } from '../pipeline/records.ts'

type Blocks<T> = AsyncGenerator<readonly FileEvent<T>[], void, undefined>

export async function* completeLabels(
  labels: Blocks<BareLabel>,
  transactions: Blocks<TransactionKeys>,
  keptMsMax: number,
): Blocks<Label> {
  const register = createRegister(transactions, keptMsMax)
  for await (const events of labels) {
    const completed: FileEvent<Label>[] = []
    for (const event of events) {
      // A promise per label would cost more than the label.
      if (register.isBehind(event.timeMs)) await register.advanceTo(event.timeMs)
      completed.push(complete(event, register.find(event)))
    }
    yield completed
  }
}

function complete(event: FileEvent<BareLabel>, keys: TransactionKeys | null): FileEvent<Label> {
  const { value } = event
  if (value === null) return { ...event, value }
  if (keys === null) {
    const detail = 'found no transaction of this id in reach before the label'
    return { ...event, value: null, fault: { code: 'WEIR_DECODE_NO_TRANSACTION', detail } }
  }
  return { ...event, value: { ...keys, ...value } }
}

/** Transactions up to a moment, the oldest first. */
function createRegister(transactions: Blocks<TransactionKeys>, keptMsMax: number) {
  const kept = new Map<string, TransactionKeys>()
  let events: readonly FileEvent<TransactionKeys>[] = []
  let index = 0
  let isAtEnd = false

  const forgetBefore = (timeMs: number): void => {
    for (const [id, { eventTime }] of kept) {
      if (eventTime >= timeMs) return
      kept.delete(id)
    }
  }

  return {
    isBehind: (timeMs: number): boolean =>
      !isAtEnd && (index === events.length || events[index]!.timeMs <= timeMs),
    advanceTo: async (timeMs: number): Promise<void> => {
      while (!isAtEnd) {
        for (; index < events.length; index++) {
          const { value, timeMs: eventTimeMs } = events[index]!
          if (eventTimeMs > timeMs) return
          if (value !== null) kept.set(value.transactionId, value)
        }
        forgetBefore(timeMs - keptMsMax)
        const next = await transactions.next()
        isAtEnd = next.done === true
        events = next.done ? [] : next.value
        index = 0
      }
    },
    find: ({ value, timeMs }: FileEvent<BareLabel>): TransactionKeys | null => {
      const keys = value === null ? undefined : kept.get(value.transactionId)
      return keys === undefined || keys.eventTime < timeMs - keptMsMax ? null : keys
    },
  }
}
