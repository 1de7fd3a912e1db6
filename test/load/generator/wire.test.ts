// The wire format: readable by anyone with the schema, and the registry asked the right question.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateHistory } from '../../../load/generator/timeline.ts'
import {
  createWire,
  findSchemaId,
  labelType,
  transactionType,
} from '../../../load/generator/wire.ts'

describe('wire', () => {
  it('wire - puts magic and schema id before the Avro body, for thousands of records', () => {
    const history = generateHistory({ customers: 2_000, terminals: 500, days: 3, fraudShare: 0.1 })
    const wire = createWire({ transactions: 0x01020304, labels: 9 })
    // Kept to the end, so that a record which writes over another is found out.
    const transactions = history.transactions.map((one) => wire.encodeTransaction(one))
    const labels = history.labels.map((one) => wire.encodeLabel(one))
    expect(transactions.length).toBeGreaterThan(5_000)
    expect(labels.length).toBeGreaterThan(50)
    for (const bytes of transactions) {
      expect(bytes.subarray(0, 5).toString('hex')).toBe('0001020304')
    }
    for (const bytes of labels) expect(bytes.subarray(0, 5).toString('hex')).toBe('0000000009')
    const bodies = (values: readonly Buffer[]) => values.map((bytes) => bytes.subarray(5))
    const read = (type: typeof labelType, values: readonly Buffer[]) =>
      bodies(values).map((body) => ({ ...type.fromBuffer(body) }))
    expect(read(transactionType, transactions)).toEqual(history.transactions)
    expect(read(labelType, labels)).toEqual(history.labels)
  })
})

describe('findSchemaId', () => {
  let server: Server
  let url: string

  beforeAll(async () => {
    server = createServer((request, response) => {
      const isKnown = request.url === '/apis/ccompat/v7/subjects/payments-value/versions/latest'
      response.writeHead(isKnown ? 200 : 404).end(isKnown ? '{"id": 42, "version": 3}' : '{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/apis/ccompat/v7`
  })
  afterAll(() => server.close())

  it('findSchemaId - asks for the latest version of the topic’s value', async () => {
    expect(await findSchemaId(url, 'payments')).toBe(42)
    expect(await findSchemaId(`${url}/`, 'payments')).toBe(42)
  })

  it('findSchemaId - says what to do when the schema is not registered', async () => {
    await expect(findSchemaId(url, 'unknown')).rejects.toThrow(
      /answered 404 .*register the schemas/,
    )
  })
})
