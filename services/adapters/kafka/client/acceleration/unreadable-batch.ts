// What stands for a record batch that cannot be read: one message with all of the batch's bytes.
//
// In: the batch as it was fetched, what its header says, and the fault. Out: a message at the
// batch's last offset, so that whoever reads on goes on behind the batch, wherever in it the fetch
// began. Why one and not one per offset: 30 kB can claim millions of records, and nobody can tell
// what is in them. Invariant: of an aborted transaction, the message is filtered out like its
// neighbours.

import { limits } from '../../../../core/limits.ts'
import { UnpackFault } from '../unpack-fault.ts'
import type { BatchContext, IncomingMessage } from './record-decoding.ts'

type BatchHead = BatchContext & {
  readonly lastOffsetDelta: number
  readonly maxTimestamp: string
}

const RECORD_BYTES_MIN = 7

/** Before anything is made per record. */
export function demandCount(count: number, bytes: number): void {
  if (count > limits.batchRecordsMax) {
    const most = `${limits.batchRecordsMax} (batchRecordsMax)`
    throw new UnpackFault(`a batch of ${count} records, expected at most ${most}`)
  }
  if (count * RECORD_BYTES_MIN > bytes) {
    throw new UnpackFault(`${bytes} bytes cannot hold the ${count} records that they claim`)
  }
}

export function unreadableBatch(bytes: Buffer, head: BatchHead, cause: Error): IncomingMessage {
  const firstOffset = Number(head.firstOffset)
  const lastOffset = firstOffset + Math.max(0, head.lastOffsetDelta)
  const detail = `the record batch of offsets ${firstOffset} to ${lastOffset} cannot be read: ${cause.message}`
  return {
    magicByte: head.magicByte,
    attributes: 0,
    timestamp: head.maxTimestamp,
    offset: String(lastOffset),
    key: null,
    value: bytes,
    headers: {},
    isControlRecord: head.isControlBatch,
    batchContext: head,
    unreadable: { firstOffset, detail },
  }
}
