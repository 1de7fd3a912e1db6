// Decoded values of some ranges, one partition after the other.
//
// In: ranges and a decoder. Out: each value with its message and partition. Left out: what cannot
// be decoded, which the caller has another way to meet. One fetch is held at a time.

import { openTopicRanges, type TopicRange } from '../../adapters/kafka/ranges/topic-ranges.ts'
import { decodeLearning } from '../../pipeline/decode/decode-learning.ts'
import type { Decoder } from '../../pipeline/decode/message-decoder.ts'
import type { RawMessage } from '../../pipeline/records.ts'
import type { ParityEnvironment } from '../topics/parity-environment.ts'

type ReadOptions<T> = {
  readonly kafka: ParityEnvironment['kafka']
  readonly ranges: readonly TopicRange[]
  readonly decoder: Decoder<T>
}

type ReadValue<T> = {
  readonly value: T
  readonly raw: RawMessage
  readonly partition: number
}

export async function* readValues<T>({
  kafka,
  ranges,
  decoder,
}: ReadOptions<T>): AsyncGenerator<ReadValue<T>, void, undefined> {
  const opened = await openTopicRanges(kafka, ranges)
  try {
    for (const [index, { partition }] of ranges.entries()) {
      for await (const messages of opened.read(index)) {
        const { values } = await decodeLearning(messages, decoder)
        for (const [i, value] of values.entries()) {
          if (value !== null) yield { value, raw: messages[i]!, partition }
        }
      }
    }
  } finally {
    await opened.close()
  }
}
