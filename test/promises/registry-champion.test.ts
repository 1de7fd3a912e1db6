// Promises 1 and 7 with the champion behind an alias of a real MLflow, which asks for a login over
// TLS.
//
// Three scorers, one after the other, on one real topic: the alias names version 1, then version 2,
// then MLflow is away. Each event tells the version that the alias named when its scorer started,
// and nothing is lost between them. All that is asserted of events is read from the topics.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { prefillTopic } from '../../load/generator/prefill.ts'
import { createMlflowClient } from '../../services/adapters/models/mlflow-client.ts'
import { readModelParts } from '../../services/adapters/models/model-folder.ts'
import { publishModel } from '../../services/adapters/models/publish-model.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { judgeHistory } from '../support/judge-history.ts'
import { type MlflowServer, openMlflow } from '../support/mlflow.ts'
import {
  openScoringEnvironment,
  replaceLine,
  type ScoringEnvironment,
} from '../support/scoring-environment.ts'
import {
  canMakeCertificates,
  makeCertificate,
  type TestCertificate,
} from '../support/test-certificate.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { allTopicsOf, readWeirTopics } from '../support/weir-topics.ts'

const EVENTS_EACH = 1500
const login = { username: 'owner', password: 'secret-of-this-test' }
const folder = mkdtempSync(join(tmpdir(), 'weir-registry-'))

let tls: TestCertificate
let mlflow: MlflowServer | string = 'openssl is missing'
let place: ScoringEnvironment | null = null
let collector: TopicCollector | null = null
beforeAll(async () => {
  if (!canMakeCertificates) return
  tls = makeCertificate(folder)
  mlflow = await openMlflow({ login, tls })
}, 900_000)
afterAll(async () => {
  await collector?.close()
  await place?.close()
  if (typeof mlflow !== 'string') await mlflow.stop()
  rmSync(folder, { recursive: true })
})

/** The shipped model as this version, published with the alias. */
async function publish(url: string, version: string): Promise<void> {
  const copy = join(folder, version)
  cpSync(join(repositoryFolder, 'models', 'card-fraud', '1'), copy, { recursive: true })
  const path = join(copy, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...manifest, version }))
  const client = createMlflowClient({ url, auth: login, token: null, caFile: tls.authority })
  const options = { experiment: 'weir-tests', aliases: ['champion'], nowMs: Date.now }
  await publishModel(client, await readModelParts(copy), options)
}

async function openEnvironment(url: string): Promise<ScoringEnvironment> {
  const champion = 'model: { name: card-fraud, version: "@champion", source: mlflow }'
  return openScoringEnvironment({
    purpose: 'registry-champion',
    partitions: 2,
    pipelineText: replaceLine('model:', champion),
    environment: {
      WEIR_MLFLOW_URL: url,
      WEIR_MLFLOW_CA: tls.authority,
      WEIR_MLFLOW_USERNAME: login.username,
      WEIR_MLFLOW_PASSWORD: login.password,
      WEIR_MODEL_CACHE: join(folder, 'cache'),
    },
  })
}

/** More events, scored by a scorer of their own. Out: its log. */
async function scoreMore(place: ScoringEnvironment, round: number): Promise<string> {
  const { definition, schemaIds, stack } = place
  await prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: {
      seed: round,
      count: EVENTS_EACH,
      customers: 200,
      terminals: 100,
      startTimeMs: Date.now() - (40 - 10 * round) * 86_400_000,
    },
    disturbances: { poisonShare: 0.01 },
  })
  const scorer = await place.startScorer()
  await untilCommitted(place)
  scorer.signal('SIGTERM')
  expect(await scorer.ended).toBe('exited with code 0')
  return readFileSync(scorer.logFile, 'utf8')
}

test('a champion behind an alias is fetched at each start, named in each event, and kept for when MLflow is away', async ({
  skip,
}) => {
  if (typeof mlflow === 'string') return skip(mlflow)
  const { url, stop } = mlflow
  await publish(url, '1')
  place = await openEnvironment(url)
  collector = await collectTopics(place.kafka, allTopicsOf(place.definition))
  const topics = readWeirTopics(place.definition, collector)

  const logs = [await scoreMore(place, 0)]
  await publish(url, '2')
  logs.push(await scoreMore(place, 1))
  await stop()
  logs.push(await scoreMore(place, 2))
  await collector.untilEnd()

  const verdict = await judgeHistory(place, topics)
  expect([verdict.missing, verdict.repeated]).toEqual([[], []])
  expect(verdict.recomputed.differences).toEqual([])
  const scored = topics.scored()
  expect(scored).toHaveLength(3 * EVENTS_EACH)
  expect(topics.rejected().length).toBeGreaterThan(0)
  const versions = scored.map(({ modelName, modelVersion }) => `${modelName} ${modelVersion}`)
  const countOf = (version: string) => versions.filter((found) => found === version).length
  expect([countOf('card-fraud 1'), countOf('card-fraud 2')]).toEqual([EVENTS_EACH, 2 * EVENTS_EACH])

  const fetched = logs.map((log) => log.split('\n').find((line) => line.includes('model_fetched')))
  const found = fetched.map((line) => JSON.parse(line!))
  expect(found).toMatchObject([
    { asked: '@champion', version: '1', from: 'registry' },
    { asked: '@champion', version: '2', from: 'registry' },
    { asked: '@champion', version: '2', from: 'cache_while_away' },
  ])
  const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64')
  for (const secret of [login.password, basic]) expect(logs.join()).not.toContain(secret)
}, 180_000)
