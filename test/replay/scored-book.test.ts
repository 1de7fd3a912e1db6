// What a run published, looked up event by event: each record once, none left, none of elsewhere.

import { expect, it } from 'vitest'
import type { Decoder } from '../../services/pipeline/decode/message-decoder.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import type { RawMessage } from '../../services/pipeline/records.ts'
import { openScoredBook } from '../../services/replay/scored-book.ts'

const decoder = {
  decode: (value: Buffer) => ({ sourceOffset: value[0] }) as ScoredTransactionRecord,
} as unknown as Decoder<ScoredTransactionRecord>

async function* fetchesOf(offsets: readonly number[]): AsyncGenerator<readonly RawMessage[]> {
  for (const offset of offsets) {
    yield [{ offset: 0, brokerTimeMs: 0, key: null, value: Buffer.from([offset]) }]
  }
}

const bookOf = (...offsets: number[]) => openScoredBook('scored/0', fetchesOf(offsets), decoder)

it('scored book - gives the record of an offset, and none where none was made', async () => {
  const book = bookOf(3, 5)
  expect(await book.take(3)).toMatchObject({ sourceOffset: 3 })
  expect(await book.take(4)).toBeNull()
  expect(await book.take(5)).toMatchObject({ sourceOffset: 5 })
  expect(await book.take(6)).toBeNull()
  await book.close()
})

it.each([
  ['a second record of an offset', [3, 3], [3, 4]],
  ['a record of an offset that is not to be scored', [3], [4]],
])('scored book - refuses %s', async (_, published, asked) => {
  const book = bookOf(...published)
  const takeAll = async () => {
    for (const offset of asked) await book.take(offset)
  }
  await expect(takeAll()).rejects.toMatchObject({ code: 'WEIR_ENRICH_STATE_LOST' })
})

it('scored book - refuses to leave records behind', async () => {
  const book = bookOf(3, 5)
  await book.take(3)
  await expect(book.close()).rejects.toMatchObject({ code: 'WEIR_ENRICH_STATE_LOST' })
})
