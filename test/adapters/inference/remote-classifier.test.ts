// The remote classifier against a server that does wrong: whatever it answers, scores are the
// model's.

import { readFileSync } from 'node:fs'
import tls from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import {
  createRemoteClassifier,
  type RemoteClassifier,
} from '../../../services/adapters/inference/remote-classifier.ts'
import { readModelFolder } from '../../../services/adapters/models/model-files.ts'
import { createOnnxClassifier } from '../../../services/adapters/onnx/onnx-classifier.ts'
import type { RemoteExecution } from '../../../services/core/pipeline-definition.ts'
import { noSignatures } from '../../../services/models/manifest-signature.ts'
import type { Signal } from '../../../services/pipeline/observe/signals.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { canSpeakTls, makeCertificate } from '../../support/test-certificate.ts'
import { waitFor } from '../../support/wait-for.ts'
import { fixtureFeatures, fixtureModel, flatten, goldenOf, onCpu } from '../onnx/fixture-models.ts'
import { behave, type FaultServer, startFaultServer } from './fault-server.ts'

const golden = await goldenOf('trees')
const rows = golden.vectors.map((row) => Float32Array.from(row))
const keyOf = (row: Float32Array): string => row.join()
const known = new Map(rows.map((row, index) => [keyOf(row), golden.scores[index]!]))
/**
 * A row that is not golden is an occluded one: the local model would know, the server says 0.25.
 */
const occludedScore = 0.25
const scoreRight = (row: Float32Array): number => known.get(keyOf(row)) ?? occludedScore

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

type Opened = {
  readonly classifier: RemoteClassifier
  readonly signals: Signal[]
  readonly classify: (reasonsFrom?: number) => ReturnType<RemoteClassifier['classify']>
}

const plain: RemoteExecution = {
  model: null,
  version: null,
  timeoutMs: 20_000,
  requestRowsMax: 128,
}

async function open(
  url: string,
  options: {
    readonly remote?: Partial<RemoteExecution>
    readonly token?: string
    readonly challengers?: readonly string[]
    readonly pauseMs?: number
  } = {},
): Promise<Opened> {
  const { remote, token = null, challengers = [], pauseMs = 600_000 } = options
  const signals: Signal[] = []
  const observe = (signal: Signal) => void signals.push(signal)
  const champion = fixtureModel('trees')
  const local = await createOnnxClassifier({
    models: { champion, challengers: challengers.map((name) => fixtureModel(name)) },
    policy: onCpu,
    features: fixtureFeatures,
    observe,
  })
  cleanups.push(() => local.close())
  const classifier = await createRemoteClassifier({
    local,
    files: await readModelFolder(champion, 'champion', {
      features: fixtureFeatures,
      signatures: noSignatures,
    }),
    remote: { ...plain, ...remote },
    place: { url, token },
    observe,
    pauseMs,
  })
  cleanups.push(() => classifier.close())
  const classify = (reasonsFrom = 2) =>
    classifier.classify({ count: rows.length, vectors: flatten(golden.vectors), reasonsFrom })
  return { classifier, signals, classify }
}

const start = (): Promise<FaultServer> =>
  startFaultServer({ score: scoreRight, features: fixtureFeatures.length })

const connectionsIn = (signals: readonly Signal[]): string[] =>
  signals.flatMap((found) =>
    found.kind === 'connection' ? [`${found.system} ${found.state}`] : [],
  )

const isInfer = ({ path }: { path: string }): boolean => path.endsWith('/infer')

describe('remote classifier', () => {
  it('classify - sends a micro-batch in one request and names where it ran', async () => {
    const server = await start()
    const { classifier, classify, signals } = await open(server.url, { token: 't0ken' })
    const before = server.infers().length
    const reply = await classify()
    const [sent, ...more] = server.infers().slice(before)
    expect(more).toEqual([])
    expect(sent).toMatchObject({ rows: rows.length + 1, isBinary: true })
    expect(sent!.path).toBe('/v2/models/trees/infer')
    expect(sent!.id).toMatch(/\S/)
    expect(new Set(server.asked.map(({ authorization }) => authorization))).toEqual(
      new Set(['Bearer t0ken']),
    )
    expect(reply.scores).toEqual(Float32Array.from(golden.scores))
    expect(reply.champion).toMatchObject({ name: 'trees', version: '1', provider: 'remote' })
    expect(reply.isDegraded ?? false).toBe(false)
    expect(classifier.models).toEqual([reply.champion])
    expect(connectionsIn(signals)).toEqual(['inference up'])
    expect(signals.filter(({ kind }) => kind === 'remote_ran')).toHaveLength(1)
    expect(JSON.stringify(signals)).not.toContain('t0ken')
  })

  it('classify - keeps its connection', async () => {
    const server = await start()
    const { classify } = await open(server.url)
    for (let batch = 0; batch < 5; batch++) await classify()
    expect(server.sockets.size).toBe(1)
  })

  it('classify - bounds the rows of a request, the golden one included', async () => {
    const server = await start()
    const { classify } = await open(server.url, { remote: { requestRowsMax: 10 } })
    const before = server.infers().length
    const { scores } = await classify()
    const sent = server.infers().slice(before)
    expect(Math.max(...sent.map((asked) => asked.rows))).toBe(10)
    expect(sent).toHaveLength(Math.ceil(rows.length / 9))
    expect(scores).toEqual(Float32Array.from(golden.scores))
  })

  it('classify - asks the server for the reasons too', async () => {
    const server = await start()
    const { classify } = await open(server.url)
    const { reasons, scores } = await classify(0.5)
    const flagged = [...scores.keys()].filter((row) => scores[row]! >= 0.5)
    expect([...reasons.keys()]).toEqual(flagged)
    for (const row of flagged) {
      const contribution = scores[row]! - occludedScore
      expect(reasons.get(row)!.some((reason) => reason.contribution === contribution)).toBe(true)
    }
    expect(flagged.length).toBeGreaterThan(1)
  })

  it('classify - scores challengers here, on the same vectors', async () => {
    const server = await start()
    const { classify } = await open(server.url, { challengers: ['challenger'] })
    const reply = await classify()
    expect(reply.champion.provider).toBe('remote')
    expect(reply.challengers.map(({ name }) => name)).toEqual(['challenger'])
    expect(reply.challengerScores[0]).toHaveLength(rows.length)
    expect(reply.challengerScores[0]).not.toEqual(reply.scores)
  })

  it('start - takes JSON where the server refuses binary tensors', async () => {
    const server = await start()
    server.misbehave = (asked, response) => {
      if (!asked.isBinary) return false
      response.statusCode = 422
      response.end('{"detail":["no binary"]}')
      return true
    }
    const { classify } = await open(server.url)
    const reply = await classify()
    expect(reply.champion.provider).toBe('remote')
    expect(reply.scores).toEqual(Float32Array.from(golden.scores))
    expect(server.infers().at(-1)!.isBinary).toBe(false)
  })

  it('start - asks for the version that the pipeline file names', async () => {
    const server = await start()
    const { classify } = await open(server.url, { remote: { version: '1' } })
    await classify()
    expect(server.infers().at(-1)!.path).toBe('/v2/models/trees/versions/1/infer')
  })

  it.each<[string, (server: FaultServer) => void, RegExp]>([
    ['another name', ({ metadata }) => (metadata.name = 'other'), /server's model is other/],
    ['other versions', ({ metadata }) => (metadata.versions = ['7']), /versions 7, expected 1/],
    [
      'a narrower input',
      ({ metadata }) =>
        (metadata.inputs = [{ name: 'features', datatype: 'FP32', shape: [-1, 3] }]),
      /FP32 \[-1,3\], expected FP32 \[-1,4\]/,
    ],
    [
      'another datatype',
      ({ metadata }) =>
        (metadata.inputs = [{ name: 'features', datatype: 'FP64', shape: [-1, 4] }]),
      /is FP64/,
    ],
    [
      'another input',
      ({ metadata }) => (metadata.inputs = [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }]),
      /inputs x, the manifest says features/,
    ],
    ['another output', ({ metadata }) => (metadata.outputs = [{ name: 'y' }]), /outputs y/],
    [
      'other scores',
      (server) => (server.score = (row) => scoreRight(row) * 0.99),
      /golden row \d+ scores .*, expected/,
    ],
  ])('start - refuses a server with %s', async (_, spoil, message) => {
    const server = await start()
    spoil(server)
    const opening = open(server.url, { remote: { version: '1' } })
    await expect(opening).rejects.toMatchObject({ code: 'WEIR_CLASSIFY_REMOTE_WRONG' })
    await expect(opening).rejects.toThrow(message)
  })

  it('start - refuses a token that the server refuses, without showing it', async () => {
    const server = await start()
    server.misbehave = (_, response) => {
      response.statusCode = 401
      response.end('no')
      return true
    }
    const opening = open(server.url, { token: 'hunter2' })
    await expect(opening).rejects.toThrow(/status 401: no/)
    await expect(opening).rejects.not.toThrow(/hunter2/)
  })

  it('start - begins degraded where nobody answers, and goes over when somebody does', async () => {
    const server = await start()
    let isAway = true
    server.misbehave = (_, response) => {
      if (isAway) response.destroy()
      return isAway
    }
    const { classify, signals } = await open(server.url, { pauseMs: 5 })
    const first = await classify()
    expect(first).toMatchObject({ isDegraded: true, champion: { name: 'trees', provider: 'cpu' } })
    expect(connectionsIn(signals)).toEqual(['inference down'])
    isAway = false
    await waitFor(
      () => connectionsIn(signals).at(-1) === 'inference up',
      () => connectionsIn(signals).join(),
    )
    expect((await classify()).champion.provider).toBe('remote')
  })

  const away = 'WEIR_CLASSIFY_REMOTE_AWAY'
  const wrong = 'WEIR_CLASSIFY_REMOTE_WRONG'
  type Spoil = (server: FaultServer) => void
  const answering = (write: (response: Parameters<FaultServer['misbehave']>[1]) => void): Spoil => {
    return (server) => {
      server.misbehave = (asked, response) => {
        if (!isInfer(asked)) return false
        write(response)
        return true
      }
    }
  }
  const editing = (edit: FaultServer['edit']): Spoil => {
    return (server) => {
      server.edit = edit
    }
  }

  it.each<[string, string, Spoil]>([
    ['says 500', away, answering((response) => void response.writeHead(500).end('oops'))],
    ['says 503', away, answering((response) => void response.writeHead(503).end())],
    ['says 400', wrong, answering((response) => void response.writeHead(400).end('{}'))],
    ['redirects', wrong, answering((response) => void response.writeHead(302).end())],
    ['hangs up', away, answering((response) => void response.destroy())],
    [
      'ends its body early',
      away,
      answering((response) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{"outputs":', () => response.destroy())
      }),
    ],
    ['does not speak JSON', wrong, answering((response) => void response.end('<html>'))],
    ['says null', wrong, answering((response) => void response.end('null'))],
    ['says nothing of outputs', wrong, editing((document) => delete document.outputs)],
    ['has another version', wrong, editing((document) => (document.model_version = '2'))],
    ['has another shape', wrong, editing(({ outputs }) => (outputs![0]!.shape = [rows.length, 3]))],
    [
      'has fewer rows',
      wrong,
      editing(({ outputs }) => (outputs![0]!.shape = [rows.length - 1, 1])),
    ],
    ['has another datatype', wrong, editing(({ outputs }) => (outputs![0]!.datatype = 'INT32'))],
    [
      'lies about its bytes',
      wrong,
      editing(({ outputs }) => (outputs![0]!.parameters!.binary_data_size -= 4)),
    ],
    [
      'has a header longer than its body',
      wrong,
      answering((response) => {
        response.setHeader('inference-header-content-length', '99999')
        response.end('{}')
      }),
    ],
    ['scores NaN', wrong, (server) => (server.score = () => Number.NaN)],
    ['scores 1.5', wrong, (server) => (server.score = () => 1.5)],
    ['has another model by now', wrong, (server) => (server.score = () => 0.5)],
  ])('classify - falls back, marked degraded, where the server %s', async (_, code, spoil) => {
    const server = await start()
    const { classify, signals } = await open(server.url, { remote: { version: '1' } })
    spoil(server)
    const reply = await classify(0.5)
    expect(reply).toMatchObject({ isDegraded: true, champion: { name: 'trees', provider: 'cpu' } })
    for (const [row, score] of golden.scores.entries()) {
      expect(Math.abs(reply.scores[row]! - score)).toBeLessThanOrEqual(1e-5)
    }
    expect(reply.reasons.size).toBeGreaterThan(0)
    expect(signals).toContainEqual({ kind: 'fell_back', events: rows.length, code })
  })

  it.each<[string, Spoil]>([
    ['is silent', answering(() => undefined)],
    [
      'sends byte after byte',
      answering((response) => {
        const timer = setInterval(() => response.write(' '), 5)
        response.on('close', () => clearInterval(timer))
      }),
    ],
  ])('classify - waits no longer than the time-out where the server %s', async (_, spoil) => {
    const server = await start()
    const { classify, signals } = await open(server.url, { remote: { timeoutMs: 300 } })
    spoil(server)
    expect((await classify()).isDegraded).toBe(true)
    expect(signals).toContainEqual({ kind: 'fell_back', events: rows.length, code: away })
  })

  it('classify - does not trust reasons of a server that fails between scores and reasons', async () => {
    const server = await start()
    const { classify } = await open(server.url)
    let calls = 0
    server.misbehave = (asked, response) => {
      if (!isInfer(asked) || ++calls === 1) return false
      response.writeHead(500).end()
      return true
    }
    const reply = await classify(0.5)
    expect(calls).toBe(2)
    expect(reply).toMatchObject({ isDegraded: true, champion: { provider: 'cpu' } })
    expect(reply.reasons.size).toBeGreaterThan(0)
  })

  it('breaker - leaves a failing server alone, and comes back only after an examination', async () => {
    const server = await start()
    const { classify, signals } = await open(server.url, { pauseMs: 5 })
    let isBroken = true
    server.misbehave = (_, response) => {
      if (isBroken) response.writeHead(500).end()
      return isBroken
    }
    for (let batch = 0; batch < 3; batch++) expect((await classify()).isDegraded).toBe(true)
    expect(connectionsIn(signals)).toEqual(['inference up', 'inference down'])
    const before = server.infers().length
    for (let batch = 0; batch < 5; batch++) expect((await classify()).isDegraded).toBe(true)
    expect(server.infers().length).toBe(before)
    // It answers again, with another model: not this one's golden scores.
    server.score = () => 0.5
    isBroken = false
    const retries = () =>
      signals.filter((found) => found.kind === 'retried' && found.code === wrong).length
    await waitFor(
      () => retries() > 1,
      () => `${retries()} wrong examinations`,
    )
    expect((await classify()).isDegraded).toBe(true)
    server.score = scoreRight
    const isUp = () => connectionsIn(signals).at(-1) === 'inference up'
    await waitFor(isUp, () => connectionsIn(signals).join())
    const back = await classify()
    expect(back.champion.provider).toBe('remote')
    expect(back.isDegraded ?? false).toBe(false)
  })

  it('breaker - forgets failures that a success follows', async () => {
    const server = await start()
    const { classify, signals } = await open(server.url)
    for (let round = 0; round < 3; round++) {
      answering((response) => void response.writeHead(500).end())(server)
      for (let batch = 0; batch < 2; batch++) await classify()
      server.misbehave = behave
      expect((await classify()).champion.provider).toBe('remote')
    }
    expect(connectionsIn(signals)).toEqual(['inference up'])
  })

  it('classify - uses a connection of its own where a kept one has gone', async () => {
    const server = await start()
    const { classify } = await open(server.url)
    let dropped = 0
    server.misbehave = (asked, response) => {
      if (!isInfer(asked) || dropped > 0) return false
      dropped++
      response.socket!.destroy()
      return true
    }
    const reply = await classify()
    expect(dropped).toBe(1)
    expect(reply.champion.provider).toBe('remote')
  })

  it.skipIf(!canSpeakTls)('start - speaks TLS with authorities that Node trusts', async () => {
    const folder = temporaryFolder()
    const certificate = makeCertificate(folder)
    const read = (path: string) => readFileSync(path, 'utf8')
    const server = await startFaultServer({
      score: scoreRight,
      features: fixtureFeatures.length,
      tls: { key: read(certificate.key), cert: read(certificate.certificate) },
    })
    const untrusted = await open(server.url)
    expect((await untrusted.classify()).isDegraded).toBe(true)
    expect(server.asked).toEqual([])
    const before = tls.getCACertificates('default')
    tls.setDefaultCACertificates([...before, read(certificate.authority)])
    try {
      const { classify } = await open(server.url)
      expect((await classify()).champion.provider).toBe('remote')
    } finally {
      tls.setDefaultCACertificates(before)
    }
  })
})
