// A real MLflow that asks for a login and speaks TLS with a certificate of an authority of its own,
// and a proxy that asks for a bearer token: who is let in, what is said to the others, and that no
// secret is in it.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { request as openHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createMlflowClient } from '../../../services/adapters/models/mlflow-client.ts'
import { readModelParts } from '../../../services/adapters/models/model-folder.ts'
import { openModelSource } from '../../../services/adapters/models/open-model-source.ts'
import { publishModel } from '../../../services/adapters/models/publish-model.ts'
import { WeirError } from '../../../services/core/errors.ts'
import { mlflowSource } from '../../../services/core/pipeline-definition.ts'
import type { MlflowSettings } from '../../../services/core/settings.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'
import { type MlflowServer, openMlflow } from '../../support/mlflow.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import {
  canMakeCertificates,
  makeCertificate,
  type TestCertificate,
} from '../../support/test-certificate.ts'
import { shippedFolder } from '../onnx/fixture-models.ts'

const admin = { username: 'owner', password: `secret-${randomBytes(12).toString('hex')}` }
const reader = { username: 'scorer', password: `secret-${randomBytes(12).toString('hex')}` }
const token = `secret-${randomBytes(12).toString('hex')}`
const wrong = { username: 'owner', password: `secret-${randomBytes(12).toString('hex')}` }
const basicOf = ({ username, password }: typeof admin) =>
  Buffer.from(`${username}:${password}`).toString('base64')
const secrets = [admin, reader, wrong].flatMap((login) => [login.password, basicOf(login)])

let server: MlflowServer | string = 'openssl is missing'
let tls: TestCertificate
const certificates = mkdtempSync(join(tmpdir(), 'weir-mlflow-'))
let settings: MlflowSettings
beforeAll(async () => {
  if (!canMakeCertificates) return
  tls = makeCertificate(certificates)
  server = await openMlflow({ login: admin, tls })
  if (typeof server === 'string') return
  settings = { url: server.url, auth: admin, token: null, caFile: tls.authority }
  await createMlflowClient(settings).ask({
    method: 'POST',
    path: '/api/2.0/mlflow/users/create',
    body: reader,
  })
}, 900_000)
afterAll(async () => {
  rmSync(certificates, { recursive: true })
  if (typeof server !== 'string') await server.stop()
})

/** A copy of the shipped model under a name of its own. */
function makeModel() {
  const folder = join(temporaryFolder(), 'model')
  cpSync(join(shippedFolder, 'card-fraud', '1'), folder, { recursive: true })
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  manifest.name = `m-${randomBytes(4).toString('hex')}`
  writeFileSync(path, JSON.stringify(manifest))
  return { folder, name: manifest.name as string }
}

const publishing = { experiment: 'weir-tests', aliases: ['champion'], nowMs: Date.now }
const publish = async (folder: string, changed: Partial<MlflowSettings> = {}) =>
  publishModel(
    createMlflowClient({ ...settings, ...changed }),
    await readModelParts(folder),
    publishing,
  )

function fetchAs(name: string, changed: Partial<MlflowSettings>, cacheFolder = temporaryFolder()) {
  const signals: Signal[] = []
  const place = {
    mlflow: { ...settings, ...changed },
    cache: { folder: cacheFolder, bytesMax: 2 ** 30 },
    signatures: { keyFiles: [], isRequired: false },
  }
  const asked = { name, version: '@champion', source: mlflowSource }
  const note = (signal: Signal): void => {
    if (signal.kind !== 'connection') signals.push(signal)
  }
  const source = () => openModelSource(place, note)
  return { signals, fetched: (async () => source().fetch(asked))() }
}

/** The refusal, with everything that a log could show of it looked through for secrets. */
async function refusalOf(work: Promise<unknown>): Promise<WeirError> {
  const error = await work.then(
    () => null,
    (error: unknown) => error,
  )
  if (!(error instanceof WeirError)) throw new Error(`no refusal: ${inspect(error)}`)
  const shown = inspect(error, { depth: 20, showHidden: true, maxStringLength: null })
  for (const secret of [...secrets, token]) expect(shown).not.toContain(secret)
  return error
}

test('mlflow login - lets the right login in over TLS, and no further than its permission', async ({
  skip,
}) => {
  if (typeof server === 'string') return skip(server)
  const { folder, name } = makeModel()
  expect(await publish(folder)).toMatchObject({ isNew: true })
  const { signals, fetched } = fetchAs(name, { auth: reader })
  const reference = await fetched
  expect(reference).toMatchObject({ name, version: '1' })
  expect(signals).toMatchObject([{ kind: 'model_fetched', from: 'registry' }])
  expect(JSON.stringify(signals)).not.toContain(reader.password)
  const forbidden = await refusalOf(publish(folder, { auth: reader }))
  expect(forbidden.code).toBe('WEIR_CLASSIFY_REGISTRY_REFUSED')
  expect(forbidden.message).toMatch(/status 403.*WEIR_MLFLOW_USERNAME.*may do this/)
}, 180_000)

test('mlflow login - a wrong password and none are told which settings to check', async ({
  skip,
}) => {
  if (typeof server === 'string') return skip(server)
  const { folder, name } = makeModel()
  await publish(folder)
  const cache = temporaryFolder()
  await fetchAs(name, {}, cache).fetched
  // Also with the model in the cache: that the login is wrong must not go unnoticed.
  const refused = await refusalOf(fetchAs(name, { auth: wrong }, cache).fetched)
  expect(refused.code).toBe('WEIR_CLASSIFY_REGISTRY_REFUSED')
  expect(refused.message).toMatch(/status 401.*check WEIR_MLFLOW_USERNAME and WEIR_MLFLOW_PASSWORD/)
  const missing = await refusalOf(fetchAs(name, { auth: null }).fetched)
  expect(missing.message).toMatch(/status 401.*set WEIR_MLFLOW_USERNAME.* or WEIR_MLFLOW_TOKEN/)
}, 180_000)

test('mlflow login - believes a certificate of the named authority alone, and sends others nothing', async ({
  skip,
}) => {
  if (typeof server === 'string') return skip(server)
  const { folder, name } = makeModel()
  await publish(folder)
  const foreign = makeCertificate(temporaryFolder()).authority
  for (const caFile of [null, foreign]) {
    const refused = await refusalOf(fetchAs(name, { caFile }).fetched)
    expect(refused.code).toBe('WEIR_CLASSIFY_REGISTRY_AWAY')
    expect(refused.message).toMatch(/certificate.*set WEIR_MLFLOW_CA/)
  }
  const other = await refusalOf(
    fetchAs(name, { url: server.url.replace('127.0.0.1', 'localhost') }).fetched,
  )
  expect(other.message).toMatch(/set WEIR_MLFLOW_URL to a name of the certificate/)
  const cache = temporaryFolder()
  await fetchAs(name, {}, cache).fetched
  const { signals, fetched } = fetchAs(name, { caFile: foreign }, cache)
  await fetched
  expect(signals).toMatchObject([
    { kind: 'model_registry_away', detail: expect.stringContaining('WEIR_MLFLOW_CA') },
    { kind: 'model_fetched', from: 'cache_while_away' },
  ])
}, 180_000)

test('mlflow login - refuses an authority’s file without certificates', async () => {
  const file = join(temporaryFolder(), 'ca.pem')
  const place = { url: 'https://127.0.0.1:1', auth: null, token: null, caFile: file }
  expect(() => createMlflowClient(place)).toThrow(/WEIR_MLFLOW_CA {2}.*no such file/)
  writeFileSync(file, 'a key, perhaps')
  expect(() => createMlflowClient(place)).toThrow(/WEIR_MLFLOW_CA {2}.*found no certificate/)
  writeFileSync(file, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')
  expect(() => createMlflowClient(place)).toThrow('WEIR_SETTINGS_INVALID')
})

/** Lets the token through to the real server with the owner's login, and echoes any other. */
async function openProxy(target: string): Promise<string> {
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { method = 'GET', url = '/', headers } = incoming
    if (headers.authorization !== `Bearer ${token}`) {
      outgoing.writeHead(401).end(`who is ${headers.authorization}?`)
      return
    }
    const ca = readFileSync(tls.authority)
    const authorization = `Basic ${basicOf(admin)}`
    const { host: _, ...kept } = headers
    const options = { method, ca, headers: { ...kept, authorization } }
    const onward = openHttps(new URL(url, target), options, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  }
  const proxy = createServer(pass)
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => void proxy.close())
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

test('mlflow login - goes through a proxy that asks for a bearer token, which no message repeats', async ({
  skip,
}) => {
  if (typeof server === 'string') return skip(server)
  const { folder, name } = makeModel()
  const url = await openProxy(server.url)
  const bearer = { url, auth: null, token, caFile: null }
  expect(await publish(folder, bearer)).toMatchObject({ isNew: true })
  expect(await fetchAs(name, bearer).fetched).toMatchObject({ name, version: '1' })
  const foreign = `secret-${randomBytes(12).toString('hex')}`
  const refused = await refusalOf(fetchAs(name, { ...bearer, token: foreign }).fetched)
  expect(refused.message).toMatch(/401 \(who is Bearer \[redacted\]\?\); check WEIR_MLFLOW_TOKEN/)
  expect(inspect(refused, { depth: 20 })).not.toContain(foreign)
}, 180_000)

/** Ends with its exit code and everything that it printed. */
async function runWeir(environment: Record<string, string>, ...words: readonly string[]) {
  const child = spawn(process.execPath, ['services/cli/main.ts', ...words], {
    env: { ...process.env, ...environment },
  })
  let printed = ''
  child.stdout.on('data', (text) => (printed += text))
  child.stderr.on('data', (text) => (printed += text))
  const [code] = await once(child, 'close')
  return { code, printed }
}

test('mlflow login - `weir models publish` takes login and authority from the environment', async ({
  skip,
}) => {
  if (typeof server === 'string') return skip(server)
  const { folder, name } = makeModel()
  const as = ({ username, password }: typeof admin) => ({
    WEIR_MLFLOW_URL: settings.url,
    WEIR_MLFLOW_CA: tls.authority,
    WEIR_MLFLOW_USERNAME: username,
    WEIR_MLFLOW_PASSWORD: password,
  })
  const refused = await runWeir(as(wrong), 'models', 'publish', folder)
  expect(refused.code).toBe(2)
  expect(refused.printed).toMatch(/^WEIR_CLASSIFY_REGISTRY_REFUSED: .*WEIR_MLFLOW_PASSWORD/)
  const made = await runWeir(as(admin), 'models', 'publish', folder, '--alias', 'champion')
  expect(made.code).toBe(0)
  expect(made.printed).toContain(`${name} 1 published`)
  for (const secret of secrets) expect(refused.printed + made.printed).not.toContain(secret)
}, 180_000)
