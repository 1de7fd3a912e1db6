// Each check of the brokers, on a cluster where one thing is wrong.

import { expect, test } from 'vitest'
import { judgeSight } from '../../services/doctor/finding.ts'
import { kafkaExamination } from '../../services/doctor/kafka-checks.ts'
import { soundBroker, soundCluster, soundNeeds, verdictsOf } from '../support/sights.ts'

const judge = (check: string, changes: Partial<ReturnType<typeof soundCluster>>) =>
  verdictsOf(kafkaExamination, check, { ...soundCluster(), ...changes })

test('doctor, Kafka - finds nothing wrong with a sound cluster', () => {
  const findings = judgeSight(kafkaExamination, soundCluster(), soundNeeds)
  expect(findings.filter(({ level }) => level !== 'ok')).toEqual([])
})

test('doctor, Kafka - a listener that leads nowhere is fatal, a single broker away is not', () => {
  const trouble = 'connect ECONNREFUSED'
  const away = { ...soundBroker(1), trouble, config: null }
  expect(judge('advertised listeners', { brokers: [away, soundBroker(2)] })).toMatchObject([
    { level: 'warning', found: `broker 1 at broker-1:9092: ${trouble}` },
  ])
  expect(judge('advertised listeners', { brokers: [away] })).toMatchObject([
    { level: 'fatal', change: expect.stringContaining('advertised.listeners') },
  ])
})

test('doctor, Kafka - a broker without transactions is fatal, an old one a warning', () => {
  const requests = new Map([
    [0, 9],
    [22, 1],
    [24, 1],
    [25, 1],
    [28, 2],
  ])
  expect(judge('broker version', { requests })).toMatchObject([
    { level: 'fatal', found: 'no EndTxn' },
  ])
  const whole = (produce: number) => new Map([...requests, [0, produce], [26, 1]])
  expect(judge('broker version', { requests: whole(8) })).toMatchObject([{ level: 'warning' }])
  expect(judge('broker version', { requests: whole(9) })).toMatchObject([
    { level: 'ok', found: 'speaks as Apache Kafka 2.8 or later' },
  ])
  expect(judge('broker version', { requests: null })).toMatchObject([{ level: 'warning' }])
})

test.each([
  ['transaction timeout', 'transaction.max.timeout.ms', '14999', 'fatal'],
  ['session timeout', 'group.min.session.timeout.ms', '10001', 'fatal'],
  ['session timeout', 'group.max.session.timeout.ms', '9999', 'fatal'],
  ['offsets retention', 'offsets.retention.minutes', '10079', 'warning'],
])('doctor, Kafka - %s: %s of %s is %s', (check, setting, value, level) => {
  const brokers = [soundBroker(1), soundBroker(2, { [setting]: value })]
  expect(judge(check, { brokers })).toContainEqual({
    level,
    found: expect.stringMatching(`^broker 2: ${setting} is `),
    change: expect.stringMatching(`^${setting} [<>]= `),
  })
})

test('doctor, Kafka - settings that are not shown are a warning, not a guess', () => {
  const brokers = [{ ...soundBroker(1), config: null }]
  expect(judge('transaction timeout', { brokers })).toMatchObject([
    { level: 'warning', found: 'transaction.max.timeout.ms could not be seen' },
  ])
})

test("doctor, Kafka - one copy of Kafka's own topics is a warning", () => {
  const { topics } = soundCluster()
  const own = topics.get('__consumer_offsets')!
  const partitions = own.partitions.map((partition) => ({ ...partition, replicas: 1 }))
  const changed = new Map([...topics, ['__consumer_offsets', { ...own, partitions }]])
  expect(judge("replicas of Kafka's own topics", { topics: changed })).toMatchObject([
    { level: 'warning', found: '__consumer_offsets has 1 replica' },
  ])
})
