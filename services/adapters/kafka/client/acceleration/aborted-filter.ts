// What readers of committed messages do not get: the messages of aborted transactions.
//
// In: the messages of a fetch and the aborted transactions that overlap it, by their first offsets.
// Out: the messages without theirs; markers stay, the caller drops them. Why not kafkajs' own: it
// enters one transaction per message. Where a fetch begins in the middle of two that lie side by
// side, the first message of the second one came out as if it had been committed (kafkajs 2.2.4,
// filterAbortedMessages).

type Message = {
  readonly offset: string
  readonly key: Buffer | string | null
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}
type Fetched = {
  readonly messages: readonly Message[]
  readonly abortedTransactions?: readonly {
    readonly producerId: string
    readonly firstOffset: string
  }[]
}

const ABORT_MARKER_KEY = Buffer.from([0, 0, 0, 0])

export const replaceAbortedFilter = () => filterAborted

function filterAborted({ messages, abortedTransactions = [] }: Fetched): readonly Message[] {
  if (abortedTransactions === null || abortedTransactions.length === 0) return messages
  const aborted = new Set<string>()
  let entered = 0
  return messages.filter((message) => {
    const offset = BigInt(message.offset)
    while (entered < abortedTransactions.length) {
      const { producerId, firstOffset } = abortedTransactions[entered]!
      if (offset < BigInt(firstOffset)) break
      aborted.add(producerId)
      entered++
    }
    const { producerId, inTransaction } = message.batchContext
    if (isAbortMarker(message)) {
      aborted.delete(producerId)
      return true
    }
    return !(inTransaction && aborted.has(producerId))
  })
}

const isAbortMarker = ({ key }: Message): boolean =>
  key !== null && key !== undefined && Buffer.from(key as Buffer).equals(ABORT_MARKER_KEY)
