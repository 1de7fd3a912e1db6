// Each check of the topics, on a cluster where one topic is not as it should be.

import { expect, test } from 'vitest'
import { limits } from '../../services/core/limits.ts'
import { kafkaExamination } from '../../services/doctor/kafka-checks.ts'
import { encodeSource } from '../../services/pipeline/enrich/entity-log.ts'
import { soundCluster, soundNeeds, type TopicChange, verdictsOf } from '../support/sights.ts'

const judge = (check: string, topic: string, change: TopicChange) =>
  verdictsOf(kafkaExamination, check, soundCluster({ [topic]: change }))

const partitionsOf = (count: number, change: object = {}) =>
  Array.from({ length: count }, (_, partition) => ({
    partition,
    hasLeader: true,
    replicas: 3,
    inSync: 3,
    ...change,
  }))

test('doctor, topics - a missing one is fatal if a scorer uses it', () => {
  const { topics, ...rest } = soundCluster()
  const without = new Map(topics)
  for (const topic of ['labels', 'drift.reports']) without.delete(topic)
  const verdicts = verdictsOf(kafkaExamination, 'topics', { ...rest, topics: without })
  expect(verdicts).toMatchObject([
    { level: 'fatal', found: 'labels is not there', change: 'run `weir topics apply`' },
    { level: 'warning', found: 'drift.reports is not there' },
  ])
})

test('doctor, topics - more lanes than a record can name are fatal', () => {
  expect(Number.isSafeInteger(encodeSource(limits.lanesMax - 1, 2 ** 44 - 1))).toBe(true)
  expect(Number.isSafeInteger(encodeSource(limits.lanesMax, 0))).toBe(false)
  const most = limits.lanesMax / 2
  for (const topic of ['transactions', 'labels']) {
    expect(judge('lanes', topic, { partitions: partitionsOf(most) })).toMatchObject([
      { level: 'ok' },
    ])
    expect(judge('lanes', topic, { partitions: partitionsOf(most + 1) })).toMatchObject([
      { level: 'fatal', found: `${topic}: ${most + 1} partitions` },
    ])
  }
})

test('doctor, topics - fewer output partitions than lanes are a warning', () => {
  expect(judge('output partitions', 'fraud.alerts', { partitions: partitionsOf(3) })).toMatchObject(
    [{ level: 'warning', found: 'fraud.alerts: 3 partitions, the input 4' }],
  )
})

test('doctor, topics - partitions without leader or copies are a warning with their numbers', () => {
  const [first, ...others] = partitionsOf(4)
  const leaderless = [{ ...first!, hasLeader: false }, ...others]
  expect(judge('leaders', 'transactions', { partitions: leaderless })).toMatchObject([
    { level: 'warning', found: 'transactions: partitions 0' },
  ])
  const lagging = [first!, ...others.map((partition) => ({ ...partition, inSync: 1 }))]
  expect(judge('leaders', 'transactions', { partitions: lagging })).toMatchObject([
    { level: 'warning', found: 'transactions: partitions 1, 2, 3' },
  ])
})

test('doctor, topics - copies: one is a warning, more wanted in sync than there are is fatal', () => {
  const single = { partitions: partitionsOf(4, { replicas: 1, inSync: 1 }) }
  expect(judge('replication', 'labels', single)).toMatchObject([
    { level: 'warning', found: 'labels: 1 replica' },
  ])
  expect(judge('copies in sync', 'labels', single)).toMatchObject([
    {
      level: 'fatal',
      found: 'labels: min.insync.replicas 2 of 1',
      change: 'min.insync.replicas = 1',
    },
  ])
  for (const inSync of ['1', '3']) {
    const config = { 'min.insync.replicas': inSync }
    expect(judge('copies in sync', 'labels', { config })).toMatchObject([
      { level: 'warning', change: 'min.insync.replicas = 2' },
    ])
  }
})

const compacted = { config: { 'cleanup.policy': 'compact,delete' } }
test.each([
  ['unclean leaders', 'transactions', { 'unclean.leader.election.enable': 'true' }, 'warning'],
  ['cleanup policy', 'transactions', compacted.config, 'fatal'],
  ['cleanup policy', 'labels', compacted.config, 'fatal'],
  ['cleanup policy', 'transactions.scored', compacted.config, 'fatal'],
  ['cleanup policy', 'fraud.alerts', compacted.config, 'warning'],
  ['cleanup policy', 'model.control', { 'cleanup.policy': 'delete' }, 'warning'],
  ['retention', 'transactions', { 'retention.ms': String(soundNeeds.lookBackMs - 1) }, 'warning'],
  ['retention', 'labels', { 'retention.ms': '604800000' }, 'warning'],
  ['retention', 'transactions.scored', { 'retention.ms': '604800000' }, 'warning'],
  ['retention', 'transactions', { 'retention.bytes': '1000000' }, 'warning'],
  ['timestamps', 'transactions', { 'message.timestamp.type': 'CreateTime' }, 'warning'],
  ['batch size', 'transactions.scored', { 'max.message.bytes': '1048588' }, 'fatal'],
  ['batch size', 'transactions.scored', { 'max.message.bytes': '7500000' }, 'warning'],
  ['batch size', 'fraud.alerts', { 'max.message.bytes': '1048588' }, 'warning'],
])('doctor, topics - %s of %s with %o is judged %s', (check, topic, config, level) => {
  const setting = Object.keys(config)[0]!
  expect(judge(check, topic, { config })).toEqual([
    {
      level,
      found: expect.stringMatching(new RegExp(`^${topic}\\b`)),
      change: expect.stringMatching(new RegExp(`^${setting.replaceAll('.', '\\.')} >?= `)),
    },
  ])
})

test('doctor, topics - retention as long as the longest look back is enough', () => {
  const config = { 'retention.ms': String(soundNeeds.lookBackMs) }
  expect(judge('retention', 'transactions', { config })).toEqual([
    { level: 'ok', found: '30d 1h (1 topic), without end (2 topics)', change: null },
  ])
})

test('doctor, topics - an input that takes more than what is set aside may hold is a warning', () => {
  const bytes = { 'max.message.bytes': '10485760' }
  expect(judge('input size', 'transactions', { config: bytes })).toEqual([
    {
      level: 'warning',
      found: 'transactions takes 10.0 MiB, more than transactions.rejected, transactions.late',
      change: 'max.message.bytes of transactions.rejected, transactions.late >= 10485760',
    },
  ])
  // A smaller one than planned is its producers' business.
  const small = { 'max.message.bytes': '100000' }
  for (const check of ['input size', 'batch size']) {
    expect(judge(check, 'transactions', { config: small })).toMatchObject([{ level: 'ok' }])
  }
})

test('doctor, topics - settings that are not shown are a warning', () => {
  const { topics, ...rest } = soundCluster()
  const hidden = new Map(topics)
  hidden.set('labels', { ...topics.get('labels')!, config: null })
  const sight = { ...rest, topics: hidden }
  for (const check of ['retention', 'timestamps', 'input size', 'cleanup policy']) {
    expect(verdictsOf(kafkaExamination, check, sight)).toMatchObject([
      { level: 'warning', found: 'labels could not be seen' },
    ])
  }
})
