// Compares the pass-through limit of stock and accelerated kafkajs on a given broker.
// In: --brokers, --records, --bytes, --partitions, --rounds. Out: one line per run, and the ratio.
//
// Each run is a process of its own, because a process loads kafkajs one way only; stock and
// accelerated take turns, so that a busy machine slows both. The topics are new and deleted again.

import { execFile } from 'node:child_process'
import { parseArgs, promisify } from 'node:util'
import {
  acceleration,
  createKafka,
  kafkajs,
  startKafka,
} from '../../../services/adapters/kafka/client/kafka-client.ts'
import { createTopics } from '../../../services/adapters/kafka/topics/create-topics.ts'
import { measurePassThrough, type PassThroughResult, silentLogger } from './pass-through.ts'

const { values } = parseArgs({
  options: {
    brokers: { type: 'string', default: '127.0.0.1:9092' },
    records: { type: 'string', default: '300000' },
    bytes: { type: 'string', default: '200' },
    partitions: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '2' },
    input: { type: 'string' },
  },
})
const brokers = values.brokers.split(',')
const recordCount = Number(values.records)
const partitions = Number(values.partitions)
const admin = createKafka({ brokers, clientId: 'pass-through', logger: silentLogger }).admin()

if (values.input === undefined) await compare()
else await measureOnce(values.input)

async function compare(): Promise<void> {
  const input = `pass-through-${Date.now()}`
  await startKafka(brokers, () => admin.connect())
  await createTopics(admin, [{ topic: input, numPartitions: partitions }])
  await fill(input)
  const rates: Record<string, number[]> = { stock: [], accelerated: [] }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const way of ['stock', 'accelerated']) {
      const result = await measureInChild(input, way === 'stock')
      rates[way]!.push(result.recordsPerSecond)
      process.stdout.write(`${way} ${JSON.stringify(result)}\n`)
    }
  }
  const mean = (name: string) => rates[name]!.reduce((sum, rate) => sum + rate, 0)
  process.stdout.write(
    `accelerated / stock = ${(mean('accelerated') / mean('stock')).toFixed(2)}\n`,
  )
  await admin.deleteTopics({ topics: [input] })
  await admin.disconnect()
}

async function fill(topic: string): Promise<void> {
  const producer = createKafka({ brokers, clientId: 'fill', logger: silentLogger }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  const step = 5000
  for (let first = 0; first < recordCount; first += step) {
    const messages = Array.from({ length: Math.min(step, recordCount - first) }, (_, index) => ({
      key: `customer-${(first + index) % 5000}`,
      value: Buffer.alloc(Number(values.bytes), (first + index) % 251),
      partition: index % partitions,
    }))
    await producer.send({ topic, messages })
  }
  await producer.disconnect()
}

async function measureInChild(input: string, isStock: boolean): Promise<PassThroughResult> {
  const flags = ['--brokers', values.brokers, '--records', values.records]
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [import.meta.filename, ...flags, '--partitions', values.partitions, '--input', input],
    { env: { ...process.env, WEIR_KAFKAJS_STOCK: isStock ? '1' : '0' } },
  )
  process.stderr.write(stderr)
  return JSON.parse(stdout) as PassThroughResult
}

async function measureOnce(inputTopic: string): Promise<void> {
  const outputTopic = `${inputTopic}-out-${process.pid}`
  await startKafka(brokers, () => admin.connect())
  await createTopics(admin, [{ topic: outputTopic, numPartitions: partitions }])
  const result = await measurePassThrough({
    brokers,
    inputTopic,
    outputTopic,
    groupId: outputTopic,
    partitions,
    recordCount,
  })
  await admin.deleteTopics({ topics: [outputTopic] })
  await admin.disconnect()
  process.stdout.write(JSON.stringify({ ...result, acceleration: acceleration.reason }))
}
