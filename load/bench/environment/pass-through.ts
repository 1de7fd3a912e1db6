// The pass-through limit: how fast kafkajs copies records from one topic to another in the same
// transactions that the scorer makes. In: a filled topic. Out: records per second and client CPU.
//
// One lane and one transactional producer per input partition; a transaction is one send of up to
// `batchRecords` values, the offsets, the commit. Fetching is decoupled from the lanes by bounded
// queues, so no lane waits for another. The clock runs from the first record fetched to the last
// commit, cold code included, as in `bench drain`. Nothing is retried: a failure ends the run.

import {
  type Consumer,
  createKafka,
  type KafkaLogger,
  type KafkaMessage,
  kafkajs,
  type Producer,
  startKafka,
  transactionalRetry,
} from '../../../services/adapters/kafka/client/kafka-client.ts'

type PassThroughOptions = {
  readonly brokers: readonly string[]
  readonly inputTopic: string
  readonly outputTopic: string
  readonly groupId: string
  readonly partitions: number
  readonly recordCount: number
  readonly batchRecords?: number
}

export type PassThroughResult = {
  readonly records: number
  readonly seconds: number
  readonly recordsPerSecond: number
  readonly cpuMicrosPerRecord: number
}

/** Records queued per lane before its partition is paused; it goes on at half. */
const queueRecordsMax = 8000
const batchRecordsDefault = 1000
/** A limit run that copies nothing for this long has failed. */
const idleMsMax = 30_000

export const silentLogger: KafkaLogger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
}

export async function measurePassThrough(options: PassThroughOptions): Promise<PassThroughResult> {
  const connection = { brokers: options.brokers, clientId: 'pass-through', logger: silentLogger }
  // Two clients: kafkajs shares the offsets of one client's transactions with its consumers.
  const consumer = createKafka(connection).consumer({
    groupId: options.groupId,
    maxWaitTimeInMs: 50,
    readUncommitted: false,
  })
  const run = new PassThroughRun(options, consumer)
  const producers = Array.from({ length: options.partitions }, (_, partition) =>
    createKafka(connection).producer({
      transactionalId: `${options.groupId}.${partition}`,
      transactionTimeout: 15_000,
      retry: transactionalRetry,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    }),
  )
  await startKafka(options.brokers, () => Promise.all(producers.map((one) => one.connect())))
  try {
    await Promise.all(producers.map(fence))
    return await run.measure(producers)
  } finally {
    await consumer.disconnect()
    await Promise.all(producers.map((producer) => producer.disconnect()))
  }
}

/** The first transaction asks for the producer's id; an empty one costs nothing more. */
async function fence(producer: Producer): Promise<void> {
  const transaction = await producer.transaction()
  await transaction.abort()
}

type Lane = {
  readonly partition: number
  queue: KafkaMessage[]
  isPaused: boolean
  /** Set while the lane waits for records. */
  wake: (() => void) | undefined
}

/** One run: the queues between the fetching and the lanes, and the count of what is committed. */
class PassThroughRun {
  private readonly options: PassThroughOptions
  private readonly consumer: Consumer
  private readonly lanes: readonly Lane[]
  private committed = 0
  private startedMs = 0
  private startedCpu = process.cpuUsage()
  private idleTimer: NodeJS.Timeout | undefined

  constructor(options: PassThroughOptions, consumer: Consumer) {
    this.options = options
    this.consumer = consumer
    this.lanes = Array.from({ length: options.partitions }, (_, partition) => ({
      partition,
      queue: [],
      isPaused: false,
      wake: undefined,
    }))
  }

  async measure(producers: readonly Producer[]): Promise<PassThroughResult> {
    const { consumer, options } = this
    await consumer.connect()
    await consumer.subscribe({ topics: [options.inputTopic], fromBeginning: true })
    const crash = new Promise<never>((_, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        // A coordinator that is still loading crashes the consumer too; kafkajs starts it again.
        if (!payload.restart) reject(payload.error)
      })
    })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: options.partitions,
      eachBatch: async ({ batch, resolveOffset }) => {
        if (this.startedMs === 0) this.start()
        this.enqueue(this.lanes[batch.partition]!, batch.messages)
        resolveOffset(batch.lastOffset())
      },
    })
    const copying = this.lanes.map((lane) => this.copy(lane, producers[lane.partition]!))
    try {
      await Promise.race([Promise.all(copying), crash, this.failWhenIdle()])
      return this.result()
    } finally {
      clearInterval(this.idleTimer)
    }
  }

  private start(): void {
    this.startedMs = performance.now()
    this.startedCpu = process.cpuUsage()
  }

  private enqueue(lane: Lane, messages: readonly KafkaMessage[]): void {
    lane.queue = lane.queue.length === 0 ? [...messages] : lane.queue.concat(messages)
    if (lane.queue.length >= queueRecordsMax && !lane.isPaused) {
      lane.isPaused = true
      this.consumer.pause([this.inputOf(lane)])
    }
    lane.wake?.()
  }

  private inputOf({ partition }: Lane) {
    return { topic: this.options.inputTopic, partitions: [partition] }
  }

  private async copy(lane: Lane, producer: Producer): Promise<void> {
    while (this.committed < this.options.recordCount) {
      const batch = this.take(lane)
      if (batch.length === 0) {
        await new Promise<void>((resolve) => {
          lane.wake = resolve
        })
        continue
      }
      await this.copyBatch(lane, producer, batch)
      this.committed += batch.length
    }
    for (const other of this.lanes) other.wake?.()
  }

  private take(lane: Lane): KafkaMessage[] {
    const batch = lane.queue.splice(0, this.options.batchRecords ?? batchRecordsDefault)
    if (lane.isPaused && lane.queue.length <= queueRecordsMax / 2) {
      lane.isPaused = false
      this.consumer.resume([this.inputOf(lane)])
    }
    return batch
  }

  private async copyBatch(lane: Lane, producer: Producer, batch: readonly KafkaMessage[]) {
    const { partition } = lane
    const { inputTopic, outputTopic, groupId } = this.options
    const offset = String(Number(batch[batch.length - 1]!.offset) + 1)
    const transaction = await producer.transaction()
    const messages = batch.map(({ key, value }) => ({ key, value, partition }))
    await transaction.sendBatch({ topicMessages: [{ topic: outputTopic, messages }] })
    await transaction.sendOffsets({
      consumerGroupId: groupId,
      topics: [{ topic: inputTopic, partitions: [{ partition, offset }] }],
    })
    await transaction.commit()
  }

  private failWhenIdle(): Promise<never> {
    let seen = -1
    return new Promise((_, reject) => {
      this.idleTimer = setInterval(() => {
        if (this.committed === seen) {
          const { recordCount } = this.options
          reject(new Error(`The copy stopped at ${seen} of ${recordCount} records.`))
        }
        seen = this.committed
      }, idleMsMax)
    })
  }

  private result(): PassThroughResult {
    const seconds = (performance.now() - this.startedMs) / 1000
    const { user, system } = process.cpuUsage(this.startedCpu)
    const records = this.committed
    return {
      records,
      seconds,
      recordsPerSecond: records / seconds,
      cpuMicrosPerRecord: (user + system) / records,
    }
  }
}
