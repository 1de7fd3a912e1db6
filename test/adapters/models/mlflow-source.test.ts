// A model's way through a real MLflow server: published, found by alias and version, cached, away,
// forged.

import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createMlflowClient } from '../../../services/adapters/models/mlflow-client.ts'
import { createMlflowSource } from '../../../services/adapters/models/mlflow-source.ts'
import { createModelCache } from '../../../services/adapters/models/model-cache.ts'
import { readModelParts } from '../../../services/adapters/models/model-folder.ts'
import { publishModel } from '../../../services/adapters/models/publish-model.ts'
import { mlflowSource } from '../../../services/core/pipeline-definition.ts'
import { addSignature, keyIdOf, noSignatures } from '../../../services/models/manifest-signature.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'
import { type MlflowServer, openMlflow } from '../../support/mlflow.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { shippedFolder } from '../onnx/fixture-models.ts'

let server: MlflowServer | string = 'not opened'
beforeAll(async () => {
  server = await openMlflow()
}, 900_000)
afterAll(async () => {
  if (typeof server !== 'string') await server.stop()
})

const clientAt = (url: string, token: string | null = null) =>
  createMlflowClient({ url, auth: null, token, caFile: null })

/** A copy of the shipped model under a name of its own. */
function makeModel(change: (manifest: Record<string, unknown>) => void = () => undefined) {
  const folder = join(temporaryFolder(), 'model')
  cpSync(join(shippedFolder, 'card-fraud', '1'), folder, { recursive: true })
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  manifest.name = `m-${randomUUID().slice(0, 8)}`
  change(manifest)
  writeFileSync(path, JSON.stringify(manifest))
  return { folder, name: manifest.name as string }
}

const publishing = { experiment: 'weir-tests', aliases: ['champion'], nowMs: Date.now }

function sourceAt(url: string, folder: string, signatures = noSignatures) {
  const signals: Signal[] = []
  const connections: string[] = []
  const cache = createModelCache({ folder, bytesMax: 2 ** 30 })
  const observe = (signal: Signal): void => {
    if (signal.kind === 'connection') connections.push(`${signal.system} ${signal.state}`)
    else signals.push(signal)
  }
  const source = createMlflowSource({ client: clientAt(url), cache, signatures, observe })
  return {
    signals,
    connections,
    fetch: (name: string, version: string) => fetchFrom(source, name, version),
  }
}
const fetchFrom = (source: ReturnType<typeof createMlflowSource>, name: string, version: string) =>
  source.fetch({ name, version, source: mlflowSource })

test('mlflow - gives a published model by alias and by version, and keeps it in the cache', async ({
  skip,
}) => {
  if (typeof server === 'string') return skip(server)
  const { folder, name } = makeModel()
  const parts = await readModelParts(folder)
  const first = await publishModel(clientAt(server.url), parts, publishing)
  const again = await publishModel(clientAt(server.url), parts, publishing)
  expect([first.isNew, again.isNew, again.registryVersion]).toEqual([true, false, '1'])
  const { signals, connections, fetch } = sourceAt(server.url, temporaryFolder())
  const reference = await fetch(name, '@champion')
  expect(reference).toMatchObject({ name, version: '1' })
  const fetched = await readModelParts(join(reference.source, name, '1'))
  expect(fetched.files).toEqual(parts.files)
  expect(await fetch(name, '1')).toEqual(reference)
  expect(signals).toMatchObject([{ from: 'registry' }, { from: 'cache' }])
  await expect(fetch(name, '@nobody')).rejects.toThrow(/nobody not found/)
  await expect(fetch(name, '9')).rejects.toThrow(/weir\.version=9/)
  // A refusal is an answer.
  expect(connections).toEqual(Array(4).fill('mlflow up'))
}, 180_000)

test('mlflow - holds metrics, lineage and tags of what was published', async ({ skip }) => {
  if (typeof server === 'string') return skip(server)
  const parts = await readModelParts(makeModel().folder)
  const { runId } = await publishModel(clientAt(server.url), parts, publishing)
  const { run } = await clientAt(server.url).ask<{
    run: {
      info: { status: string }
      data: { metrics: { key: string; value: number }[]; params: { key: string; value: string }[] }
      inputs: { dataset_inputs: { dataset: { digest: string } }[] }
    }
  }>({ method: 'GET', path: '/api/2.0/mlflow/runs/get', query: { run_id: runId } })
  const { metrics, training } = parts.parsed
  expect(run.info.status).toBe('FINISHED')
  expect(run.data.metrics).toContainEqual(
    expect.objectContaining({ key: 'averagePrecision', value: metrics.averagePrecision }),
  )
  expect(run.data.params).toContainEqual({ key: 'training.dataSha256', value: training.dataSha256 })
  expect(run.inputs.dataset_inputs[0]?.dataset.digest).toBe(training.dataSha256.slice(0, 36))
}, 180_000)

test('mlflow - refuses the same version with other content', async ({ skip }) => {
  if (typeof server === 'string') return skip(server)
  const { folder, name } = makeModel()
  await publishModel(clientAt(server.url), await readModelParts(folder), publishing)
  const other = makeModel((manifest) => Object.assign(manifest, { name, createdAt: 'later' }))
  const parts = await readModelParts(other.folder)
  await expect(publishModel(clientAt(server.url), parts, publishing)).rejects.toThrow(
    /was published as version 1/,
  )
}, 180_000)

test('mlflow - asks for signatures before any other file, and refuses foreign ones', async ({
  skip,
}) => {
  if (typeof server === 'string') return skip(server)
  const { folder, name } = makeModel()
  const [own, foreign] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
  const unsigned = await readModelParts(folder)
  const signatures = addSignature(unsigned.manifest, own.privateKey, null)
  await publishModel(clientAt(server.url), { ...unsigned, signatures }, publishing)
  const trusting = ({ publicKey }: typeof own) => ({
    keys: new Map([[keyIdOf(publicKey), publicKey]]),
    isRequired: true,
  })
  const trusted = sourceAt(server.url, temporaryFolder(), trusting(own))
  await trusted.fetch(name, '@champion')
  expect(trusted.signals).toMatchObject([{ signedBy: keyIdOf(own.publicKey) }])
  const refusing = sourceAt(server.url, temporaryFolder(), trusting(foreign))
  await expect(refusing.fetch(name, '@champion')).rejects.toMatchObject({
    code: 'WEIR_CLASSIFY_SIGNATURE_REFUSED',
  })
}, 180_000)

/** Answers every request with the same, and counts them. */
async function answering(status: number, body: string | null, headers = {}) {
  const seen: { authorization: string | undefined }[] = []
  const fake = createServer((request, response) => {
    seen.push({ authorization: request.headers.authorization })
    response.writeHead(status, headers)
    if (body === null) response.flushHeaders()
    else response.end(body)
    if (body === null) setImmediate(() => response.destroy())
  })
  await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void fake.close())
  return { url: `http://127.0.0.1:${(fake.address() as AddressInfo).port}`, seen }
}
const anything = { method: 'GET', path: '/x' } as const

test('mlflow - a server in trouble is asked a bounded number of times, a refusal once', async () => {
  const broken = await answering(503, 'no')
  await expect(clientAt(broken.url).ask(anything)).rejects.toMatchObject({
    code: 'WEIR_CLASSIFY_REGISTRY_AWAY',
  })
  expect(broken.seen).toHaveLength(4)
  await expect(clientAt(broken.url).ask({ ...anything, method: 'POST', body: {} })).rejects.toThrow(
    /503/,
  )
  expect(broken.seen).toHaveLength(5)
  const closed = await answering(403, '{}')
  await expect(clientAt(closed.url, 'hush').ask(anything)).rejects.toThrow(/WEIR_MLFLOW_TOKEN/)
  expect(closed.seen).toEqual([{ authorization: 'Bearer hush' }])
})

test('mlflow - an answer cut short, a redirection and too many bytes are refused', async () => {
  const cut = await answering(200, null, { 'content-length': '100' })
  await expect(clientAt(cut.url).transfer(anything)).rejects.toMatchObject({
    code: 'WEIR_CLASSIFY_REGISTRY_AWAY',
  })
  const moved = await answering(302, '', { location: 'http://127.0.0.1:1/' })
  await expect(clientAt(moved.url).transfer(anything)).rejects.toThrow(/redirection/)
  const long = await answering(200, 'x'.repeat(100))
  await expect(clientAt(long.url).transfer({ ...anything, bytesMax: 99 })).rejects.toThrow(/more/)
})

test('mlflow - away, what was fetched before serves, and what was not is refused', async () => {
  const { url } = await answering(503, 'no')
  const folder = temporaryFolder()
  const cache = createModelCache({ folder, bytesMax: 2 ** 30 })
  const made = makeModel()
  const { manifestSha256 } = await cache.store(await readModelParts(made.folder))
  await cache.remember(`${url}\n${made.name}\n@champion`, manifestSha256)
  const { signals, fetch } = sourceAt(url, folder)
  expect(await fetch(made.name, '@champion')).toMatchObject({ name: made.name, version: '1' })
  expect(signals).toMatchObject([
    { kind: 'model_registry_away' },
    { kind: 'model_fetched', from: 'cache_while_away' },
  ])
  await expect(fetch(made.name, '@challenger')).rejects.toMatchObject({
    code: 'WEIR_CLASSIFY_REGISTRY_AWAY',
  })
})

test('mlflow - is told to be away and back by what was fetched from it', async () => {
  const answers = { status: 503 }
  const server = createServer((_request, response) => {
    const body = JSON.stringify({ error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'not found' })
    response.writeHead(answers.status, { 'content-type': 'application/json' }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const { connections, fetch } = sourceAt(`http://127.0.0.1:${port}`, temporaryFolder())
  await expect(fetch('m', '@champion')).rejects.toThrow(/REGISTRY_AWAY/)
  answers.status = 404
  await expect(fetch('m', '@champion')).rejects.toThrow(/REGISTRY_REFUSED/)
  expect(connections).toEqual(['mlflow down', 'mlflow up'])
})
