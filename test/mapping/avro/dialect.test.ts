// A foreign topic as somebody else writes it: decimal bytes, keys in a map, Confluent's framing.
//
// The folder shared/ lies beside a checkout on some machines only; elsewhere this is skipped.

import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import avsc from 'avsc'
import { expect, test } from 'vitest'
import type { PathStep } from '../../../services/core/input-mapping.ts'
import type { ExactDecimal, Instant } from '../../../services/core/raw-values.ts'
import { projectAvro } from '../../../services/mapping/avro/avro-projection.ts'

const folder = resolve(import.meta.dirname, '../../../../shared/data/dialects/09-avro-proto')
const lines = (): string[] =>
  readFileSync(`${folder}/transaction.confluent.jsonl`, 'utf8').trim().split('\n')
const schemaText = (): string =>
  readFileSync(`${folder}/schemas/sadicangel.Transaction.avsc`, 'utf8')

const names = ['id', 'amount', 'currency', 'timestamp', 'status', 'recipientId', 'legacyId']
const paths: PathStep[][] = [
  ...names.map((name): PathStep[] => [{ kind: 'name', name }]),
  ...['customerId', 'cardFingerprint', 'ip'].map((name): PathStep[] => [
    { kind: 'name', name: 'metadata' },
    { kind: 'name', name },
  ]),
]

test.skipIf(!existsSync(folder))('dialect 09 (../shared is absent where skipped)', () => {
  const text = schemaText()
  const read = projectAvro(text, [], paths)
  const plain = avsc.Type.forSchema(JSON.parse(text))
  let count = 0
  for (const line of lines()) {
    const { key, value_base64 } = JSON.parse(line)
    const bytes = Buffer.from(value_base64, 'base64')
    const expected = plain.fromBuffer(bytes.subarray(5))
    const [id, amount, currency, time, status, recipient, legacy, customer, card, ip] = read(
      bytes,
      5,
    )
    const unscaled = expected.amount.readIntBE(0, expected.amount.length)
    expect({ ...(amount as ExactDecimal) }).toEqual({ unscaled: BigInt(unscaled), scale: 2 })
    expect((time as Instant).ms).toBe(expected.timestamp)
    expect(customer).toBe(key)
    expect([id, currency, status]).toEqual([expected.id, expected.currency, expected.status])
    expect([recipient, legacy]).toEqual([expected.recipientId, expected.legacyId])
    expect([card, ip]).toEqual([expected.metadata.cardFingerprint, expected.metadata.ip])
    count++
  }
  expect(count).toBe(2000)
})
