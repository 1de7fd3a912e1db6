// `weir doctor` as a process: what it prints and how it ends, on the real stack.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createKafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { repositoryFolder } from '../rules/repository-files.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { type TestStack, testStack, uniqueName } from '../support/stack.ts'

let stack: TestStack
beforeAll(async () => {
  stack = await testStack()
})

type Ended = { readonly code: number; readonly out: string; readonly error: string }

const timeoutMs = 60_000

function runWeir(words: readonly string[], environment: Readonly<Record<string, string>>) {
  const program = join(repositoryFolder, 'services/cli/main.ts')
  return new Promise<Ended>((resolve) => {
    const options = {
      cwd: repositoryFolder,
      env: { ...process.env, ...environment },
      timeout: timeoutMs,
    }
    execFile(process.execPath, [program, ...words], options, (failure, out, error) => {
      resolve({ code: failure === null ? 0 : Number(failure.code), out, error })
    })
  })
}

function placeOf(prefix: string): Record<string, string> {
  onTestFinished(async () => {
    const brokers = stack.kafkaBrokers
    const admin = createKafka({ brokers, clientId: 'doctor-test', logger: silentLogger }).admin()
    await admin.connect()
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    await admin.disconnect()
  })
  return {
    WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
    WEIR_REDIS_URL: stack.redisUrl,
    WEIR_REGISTRY_URL: stack.registryUrl,
    WEIR_TOPIC_PREFIX: prefix,
  }
}

const ofChecks = (out: string) =>
  JSON.parse(out.trimEnd().split('\n').at(-1)!) as {
    readonly worst: string
    readonly findings: readonly { system: string; check: string; level: string; change: unknown }[]
    readonly memory: { readonly bytes: number; readonly kinds: readonly unknown[] } | null
  }

test('doctor command - ends with 2 before topics are applied, and with 1 afterwards', async () => {
  const prefix = `${uniqueName('doctor')}.`
  const place = placeOf(prefix)
  const before = await runWeir(['doctor', '--json'], place)
  expect(before.error).toBe('')
  expect(before.code).toBe(2)
  const sickly = ofChecks(before.out)
  expect(sickly.worst).toBe('fatal')
  const systems = new Set(sickly.findings.map(({ system }) => system))
  expect([...systems]).toEqual(['kafka', 'redis', 'registry', 'clock', 'model'])
  const fatal = sickly.findings.filter(({ level }) => level === 'fatal')
  expect(new Set(fatal.map(({ system, check }) => `${system} ${check}`))).toEqual(
    new Set(['kafka topics', 'registry schemas']),
  )

  // Topics of the shipped pipeline, with the prefix of the place.
  expect(
    await runWeir(['topics', 'apply', '--yes', '--pipeline', 'pipelines/card-fraud.yaml'], place),
  ).toMatchObject({ code: 0 })
  const load = ['--entities', 'customer=1e6,terminal=5e4,pair=2e6', '--events-per-day', '1e6']
  const after = await runWeir(['doctor', '--probe', '--json', ...load], place)
  // A test broker has one copy of everything, and a test Redis no file.
  expect(after).toMatchObject({ code: 1, error: '' })
  const { worst, findings, memory } = ofChecks(after.out)
  expect(worst).toBe('warning')
  expect(findings.filter(({ level }) => level === 'fatal')).toEqual([])
  for (const { level, change } of findings) expect(change === null).toBe(level === 'ok')
  expect(memory!.kinds).toHaveLength(5)
  expect(memory!.bytes).toBeGreaterThan(1e9)
}, 120_000)

test('doctor command - says what is away, in words, and looks at the rest', async () => {
  const place = { ...placeOf(uniqueName('doctor')), WEIR_KAFKA_BROKERS: '127.0.0.1:1' }
  const { code, out } = await runWeir(['doctor'], place)
  expect(code).toBe(2)
  expect(out).toMatch(/^ {2}FATAL answers: events come from the brokers.*\n.*ECONNREFUSED/m)
  expect(out).toMatch(/^ {8}change {2}WEIR_KAFKA_BROKERS/m)
  expect(out).toMatch(/^ {2}ok {4}role: master$/m)
  expect(out).toMatch(/^ {2}\? {5}advertised listeners, .*topics.*: not looked at: kafka did not/m)
  expect(out).toMatch(/^ {2}\? {5}brokers' clock: not looked at/m)
}, 120_000)

test('doctor command - calls nothing ok that it could not look at', async () => {
  const place = {
    ...placeOf(uniqueName('doctor')),
    WEIR_KAFKA_BROKERS: '127.0.0.1:1',
    WEIR_REDIS_URL: 'redis://127.0.0.1:1',
    WEIR_REGISTRY_URL: 'http://127.0.0.1:1',
  }
  const { code, out } = await runWeir(['doctor', '--json'], place)
  expect(code).toBe(2)
  const { worst, findings } = ofChecks(out)
  expect(worst).toBe('fatal')
  const ofPlace = findings.filter(({ system }) => system !== 'model')
  expect(ofPlace.filter(({ level }) => level === 'ok')).toMatchObject([{ check: 'can be asked' }])
  expect(ofPlace.filter(({ level }) => level === 'fatal')).toHaveLength(3)
  expect(ofPlace.filter(({ level }) => level === 'unknown').length).toBeGreaterThan(25)
}, 120_000)

test('doctor command - refuses half of what a prediction needs, and counts that are none', async () => {
  const half = await runWeir(['doctor', '--events-per-day', '1e6'], placeOf(uniqueName('doctor')))
  expect(half).toMatchObject({ code: 2, out: '' })
  expect(half.error).toMatch(/WEIR_SETTINGS_INVALID.*--entities/)
  const none = await runWeir(['doctor', '--entities', 'customer=0'], placeOf(uniqueName('doctor')))
  expect(none.error).toMatch(/Expected a number above 0/)
}, 120_000)
