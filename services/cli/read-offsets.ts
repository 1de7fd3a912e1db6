// The value of a flag that names offsets, partition by partition.
//
// In: `partition:offset` pairs, separated by commas, such as 0:118204,1:97311. Out: offsets by
// partition. Refused: anything else, and a partition that stands there twice, as commander wants
// it.

import { InvalidArgumentError } from 'commander'

export function readOffsets(text: string): ReadonlyMap<number, number> {
  const offsets = new Map<number, number>()
  for (const pair of text.split(',')) {
    const [, partition, offset] = /^\s*(\d{1,9}):(\d{1,15})\s*$/.exec(pair) ?? []
    if (partition === undefined) {
      throw new InvalidArgumentError('Expected partition:offset pairs such as 0:118204,1:97311.')
    }
    if (offsets.has(Number(partition))) {
      throw new InvalidArgumentError(`Found partition ${partition} twice.`)
    }
    offsets.set(Number(partition), Number(offset))
  }
  return offsets
}
