// The control plane: against the real registry, and against places that only look like one.

import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createDecoder } from '../../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../../services/adapters/registry/schema-files.ts'
import {
  connectRegistry,
  type Registry,
  subjectOf,
} from '../../../services/adapters/registry/schema-registry.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'
import { testStack, uniqueName } from '../../support/stack.ts'

const transaction = readSchema('transaction')

/**
 * The same record with one more field: without a default, old events could not be read any more.
 */
function withField(schemaText: string, field: object): string {
  const schema = JSON.parse(schemaText)
  return JSON.stringify({ ...schema, fields: [...schema.fields, field] })
}
const compatible = withField(transaction, { name: 'extra', type: 'string', default: '' })
const incompatible = withField(transaction, { name: 'risk', type: 'double' })

describe('schema registry - the real one', () => {
  let registry: Registry

  beforeAll(async () => {
    registry = connectRegistry((await testStack()).registryUrl)
    return () => registry.close()
  })

  test('schema registry - knows nothing of a new subject and calls anything compatible', async () => {
    const subject = subjectOf(uniqueName('new'))
    expect(await registry.latest(subject)).toBeNull()
    expect(await registry.lookUp(subject, transaction)).toBeNull()
    expect(await registry.compatibility(subject)).toBeNull()
    expect(await registry.testCompatibility(subject, transaction)).toBe(true)
  })

  test('schema registry - gives back what was registered, by subject and by id', async () => {
    const subject = subjectOf(uniqueName('round-trip'))
    const id = await registry.register(subject, transaction)
    expect(await registry.lookUp(subject, transaction)).toBe(id)
    expect(await registry.latest(subject)).toMatchObject({ id, version: 1 })
    const stored = await registry.schemaById(id, subject)
    expect(JSON.parse(stored ?? '')).toEqual(JSON.parse(transaction))
    expect(await registry.schemaById(0x7ffffffe, subject)).toBeNull()
  })

  test('schema registry - refuses an incompatible schema with its own reason', async () => {
    const subject = subjectOf(uniqueName('refusal'))
    await registry.register(subject, transaction)
    await registry.updateCompatibility(subject, 'BACKWARD_TRANSITIVE')
    expect(await registry.compatibility(subject)).toBe('BACKWARD_TRANSITIVE')
    expect(await registry.testCompatibility(subject, compatible)).toBe(true)
    expect(await registry.testCompatibility(subject, incompatible)).toBe(false)
    await expect(registry.register(subject, incompatible)).rejects.toMatchObject({
      code: 'WEIR_REGISTRY_INCOMPATIBLE',
      message: expect.stringMatching(/ncompatible.*risk/s),
    })
    expect(await registry.latest(subject)).toMatchObject({ version: 1 })
  })

  test('schema registry - a transitive level is tested against every version', async () => {
    const subject = subjectOf(uniqueName('transitive'))
    const bare = JSON.stringify({ ...JSON.parse(transaction), fields: [] })
    const [id] = JSON.parse(transaction).fields
    const onlyId = JSON.stringify({ ...JSON.parse(transaction), fields: [id] })
    const defaulted = JSON.stringify({
      ...JSON.parse(transaction),
      fields: [{ ...id, default: '' }],
    })
    for (const schema of [bare, defaulted]) await registry.register(subject, schema)
    await registry.updateCompatibility(subject, 'BACKWARD')
    expect(await registry.testCompatibility(subject, onlyId)).toBe(true)
    await registry.updateCompatibility(subject, 'BACKWARD_TRANSITIVE')
    expect(await registry.testCompatibility(subject, onlyId)).toBe(false)
  })
})

describe('schema registry - not the real one', () => {
  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test('schema registry - a proxy that finds nothing is an outage, not an answer', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>not here</h1>')
    })
    const registry = connectRegistry(url)
    await expect(registry.schemaById(7, 'any-value')).rejects.toMatchObject({
      code: 'WEIR_REGISTRY_AWAY',
      canRetry: true,
      message: expect.stringContaining('status 404'),
    })
  })

  test('schema registry - asks again when the first answers are failures', async () => {
    let requests = 0
    const url = await serve((_request, response) => {
      requests += 1
      const isWell = requests > 2
      response.writeHead(isWell ? 200 : 503, { 'content-type': 'application/json' })
      response.end(JSON.stringify(isWell ? { schema: transaction } : {}))
    })
    const registry = connectRegistry(url)
    const decoder = createDecoder(transaction, (id) => registry.schemaById(id, 'any-value'))
    await decoder.learn(7)
    expect(requests).toBe(3)
    expect(decoder.decode(Buffer.from([0, 0, 0, 0, 7]))).toMatchObject({ missingId: null })
  })

  test('schema registry - tells with each exchange whether it was answered', async () => {
    const answers = { status: 503, body: {} }
    const url = await serve((_request, response) => {
      response.writeHead(answers.status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answers.body))
    })
    const told: string[] = []
    const observe = (signal: Signal): void => {
      if (signal.kind === 'connection') told.push(`${signal.system} ${signal.state}`)
    }
    const once = { attemptsMax: 1, requestMsMax: 5000 }
    const registry = connectRegistry(url, once, observe)
    await expect(registry.schemaById(7, 'any-value')).rejects.toThrow(/WEIR_REGISTRY_AWAY/)
    // That it has no such schema, or does not take one, is an answer.
    Object.assign(answers, { status: 404, body: { error_code: 40403, message: 'no schema' } })
    expect(await registry.schemaById(7, 'any-value')).toBeNull()
    Object.assign(answers, { status: 409, body: { error_code: 409, message: 'incompatible' } })
    await expect(registry.register('any-value', transaction)).rejects.toThrow(/INCOMPATIBLE/)
    Object.assign(answers, { status: 200, body: { schema: transaction } })
    expect(await registry.schemaById(7, 'any-value')).toBe(transaction)
    expect(told).toEqual(['registry down', 'registry up', 'registry up', 'registry up'])
  })

  test('schema registry - gives up in the end, without showing its password', async () => {
    const url = await serve((request) => request.socket.destroy())
    const registry = connectRegistry(url.replace('//', '//ana:s3cret@'))
    const outcome = await registry.latest('any-value').catch((error: unknown) => error)
    expect(outcome).toMatchObject({ code: 'WEIR_REGISTRY_AWAY' })
    expect(JSON.stringify({ ...(outcome as Error), text: String(outcome) })).not.toMatch('s3cret')
    expect((outcome as Error).cause).toBeUndefined()
  })

  test('schema registry - sends the credentials of its address', async () => {
    const seen: (string | undefined)[] = []
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"schema":"{}"}')
    })
    await connectRegistry(url.replace('//', '//ana:s%3Acret@')).schemaById(7, 'any-value')
    expect(seen).toEqual([`Basic ${Buffer.from('ana:s:cret').toString('base64')}`])
  })

  test('schema registry - refuses an address that is none', () => {
    for (const url of ['', 'localhost:8081', 'ftp://localhost']) {
      expect(() => connectRegistry(url)).toThrow(/WEIR_SETTINGS_INVALID.*--registry/)
    }
  })
})
