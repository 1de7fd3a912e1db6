// Promise 3 and 4 for events of any shape: what a scorer makes of somebody else's messages is what
// it makes of the shipped ones.
//
// One history, three times: rows of files in the shipped shape; a topic of nested foreign Avro
// (microseconds, decimals, nullable unions, a map, another record name) and one of JSON (seconds
// with a fraction, amounts in major units, other types of messages between). Same vectors, scores
// and decisions, bit for bit; parity finds no difference; what `where` does not pick is counted.

import avsc from 'avsc'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kafkajs } from '../../services/adapters/kafka/client/kafka-client.ts'
import { connectRegistry, subjectOf } from '../../services/adapters/registry/schema-registry.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { replaySmall, type SmallHistory, smallHistory } from '../replay/replay-world.ts'
import type { CardLabel, CardTransaction } from '../support/batches.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { parityOf } from '../support/parity-of-environment.ts'
import {
  openScoringEnvironment,
  replaceLine,
  type ScoringEnvironment,
} from '../support/scoring-environment.ts'
import { collectTopics } from '../support/topic-collector.ts'
import { allTopicsOf, readWeirTopics } from '../support/weir-topics.ts'

const history: SmallHistory = smallHistory(20_261_201, 25)

type Dialect = {
  readonly format: string
  readonly fields: { readonly transactions: string; readonly labels: string }
  readonly where?: string
  /** Messages beside the events, which nobody scores. */
  readonly others: readonly Buffer[]
  readonly open: (environment: ScoringEnvironment) => Promise<{
    readonly transaction: (event: CardTransaction) => Buffer
    readonly label: (label: CardLabel) => Buffer
  }>
}

const optional = (type: unknown) => ({ type: ['null', type], default: null })
const micros = { type: 'long', logicalType: 'timestamp-micros' }
const decimal = { type: 'bytes', logicalType: 'decimal', precision: 18, scale: 2 }
const holder = {
  type: 'record',
  name: 'Holder',
  fields: [
    { name: 'card', type: 'string' },
    { name: 'device', ...optional('string') },
  ],
}
const payment = {
  type: 'record',
  name: 'CardPayment',
  namespace: 'com.bank.payments',
  fields: [
    { name: 'version', type: 'int' },
    { name: 'id', ...optional('string') },
    { name: 'happened', ...optional(micros) },
    { name: 'holder', type: holder },
    { name: 'amount', type: decimal },
    { name: 'attributes', type: { type: 'map', values: ['null', 'string'] } },
    { name: 'shop', type: { type: 'enum', name: 'Kind', symbols: ['SHOP'] } },
  ],
}
const verdict = {
  type: 'record',
  name: 'Verdict',
  fields: [
    { name: 'payment', type: 'string' },
    { name: 'at', type: micros },
    { name: 'card', type: 'string' },
    { name: 'shop', type: 'string' },
    { name: 'outcome', type: 'string' },
    { name: 'known', type: micros },
  ],
}

/** Nullable unions are written bare. */
const typeOf = (schema: object) =>
  avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: 'never' as never })

const bigEndian = (minor: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(minor))
  return bytes
}

const avro: Dialect = {
  format: 'avro',
  fields: {
    transactions:
      'transactionId: id, eventTime: happened, customerId: { path: holder.card, required: true }, ' +
      'terminalId: { path: attributes."shop.id", required: true }, ' +
      'currency: { path: attributes.currency, type: currency }, ' +
      'amountMinor: { path: amount, unit: major, currency: currency }, mcc: attributes.mcc, ' +
      'country: attributes.country, channel: attributes.channel, deviceId: holder.device',
    labels:
      'transactionId: payment, eventTime: at, customerId: card, terminalId: shop, ' +
      'isFraud: { path: outcome, yes: [F], no: [G] }, labelTime: known',
  },
  others: [],
  open: async ({ stack, definition }) => {
    const registry = connectRegistry(stack.registryUrl)
    const { transactions, labels } = definition.topics
    const idOf = async (topic: string, schema: object) => {
      await registry.register(subjectOf(topic), JSON.stringify(schema))
      return (await registry.latest(subjectOf(topic)))!.id
    }
    const ids = [await idOf(transactions, payment), await idOf(labels!, verdict)]
    await registry.close()
    const types = [typeOf(payment), typeOf(verdict)]
    const encode = (stream: 0 | 1, value: unknown) => {
      const head = Buffer.alloc(5)
      head.writeInt32BE(ids[stream]!, 1)
      return Buffer.concat([head, types[stream]!.toBuffer(value)])
    }
    return {
      transaction: ({ transactionId, eventTime, customerId, terminalId, ...rest }) =>
        encode(0, {
          version: 3,
          id: transactionId,
          happened: eventTime * 1000,
          holder: { card: customerId, device: rest.deviceId },
          amount: bigEndian(rest.amountMinor),
          attributes: {
            'shop.id': terminalId,
            ...{ currency: rest.currency, mcc: rest.mcc },
            ...{ country: rest.country, channel: rest.channel },
          },
          shop: 'SHOP',
        }),
      label: ({ transactionId, eventTime, customerId, terminalId, isFraud, labelTime }) =>
        encode(1, {
          ...{ payment: transactionId, at: eventTime * 1000, card: customerId, shop: terminalId },
          ...{ outcome: isFraud ? 'F' : 'G', known: labelTime * 1000 },
        }),
    }
  },
}

const json: Dialect = {
  format: 'json',
  fields: {
    transactions:
      'kind: kind, transactionId: data.id, eventTime: { path: at, unit: s }, ' +
      'customerId: { path: data.card, required: true }, ' +
      'terminalId: { from: "header:shop", required: true }, ' +
      'currency: { path: data.money.ccy, type: currency }, ' +
      'amountMinor: { path: data.money.value, unit: major, currency: currency }, ' +
      'mcc: "data.tags[0]", country: "data.tags[1]", channel: "data.tags[2]", ' +
      'deviceId: data.$json.nothing, raw: payload, device: payload.$json.device, ' +
      'deviceIdentity: { expression: "coalesce(device, deviceId)" }',
    labels:
      'transactionId: payment, eventTime: { path: at, unit: ms }, customerId: card, ' +
      'terminalId: shop, isFraud: fraud, labelTime: { path: known, zone: UTC }',
  },
  where: 'kind == "payment"',
  others: [
    Buffer.from('{"kind":"heartbeat"}'),
    Buffer.from('{"kind":"refund","at":1,"data":{"id":"r"}}'),
  ],
  open: async () => ({
    transaction: ({ transactionId, eventTime, customerId, amountMinor, currency, ...rest }) =>
      Buffer.from(
        JSON.stringify({
          kind: 'payment',
          at: eventTime / 1000,
          data: {
            ...{ id: transactionId, card: customerId },
            money: { value: (amountMinor / 100).toFixed(2), ccy: currency.toLowerCase() },
            tags: [rest.mcc, rest.country, rest.channel],
          },
          payload: JSON.stringify({ device: rest.deviceId }),
        }),
      ),
    label: ({ transactionId, eventTime, customerId, terminalId, isFraud, labelTime }) =>
      Buffer.from(
        JSON.stringify({
          ...{ payment: transactionId, at: eventTime, card: customerId, shop: terminalId },
          ...{ fraud: isFraud, known: new Date(labelTime).toISOString().slice(0, -1) },
        }),
      ),
  }),
}

function pipelineText({ format, fields, where }: Dialect): string {
  const picked = where === undefined ? '' : `where: '${where}', `
  const transactions = `{ format: ${format}, ${picked}fields: { ${fields.transactions} } }`
  const labels = `{ format: ${format}, fields: { ${fields.labels} } }`
  const input = `input:\n  transactions: ${transactions}\n  labels: ${labels}`
  // The order among lanes is that of event time for as long as they wait for each other.
  const text = replaceLine('pipeline:', `pipeline: card-fraud\nalign: { maxWait: 5m }\n${input}`)
  if (format !== 'json') return text
  // An entity that most events do not name stands before all others.
  return text
    .replaceAll('of: deviceId', 'of: deviceIdentity')
    .replace('entities:\n', 'entities:\n  device: { key: [deviceIdentity] }\n')
}

async function produce(environment: ScoringEnvironment, dialect: Dialect): Promise<void> {
  const { kafka, definition } = environment
  const encoders = await dialect.open(environment)
  const createPartitioner = kafkajs.Partitioners.DefaultPartitioner
  const producer = kafka.producer({ createPartitioner })
  await producer.connect()
  await producer.send({
    topic: definition.topics.transactions,
    messages: [
      ...dialect.others.map((value) => ({ key: 'other', value })),
      ...history.transactions.map((event) => ({
        key: `key of ${event.customerId}`,
        value: encoders.transaction(event),
        headers: { shop: event.terminalId },
      })),
    ],
  })
  const messages = [...history.labels]
    .sort((a, b) => a.labelTime - b.labelTime)
    .map((label) => ({ key: label.customerId, value: encoders.label(label) }))
  await producer.send({ topic: definition.topics.labels!, messages })
  await producer.disconnect()
}

describe.each([avro, json])('events of another shape, $format', (dialect) => {
  let environment: ScoringEnvironment
  let scored: readonly ScoredTransactionRecord[]
  let keys: readonly string[]
  let rejected: number

  beforeAll(async () => {
    environment = await openScoringEnvironment({
      purpose: `own-stream-${dialect.format}`,
      partitions: 1,
      pipelineText: pipelineText(dialect),
    })
    await produce(environment, dialect)
    const scorer = await environment.startScorer()
    await untilCommitted(environment)
    scorer.signal('SIGTERM')
    expect(await scorer.ended).toBe('exited with code 0')
    const { kafka, definition } = environment
    const collector = await collectTopics(kafka, allTopicsOf(definition))
    await collector.untilEnd()
    const topics = readWeirTopics(definition, collector)
    scored = topics.scored()
    rejected = topics.rejected().length
    keys = collector.records(definition.topics.scored).map(({ key }) => key!.toString())
    await collector.close()
  })
  afterAll(() => environment?.close())

  it('scores each event once as if it had come in the shipped shape', async () => {
    const plain = await replaySmall(history, { isScoring: true })
    const rows = new Map((await plain.rows()).map((row) => [row.transactionId, row]))
    expect(rejected).toBe(0)
    expect(scored).toHaveLength(history.transactions.length)
    const names = environment.definition.features.map(({ name }) => name)
    const differences = scored.flatMap((event) => {
      const row = rows.get(event.transactionId)!
      const found = [...event.features, event.score, event.decision]
      const expected = [...names.map((name) => row[name]), row.score, row.decision]
      return found.every((value, i) => Object.is(value, expected[i])) ? [] : [{ event, row }]
    })
    expect(differences.slice(0, 2)).toEqual([])
  })

  it('says whose events they are, and what they carry', () => {
    const [first] = history.transactions
    const event = scored.find(({ transactionId }) => transactionId === first!.transactionId)!
    const { customerId, terminalId, amountMinor, currency } = first!
    const { device: _, ...named } = event.keys
    expect(named).toEqual({
      customer: customerId,
      terminal: terminalId,
      pair: `${customerId}|${terminalId}`,
    })
    expect(event.carried).toEqual({ amountMinor, currency })
    expect(new Set(keys)).toEqual(
      new Set(history.transactions.map((one) => `key of ${one.customerId}`)),
    )
  })

  it('counts an event for the entities that it names, and for no others', () => {
    const { entities } = environment.definition
    const wrong = scored.filter(({ keys, ordinals }) =>
      entities.some(({ name }, e) => (keys[name] === undefined) !== ordinals[e]! < 0),
    )
    expect(wrong.slice(0, 2)).toEqual([])
    if (dialect.format !== 'json') return
    const unnamed = history.transactions.filter(({ deviceId }) => deviceId === null)
    expect(unnamed.length).toBeGreaterThan(100)
    expect(scored.filter(({ keys }) => keys.device === undefined)).toHaveLength(unnamed.length)
  })

  it('is proved by parity: nothing is missing, and no vector differs', async () => {
    const report = await parityOf(environment)
    expect(report).toMatchObject({ missing: 0, duplicated: 0, differences: 0, offenders: [] })
    expect(report.events).toBe(history.transactions.length)
  })
})
