// What KafkaBatches.java writes, as a reader should find it.
//
// In: nothing. Out: keys and values of the 40 events, and the folder of the batches that the Java
// client of Kafka 4.1.0 made of them (test/fixtures/kafka).

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('../../../fixtures/kafka/', import.meta.url)

export const javaProgram = fileURLToPath(new URL('KafkaBatches.java', folder))
export const javaCodecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export const javaBatch = (codec: string): Buffer => readFileSync(new URL(`${codec}.batch`, folder))

export type JavaEvent = { readonly key: string | null; readonly value: string | null }

export const javaEvents: readonly JavaEvent[] = Array.from({ length: 40 }, (_, i) => ({
  key: i % 7 === 0 ? null : `key-${i}`,
  value: textOf(i),
}))

function textOf(i: number): string | null {
  if (i === 5) return null
  if (i !== 20) return i === 6 ? '' : `payment ${i} of customer ${i % 4} `.repeat(i)
  const large = Buffer.alloc(80_000)
  let state = 42n
  for (let at = 0; at < large.length; at++) {
    state = (state * 1_103_515_245n + 12_345n) % 2_147_483_648n
    large[at] = at % 30_000 < 1_000 ? Number((state >> 16n) & 255n) : at % 100
  }
  return large.toString('latin1')
}

export const asText = (bytes: Buffer | null): string | null => bytes?.toString('latin1') ?? null
