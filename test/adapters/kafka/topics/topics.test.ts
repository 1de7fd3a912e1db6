// The plan: names, prefix and sizes in; one planned topic per role out.

import { expect, test } from 'vitest'
import { topicPlan, topicRoles } from '../../../../services/adapters/kafka/topics/topics.ts'

test('topics - plans every role under its default name', () => {
  const plan = topicPlan()
  expect(plan.map(({ role }) => role)).toEqual(topicRoles)
  expect(Object.fromEntries(plan.map(({ topic, partitions }) => [topic, partitions]))).toEqual({
    transactions: 4,
    labels: 4,
    'transactions.scored': 4,
    'fraud.alerts': 4,
    'drift.samples': 4,
    'transactions.rejected': 4,
    'transactions.late': 4,
    'drift.reports': 1,
    'model.control': 1,
    'model.audit': 1,
    'model.comparisons': 1,
  })
})

test('topics - lets the broker stamp inputs, and compacts only the roster', () => {
  for (const { role, config, compatibility } of topicPlan()) {
    const isInput = role === 'transactions' || role === 'labels'
    expect(config['message.timestamp.type']).toBe(isInput ? 'LogAppendTime' : 'CreateTime')
    expect(compatibility).toBe(isInput ? 'FULL_TRANSITIVE' : 'FULL')
    expect(config['cleanup.policy']).toBe(role === 'modelControl' ? 'compact' : 'delete')
  }
})

test('topics - takes names, prefix and sizes from its caller', () => {
  const names = { transactions: 'payments', labels: null }
  const plan = topicPlan({ names, prefix: 'run-7.', partitions: 12, replication: 3 })
  const planned = Object.fromEntries(plan.map((topic) => [topic.role, topic]))
  expect(planned.labels).toBeUndefined()
  expect(planned.transactions).toMatchObject({
    topic: 'run-7.payments',
    partitions: 12,
    replication: 3,
    config: { 'min.insync.replicas': '2' },
  })
  expect(planned.modelControl).toMatchObject({ topic: 'run-7.model.control', partitions: 1 })
})

test.each([0, -1, 1.5, Number.NaN])('topics - refuses %s partitions or replicas', (count) => {
  expect(() => topicPlan({ partitions: count })).toThrow(/WEIR_SETTINGS_INVALID.*--partitions/)
  expect(() => topicPlan({ replication: count })).toThrow(/WEIR_SETTINGS_INVALID.*--replication/)
})
