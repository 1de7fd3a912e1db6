// Partitions: those that every other Kafka client would choose.

import { type ICustomPartitioner, Partitioners } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { partitionOf } from '../../../load/generator/partition.ts'
import { RandomStream } from '../../../load/generator/random.ts'

describe('partition', () => {
  it('partition - agrees with the default partitioner of kafkajs on 2,000 random keys', () => {
    const createPartitioner: ICustomPartitioner = Partitioners.DefaultPartitioner
    const partition = createPartitioner()
    const random = new RandomStream(3, 'customer')
    for (let trial = 0; trial < 2_000; trial++) {
      const count = random.integer(1, 64)
      const key = Array.from({ length: random.integer(1, 40) }, () =>
        String.fromCharCode(random.integer(32, 126)),
      ).join('')
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader: 0,
        replicas: [],
        isr: [],
      }))
      const expected = partition({ topic: 't', partitionMetadata, message: { key, value: null } })
      expect(partitionOf(key, count), `key ${key} of ${count}`).toBe(expected)
    }
  })
})
