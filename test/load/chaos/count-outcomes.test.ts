// The books of a campaign find what went wrong, also where two wrongs add up to a right sum.

import { readFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import {
  type ChaosEnvironment,
  openChaosEnvironment,
} from '../../../load/chaos/chaos-environment.ts'
import { countOutcomes } from '../../../load/chaos/count-outcomes.ts'
import { parseSchema } from '../../../services/adapters/registry/avro-types.ts'
import { readSchema, type SchemaFile } from '../../../services/adapters/registry/schema-files.ts'
import { testStack, uniqueName } from '../../support/stack.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

async function openEnvironment(): Promise<ChaosEnvironment> {
  const { kafkaBrokers, registryUrl } = await testStack()
  const place = await openChaosEnvironment({
    name: uniqueName('books'),
    pipelineFile: 'pipelines/card-fraud.yaml',
    folder: temporaryFolder(),
    brokers: kafkaBrokers,
    registryUrl,
    // Nobody scores here.
    redisUrl: 'redis://127.0.0.1:1',
    wires: { kafkaPorts: [1], registryPort: 1 },
  })
  onTestFinished(() => place.removeTopics())
  return place
}

/** An example of the schema, said of one message of the input. */
function recordOf(schema: SchemaFile, example: string, changes: object): Buffer {
  const file = new URL(`../../../schemas/examples/${schema}/${example}.json`, import.meta.url)
  const { value } = JSON.parse(readFileSync(file, 'utf8'), reviveBuffer) as { value: object }
  const body = parseSchema(readSchema(schema)).toBuffer({ ...value, ...changes })
  return Buffer.concat([Buffer.alloc(5), body])
}

const reviveBuffer = (_key: string, value: { type?: string; data?: number[] } | null) =>
  value?.type === 'Buffer' ? Buffer.from(value.data!) : value

const at = (sourceOffset: number) => ({ sourcePartition: 0, sourceOffset })
const approved = (offset: number) => recordOf('scored-transaction', 'good-approved', at(offset))
const flagged = (offset: number) =>
  recordOf('scored-transaction', 'good-approved', { ...at(offset), decision: 'review' })
const alert = (offset: number) => recordOf('fraud-alert', 'good-block', at(offset))

// The first test to ask for the stack waits until it is up.
const deadline = { timeout: 300_000 }

it(
  'count outcomes - counts each kind, and finds what is missing, doubled or stray',
  deadline,
  async () => {
    const place = await openEnvironment()
    const { topics } = place.definition
    const rejected = (offset: number, sourceTopic: string) =>
      recordOf('rejected-transaction', 'good-not-avro', { ...at(offset), sourceTopic })
    const late = recordOf('late-transaction', 'good-late', at(3))
    const written: Readonly<Record<string, readonly Buffer[]>> = {
      [topics.transactions]: [0, 1, 2, 3, 4, 5].map((i) => Buffer.from(`message ${i}`)),
      // 1 twice; 4 nowhere; 5 flagged without an alert.
      [topics.scored]: [approved(0), flagged(1), flagged(1), flagged(5)],
      [topics.alerts]: [alert(1), alert(0)],
      [topics.rejected]: [rejected(2, topics.transactions), rejected(4, topics.labels!)],
      [topics.late]: [late],
    }
    const producer = place.kafka.producer({ allowAutoTopicCreation: false })
    await producer.connect()
    for (const [topic, values] of Object.entries(written)) {
      const messages = values.map((value) => ({ value, partition: 0 }))
      await producer.send({ topic, messages, acks: -1 })
    }
    await producer.disconnect()

    expect(await countOutcomes(place)).toEqual({
      received: 6,
      scored: 4,
      rejected: 1,
      diverted: 1,
      difference: 0,
      missing: 1,
      duplicated: 1,
      alertDifferences: 2,
    })
  },
)
