// Seeded random messages for kafkajs, the odd ones included.
//
// In: a seed. Out: messages with null, empty, text, binary and large keys and values, unicode,
// headers with arrays, and timestamps that are absent, text, small, huge or negative.

import type { OutgoingMessage } from '../../../../services/adapters/kafka/client/acceleration/stock-modules.ts'

export type Random = {
  /** A whole number from 0 up to, not including, the limit. */
  readonly below: (limit: number) => number
  readonly pick: <Value>(values: readonly Value[]) => Value
  readonly bytes: (size: number) => Buffer
}

/** Mulberry32: small, and the same everywhere. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const below = (limit: number) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
  return {
    below,
    pick: (values) => values[below(values.length)]!,
    bytes: (size) => Buffer.from(Uint8Array.from({ length: size }, () => below(256))),
  }
}

const texts = ['', 'customer-17', 'zażółć', '顧客', '💳💳', '\u0000', 'x'.repeat(200)]
const baseTime = 1_700_000_000_000

/** How the timestamps of one batch look; trap 13 is in the small ones, which sort as text. */
const timestampKinds: readonly ((random: Random) => unknown)[] = [
  () => undefined,
  (random) => baseTime + random.below(2_000_000),
  (random) => String(baseTime + random.below(2_000_000)),
  (random) => random.below(200),
  (random) => random.pick([0, 1, 9, 10, 99, baseTime, 2 ** 52, 2 ** 53 - 1]),
  (random) => random.pick([2 ** 53 - 1, 2 ** 53 - 2, 99]),
  (random) => -random.below(1e12),
  (random) => random.pick([undefined, null, '5', 40, baseTime, String(baseTime)]),
  (random) => random.pick([9e12, 1e13, 2e13]) + random.below(10),
]

function randomBytes(random: Random): Buffer | string | null {
  const kind = random.below(8)
  if (kind === 0) return null
  if (kind === 1) return Buffer.alloc(0)
  if (kind <= 3) return random.pick(texts)
  return random.bytes(random.pick([1, 20, 62, 63, 64, 65, 200]))
}

function randomHeaders(random: Random): object | undefined {
  const kind = random.below(12)
  if (kind > 2) return undefined
  if (kind === 0) return {}
  return { trace: random.bytes(8), łódź: '💳', many: ['first', random.bytes(3), ''], none: [] }
}

export function randomMessages(random: Random, count: number): OutgoingMessage[] {
  const timestampKind = random.pick(timestampKinds)
  return Array.from({ length: count }, () => {
    const timestamp = timestampKind(random)
    const headers = randomHeaders(random)
    return {
      ...(random.below(20) === 0 ? {} : { key: randomBytes(random) }),
      value: randomBytes(random),
      ...(timestamp === undefined ? {} : { timestamp }),
      ...(headers === undefined ? {} : { headers }),
    }
  })
}
