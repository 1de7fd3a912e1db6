// `weir models list | shadow | canary | promote | rollback | history` as processes on the real
// stack.

import { execFile } from 'node:child_process'
import { userInfo } from 'node:os'
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
type Place = Readonly<Record<string, string>>

function runWeir(place: Place, ...words: readonly string[]): Promise<Ended> {
  const program = join(repositoryFolder, 'services/cli/main.ts')
  return new Promise((resolve) => {
    const env = { ...process.env, ...place }
    const options = { cwd: repositoryFolder, env, timeout: 60_000 }
    execFile(process.execPath, [program, ...words], options, (failure, out, error) => {
      resolve({ code: failure === null ? 0 : Number(failure.code), out, error })
    })
  })
}

/** Neither Redis nor a registry is there, but where a test asks for one. */
async function openEnvironment(): Promise<{ readonly place: Place; readonly registry: Place }> {
  const prefix = `${uniqueName('models-roster')}.`
  const brokers = stack.kafkaBrokers
  onTestFinished(async () => {
    const admin = createKafka({ brokers, clientId: 'roster-test', logger: silentLogger }).admin()
    await admin.connect()
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    await admin.disconnect()
  })
  const place = {
    WEIR_KAFKA_BROKERS: brokers.join(','),
    WEIR_REDIS_URL: 'redis://127.0.0.1:1',
    WEIR_REGISTRY_URL: 'http://127.0.0.1:1',
    WEIR_TOPIC_PREFIX: prefix,
  }
  const registry = { ...place, WEIR_REGISTRY_URL: stack.registryUrl }
  const applied = await runWeir(registry, 'topics', 'apply', '--yes', '--prefix', prefix)
  expect(applied).toMatchObject({ code: 0 })
  return { place, registry }
}

const because = ['--why', 'because of the test', '--who', 'ana']

test('models roster - leads a model from the shadow to the top and back, without registry and Redis', async () => {
  const { place, registry } = await openEnvironment()
  expect(await runWeir(place, 'models', 'list')).toMatchObject({
    code: 0,
    out: 'card-fraud, epoch 0: models of the pipeline file\nchampion    card-fraud 1\n',
  })
  const nothing = await runWeir(place, 'models', 'history')
  expect(nothing.out).toBe('card-fraud: the roster was never changed\n')

  const first = await runWeir(registry, 'models', 'shadow', '2', '--why', 'trained on March')
  expect(first.out).toMatch(
    /^epoch 1: shadow: challenger card-fraud 2 in; .*Z: trained on March\n$/,
  )
  expect(first.out).toContain(`; ${userInfo().username}, 20`)

  const trial = await runWeir(place, 'models', 'canary', '2', '--share', '5', ...because)
  expect(trial.out).toMatch(
    /^epoch 2: canary: canary card-fraud 2 decides for 5 % of the customers; ana, /,
  )
  const shown = await runWeir(place, 'models', 'list')
  expect(shown.out.split('\n').slice(1)).toEqual([
    'champion    card-fraud 1',
    'challenger  card-fraud 2, decides for 5 % of the customers',
    '',
  ])
  await runWeir(place, 'models', 'promote', ...because)
  await runWeir(place, 'models', 'rollback', '--drop', ...because)

  const history = await runWeir(place, 'models', 'history')
  const facts = history.out.split('\n').map((line) => line.split(';')[0])
  expect(facts).toEqual([
    'epoch 1: shadow: challenger card-fraud 2 in',
    'epoch 2: canary: canary card-fraud 2 decides for 5 % of the customers',
    'epoch 3: promote: champion card-fraud 1 -> card-fraud 2, challenger card-fraud 2 out, canary card-fraud 2 ends',
    'epoch 4: rollback: champion card-fraud 2 -> card-fraud 1',
    '',
  ])
  const { steps } = JSON.parse((await runWeir(place, 'models', 'history', '--json')).out)
  expect(steps.at(-1)).toMatchObject({ action: 'rollback', after: { epoch: 4, challengers: [] } })

  const asked = ['models', 'show', 'card-fraud', '1', '--pipeline', 'pipelines/card-fraud.yaml']
  const { life } = JSON.parse((await runWeir(place, ...asked, '--json')).out)
  expect(life).toMatchObject([
    { epoch: 3, who: 'ana', before: 'champion', after: 'none' },
    { epoch: 4, who: 'ana', before: 'none', after: 'champion' },
  ])
  expect((await runWeir(place, ...asked)).out).toMatch(/LIFE\nWho let it score.*\n.*epoch +when/)
})

test('models roster - ends with 2 where the roster refuses, with 1 where somebody was faster', async () => {
  const { registry } = await openEnvironment()
  const refused = await runWeir(registry, 'models', 'rollback', ...because)
  expect(refused).toMatchObject({ code: 2, out: '' })
  expect(refused.error).toMatch(/^WEIR_ROSTER_REFUSED: .* found no promotion.*\n$/)

  const made = await runWeir(
    registry,
    'models',
    'shadow',
    '2',
    '--json',
    '--epoch',
    '0',
    ...because,
  )
  expect(JSON.parse(made.out)).toMatchObject({ action: 'shadow', after: { epoch: 1, who: 'ana' } })
  const late = await runWeir(registry, 'models', 'shadow', '3', '--epoch', '0', ...because)
  expect(late).toMatchObject({ code: 1, out: '' })
  expect(late.error).toMatch(/^WEIR_ROSTER_CONFLICT: .*found epoch 1/)
  const list = JSON.parse((await runWeir(registry, 'models', 'list', '--json')).out)
  expect(list).toMatchObject({ epoch: 1, challengers: [{ name: 'card-fraud', version: '2' }] })
})

test.each([
  [['shadow', '2'], /required option '--why/],
  [['canary', '2', '--share', '7', ...because], /Allowed choices are 1, 5, 25, 50, 100/],
  [['rollback', '--epoch', 'last', ...because], /Expected a whole number from 0/],
  [['promote', '--name', 'tree', ...because], /--name tree without a version/],
])('models roster - refuses %j before it asks anybody', async (words, reason) => {
  const place = { WEIR_KAFKA_BROKERS: '127.0.0.1:1' }
  const ended = await runWeir(place, 'models', ...words)
  expect(ended.code).not.toBe(0)
  expect(ended.error).toMatch(reason)
})
