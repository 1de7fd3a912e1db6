// What a run published of one partition, read beside the messages that it was made of.
//
// In: the messages of one partition of the run's scored topic. Out: the record that was made of an
// offset, or none. Refused (WEIR_ENRICH_STATE_LOST): a record that cannot be read, one of an offset
// that was not asked for, a second one of the same offset. Invariant: a lane publishes in the order
// of its offsets and alone into its partition, so one look ahead is enough, and every record is
// taken once.

import { WeirError } from '../core/errors.ts'
import { decodeOneLearning } from '../pipeline/decode/decode-learning.ts'
import { DecodeFault, type Decoder } from '../pipeline/decode/message-decoder.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { RawMessage } from '../pipeline/records.ts'

export type ScoredBook = {
  /** Asked for with growing offsets. */
  readonly take: (offset: number) => Promise<ScoredTransactionRecord | null>
  /** Nothing may be left. */
  readonly close: () => Promise<void>
}

export function openScoredBook(
  place: string,
  messages: AsyncIterable<readonly RawMessage[]>,
  decoder: Decoder<ScoredTransactionRecord>,
): ScoredBook {
  const fetches = messages[Symbol.asyncIterator]()
  let fetched: readonly RawMessage[] = []
  let index = 0
  let head: ScoredTransactionRecord | null = null

  const contradict = ({ sourceOffset }: ScoredTransactionRecord, expected: string): never => {
    const found = `found a scored event of offset ${sourceOffset}`
    throw new WeirError('WEIR_ENRICH_STATE_LOST', `${place}: ${found}, expected ${expected}.`)
  }

  const peek = async (): Promise<ScoredTransactionRecord | null> => {
    while (head === null) {
      const message = fetched[index++]
      if (message !== undefined) head = await decodeOne(message, place, decoder)
      else {
        const next = await fetches.next()
        if (next.done === true) return null
        fetched = next.value
        index = 0
      }
    }
    return head
  }

  return {
    take: async (offset) => {
      const next = await peek()
      if (next === null || next.sourceOffset > offset) return null
      if (next.sourceOffset < offset) contradict(next, `${offset}, the next that is to be scored`)
      head = null
      return next
    },
    close: async () => {
      const next = await peek()
      if (next !== null) contradict(next, 'no more of them')
    },
  }
}

async function decodeOne(
  { value, offset }: RawMessage,
  place: string,
  decoder: Decoder<ScoredTransactionRecord>,
): Promise<ScoredTransactionRecord> {
  const decoded = await decodeOneLearning(value, decoder)
  if (!(decoded instanceof DecodeFault)) return decoded
  const detail = `${place}: the scored event at offset ${offset} cannot be read: ${decoded.detail}.`
  throw new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}
