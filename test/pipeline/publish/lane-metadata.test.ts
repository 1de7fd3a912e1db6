// A lane's memory in the offset's metadata: what went in comes out; what is not ours is never
// guessed.

import { describe, expect, it } from 'vitest'
import {
  decodeLaneMemory,
  encodeLaneMemory,
  freshMemory,
} from '../../../services/pipeline/publish/lane-metadata.ts'
import { createRandom } from '../../support/random.ts'

describe('lane metadata', () => {
  it('comes back as it was, for 200 random memories and the fresh one', () => {
    const random = createRandom(1)
    const count = () => random.integer(0, 2 ** 40)
    for (let i = 0; i < 200; i++) {
      const memory = {
        watermarkMs: random.integer(-1, 2 ** 52),
        brake: {
          events: count(),
          flagged: count(),
          eventsBefore: count(),
          flaggedBefore: count(),
        },
      }
      expect(decodeLaneMemory(encodeLaneMemory(memory))).toEqual(memory)
    }
    expect(decodeLaneMemory(encodeLaneMemory(freshMemory()))).toEqual(freshMemory())
  })

  it('is short: Kafka keeps at most 4,096 bytes beside an offset', () => {
    const most = Number.MAX_SAFE_INTEGER
    const brake = { events: most, flagged: most, eventsBefore: most, flaggedBefore: most }
    expect(encodeLaneMemory({ watermarkMs: most, brake }).length).toBeLessThan(200)
  })

  const foreign: readonly string[] = [
    '',
    'hello',
    'null',
    '[]',
    '42',
    '{"v":2,"watermarkMs":1,"brake":[0,0,0,0]}',
    '{"v":1,"watermarkMs":1.5,"brake":[0,0,0,0]}',
    '{"v":1,"watermarkMs":"1","brake":[0,0,0,0]}',
    '{"v":1,"watermarkMs":1,"brake":[0,0,0]}',
    '{"v":1,"watermarkMs":1,"brake":[0,0,0,"0"]}',
    '{"v":1,"watermarkMs":1}',
  ]
  it.each(foreign)('is null for a string that is not ours: %s', (metadata) => {
    expect(decodeLaneMemory(metadata)).toBeNull()
  })
})
