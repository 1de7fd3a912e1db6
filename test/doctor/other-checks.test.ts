// The checks of registry, clocks and models; and what is said of a system that does not answer.

import { expect, test } from 'vitest'
import type { ClockSight } from '../../services/adapters/kafka/topics/inspect-clock.ts'
import { type ClocksSight, clockExamination } from '../../services/doctor/clock-checks.ts'
import { type Examination, examine } from '../../services/doctor/finding.ts'
import { type LoadedModel, modelExamination } from '../../services/doctor/model-checks.ts'
import { registryExamination } from '../../services/doctor/registry-checks.ts'
import { soundNeeds, soundSubjects, verdictsOf } from '../support/sights.ts'

const judgeSubject = (check: string, subject: string, change: object) =>
  verdictsOf(
    registryExamination,
    check,
    soundSubjects().map((sight) => (sight.subject === subject ? { ...sight, ...change } : sight)),
  )

test('doctor, registry - a schema that is written has to be registered, one that is read should', () => {
  const missing = { isRegistered: false, latestVersion: null }
  expect(judgeSubject('schemas', 'fraud.alerts-value', missing)).toEqual([
    {
      level: 'fatal',
      found: 'fraud.alerts-value has nothing for fraud-alert.avsc',
      change: 'run `weir topics apply`',
    },
  ])
  expect(judgeSubject('schemas', 'labels-value', missing)).toMatchObject([
    { level: 'warning', found: 'labels-value has nothing for label.avsc' },
  ])
  const other = { isRegistered: false, latestVersion: 3 }
  expect(judgeSubject('schemas', 'drift.reports-value', other)).toMatchObject(
    [{ level: 'warning', found: /version 3, another one for drift-report.avsc/ }].map((one) => ({
      ...one,
      found: expect.stringMatching(one.found),
    })),
  )
  // A producer's own schema is as good.
  expect(judgeSubject('schemas', 'labels-value', other)).toMatchObject([{ level: 'ok' }])
  expect(judgeSubject('schemas', '', {})).toMatchObject([{ level: 'ok' }])
})

const owner = 'its owner decides: `weir topics check` has the command'
test.each([
  ['labels-value', 'NONE', 'NONE', `FULL_TRANSITIVE (${owner})`],
  ['labels-value', null, 'no level of its own', `FULL_TRANSITIVE (${owner})`],
  ['fraud.alerts-value', 'BACKWARD', 'BACKWARD', 'FULL (run `weir topics apply`)'],
  ['fraud.alerts-value', 'BACKWARD_TRANSITIVE', 'BACKWARD_TRANSITIVE', `FULL (${owner})`],
] as const)(
  'doctor, registry - %s with the level %s is a warning',
  (subject, level, found, change) => {
    expect(judgeSubject('compatibility', subject, { level })).toEqual([
      { level: 'warning', found: `${subject}: ${found}`, change },
    ])
  },
)

test('doctor, registry - a stricter level is as good', () => {
  const level = 'FULL_TRANSITIVE'
  expect(judgeSubject('compatibility', 'labels-value', { level })).toMatchObject([{ level: 'ok' }])
})

const sound: ClockSight = { aheadMs: -3, uncertainMs: 1 }
const clocks: ClocksSight = { redis: sound, broker: null, hasFutureStamps: false }
const judgeBroker = (broker: ClockSight) =>
  verdictsOf(clockExamination, "brokers' clock", { ...clocks, broker })[0]

test('doctor, clocks - one that is apart is a warning, less its uncertainty', () => {
  const redis = (aheadMs: number, uncertainMs = 1) =>
    verdictsOf(clockExamination, "Redis' clock", { ...clocks, redis: { aheadMs, uncertainMs } })[0]
  expect(redis(-3)).toMatchObject({ level: 'ok' })
  expect(redis(-1002)).toMatchObject({
    level: 'warning',
    found: "1002 ms behind this machine's, give or take 1 ms",
  })
  expect(redis(1500, 600)).toMatchObject({ level: 'ok' })
})

test('doctor, clocks - a broker behind by more than validate.futureMax rejects every event', () => {
  const { futureMaxMs } = soundNeeds
  expect(judgeBroker({ aheadMs: -futureMaxMs - 2, uncertainMs: 1 })).toMatchObject({
    level: 'fatal',
  })
  expect(judgeBroker({ aheadMs: -futureMaxMs, uncertainMs: 1 })).toMatchObject({ level: 'warning' })
  expect(judgeBroker({ aheadMs: futureMaxMs * 2, uncertainMs: 1 })).toMatchObject({
    level: 'warning',
  })
  expect(judgeBroker(sound)).toMatchObject({ level: 'ok' })
})

test('doctor, clocks - without a probe, stamps of the future tell of a broker that is ahead', () => {
  const judged = (hasFutureStamps: boolean) =>
    verdictsOf(clockExamination, "brokers' clock", { ...clocks, hasFutureStamps })
  expect(judged(true)).toMatchObject([{ level: 'warning' }])
  expect(judged(false)).toMatchObject([{ level: 'ok' }])
})

test('doctor, models - a preferred provider that does not run one is a warning', () => {
  const model: LoadedModel = {
    kind: 'model_loaded',
    name: 'm',
    version: '2',
    role: 'champion',
    provider: 'cpu',
    sha256: '',
    missedProviders: '',
    durationMs: 1,
  }
  const judged = (missedProviders: string) =>
    verdictsOf(modelExamination, 'provider', [{ ...model, missedProviders }])
  expect(judged('')).toMatchObject([{ level: 'ok', found: 'm 2 on cpu' }])
  expect(judged('cuda is not there')).toMatchObject([
    { level: 'warning', found: 'm 2 runs on cpu: cuda is not there' },
  ])
})

test('doctor, clocks - of what is away no clock is known, and none is ok', () => {
  const away = { redis: null, broker: null, hasFutureStamps: null }
  for (const check of ["Redis' clock", "brokers' clock"]) {
    expect(verdictsOf(clockExamination, check, away)).toMatchObject([
      { level: 'unknown', found: expect.stringMatching(/^not looked at: /) },
    ])
  }
})

test('doctor - a system that does not answer is one fatal finding, and nothing of it is ok', async () => {
  const away = () => Promise.reject(new Error('nobody there'))
  const findings = await examine(registryExamination, away, soundNeeds)
  expect(findings).toEqual([
    {
      system: 'registry',
      check: 'answers',
      level: 'fatal',
      found: 'nobody there',
      ...{ why: registryExamination.reach.why, change: registryExamination.reach.change },
    },
    ...registryExamination.checks.map(({ name, why }) => ({
      system: 'registry',
      check: name,
      level: 'unknown',
      found: 'not looked at: registry did not answer',
      ...{ why, change: registryExamination.reach.change },
    })),
  ])
})

test('doctor - a check may not be worse than its row says, nor silent', async () => {
  const row = { name: 'odd', why: 'because', worst: 'warning' } as const
  const reach = { name: 'answers', why: '', change: '' }
  const examineRow = (judge: Examination<null>['checks'][number]['judge']) =>
    examine({ system: 'kafka', reach, checks: [{ ...row, judge }] }, async () => null, soundNeeds)
  const verdict = { found: 'x', change: 'y' }
  await expect(examineRow(() => ({ level: 'fatal', ...verdict }))).rejects.toThrow(/odd of kafka/)
  await expect(examineRow(() => [])).rejects.toThrow(/odd of kafka/)
  await expect(examineRow(() => ({ level: 'warning', ...verdict }))).resolves.toHaveLength(2)
})
