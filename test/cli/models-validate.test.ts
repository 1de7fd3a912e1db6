// `weir models validate`: each gate fails on a model that was spoiled for it, and on no other
// account.

import { spawnSync } from 'node:child_process'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FeatureDefinition } from '../../services/core/pipeline-definition.ts'
import { readBacktestRun } from '../../services/gates/backtest-gates.ts'
import { drawGates } from '../../services/gates/gates-page.ts'
import { collectEvidence } from '../../services/gates/model-evidence.ts'
import { type GateTerms, judgeModel } from '../../services/gates/model-gates.ts'
import { addSignature, keyIdOf } from '../../services/models/manifest-signature.ts'
import {
  type FeatureExtremes,
  findExtremes,
} from '../../services/pipeline/enrich/feature-extremes.ts'
import {
  copyModel,
  fixtureFeatures,
  goldenOf,
  manifestOf,
  republish,
  shippedFolder,
} from '../adapters/onnx/fixture-models.ts'
import { replaySmall, smallHistory } from '../replay/replay-world.ts'
import { attribute, node, tensor } from '../support/graph-bytes.ts'
import {
  makeTinyModel,
  tinyFeatures,
  tinyGraph,
  tinyNodes,
  tinyTensors,
  zippedGraph,
} from '../support/made-models.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const terms: GateTerms = {
  sizeBytesMax: 1024 * 1024,
  features: fixtureFeatures,
  isSigned: false,
  latency: null,
  run: null,
  championRun: null,
  margin: 0.01,
  biasRatioMax: 3,
  biasGenuineMin: 1000,
}

const failedGates = async (
  folder: string,
  changed: Partial<GateTerms> = {},
  parityFile: string | null = null,
) => {
  const all = { ...terms, ...changed }
  const rows = judgeModel(
    await collectEvidence(folder, {
      signatures: { keys: new Map(), isRequired: all.isSigned },
      sizeBytesMax: all.sizeBytesMax,
      parityFile,
      latencyRows: all.latency?.rows ?? null,
      extremes: all.features === null ? null : all.features.map(extremesOf),
    }),
    all,
  )
  const failed = rows.filter(({ verdict }) => verdict === 'failed')
  return { rows, names: failed.map(({ gate }) => gate), failed }
}

const opened = ['opset', 'output', 'golden', 'golden gpu', 'extremes', 'extremes gpu']

const window = { kind: 'window', tailMs: 0, delayMs: 0, current: true, absent: 0 } as const
const definitions: readonly FeatureDefinition[] = [
  { kind: 'field', name: 'amount', field: 'amountMinor', scale: 0.01, equals: null, absent: 0 },
  { kind: 'calendar', name: 'is_night', calendar: 'hours', fromHour: 0, toHour: 6 },
  {
    ...window,
    name: 'customer_count_1d',
    entity: 'customer',
    op: 'count',
    of: null,
    windowMs: 86_400_000,
    scale: 1,
  },
  {
    ...window,
    name: 'customer_amount_mean_7d',
    entity: 'customer',
    op: 'mean',
    of: 'amountMinor',
    windowMs: 604_800_000,
    scale: 0.01,
  },
]
const fixtureExtremes = findExtremes({
  features: [...definitions, { ...definitions[2]!, name: 'customer_count_1h' }],
})
const extremesOf = (name: string): FeatureExtremes =>
  fixtureExtremes.find((one) => one.name === name) ?? { name, values: [0, 1] }

/** The bytes with the version of the named operator set replaced. */
const withOpset = (graph: Uint8Array, from: number, to: number): Uint8Array => {
  const bytes = Buffer.from(graph)
  // opset_import (0x42), 4 bytes long: an empty domain (0x0a 0x00), the version (0x10).
  const at = bytes.indexOf(Buffer.from([0x42, 4, 0x0a, 0, 0x10, from]))
  expect(at).toBeGreaterThanOrEqual(0)
  bytes[at + 5] = to
  return bytes
}

test('models validate - passes a model that is right, and skips what nobody asked for', async () => {
  const { folder } = await copyModel('trees')
  const { rows } = await failedGates(folder)
  const of = (verdict: string) =>
    rows.filter((row) => row.verdict === verdict).map(({ gate }) => gate)
  expect(of('passed')).toEqual([
    'manifest',
    'size',
    'hashes',
    'features',
    'external data',
    ...opened,
  ])
  expect(of('skipped')).toEqual([
    'signature',
    'parity',
    'parity gpu',
    'latency',
    'backtest metrics',
    'backtest bias',
  ])
})

test('models validate - never opens a graph whose hash is wrong', async () => {
  const { folder } = await copyModel('trees')
  const path = join(folder, 'model.onnx')
  writeFileSync(path, readFileSync(path).subarray(0, 4000))
  const { names, failed } = await failedGates(folder)
  expect(names).toEqual(['hashes', 'external data', ...opened])
  expect(failed.find(({ gate }) => gate === 'golden')!.found).toContain('not opened: model.onnx')
})

test('models validate - refuses a truncated graph and poisoned bytes whose hash is the manifest’s', async () => {
  const { folder } = await copyModel('trees')
  const whole = readFileSync(join(folder, 'model.onnx'))
  await republish(folder, 'cpu', whole.subarray(0, 4000))
  expect((await failedGates(folder)).names).toEqual(['external data', ...opened])
  await republish(folder, 'cpu', 'MZ this is not a graph')
  const poisoned = await failedGates(folder)
  expect(poisoned.names).toEqual(['external data', ...opened])
  expect(poisoned.failed[0]!.found).toContain('no graph that can be looked into')
  await republish(folder, 'cpu', tinyGraph({ nodes: [node('NoSuchOperator', ['x'], ['p'])] }))
  const unknown = await failedGates(folder)
  expect(unknown.names).toEqual(['opset', 'output', 'golden', 'extremes'])
  expect(unknown.failed[1]!.found).toContain('does not load')
})

test('models validate - asks the runtime itself which operator sets it loads', async () => {
  for (const [opset, irVersion] of [
    [17, 8],
    [22, 10],
    [23, 11],
    [24, 12],
    [25, 12],
    [26, 13],
  ] as const) {
    const { folder } = makeTinyModel(tinyGraph({}, { opset, irVersion }))
    const { rows, names } = await failedGates(folder, { features: tinyFeatures })
    expect(names).toEqual([])
    const found = rows.find(({ gate }) => gate === 'opset')!.found
    expect(found).toBe(`model.onnx ai.onnx ${opset}`)
  }
  const { folder } = await copyModel('pair')
  const graph = readFileSync(join(folder, 'model.onnx'))
  await republish(folder, 'cpu', withOpset(graph, 17, 99))
  const { failed } = await failedGates(folder)
  const row = failed.find(({ gate }) => gate === 'opset')
  expect(row?.found).toContain('ai.onnx 99')
})

test('models validate - fails on features, names, golden scores, sizes and signatures', async () => {
  const { folder } = await copyModel('trees')
  const reversed = await failedGates(folder, { features: [...fixtureFeatures].reverse() })
  expect(reversed.names).toEqual(['features', 'extremes', 'extremes gpu'])
  expect(reversed.failed[1]!.found).toContain("the features are not the pipeline's")
  const small = await failedGates(folder, { sizeBytesMax: 7000 })
  expect(small.names).toEqual(['size', 'hashes', 'external data', ...opened])
  expect((await failedGates(folder, { isSigned: true })).names).toEqual(['signature', ...opened])
  const golden = await goldenOf('trees')
  golden.scores[0] = golden.scores[0]! > 0.5 ? 0.1 : 0.9
  await republish(folder, 'golden', JSON.stringify(golden))
  expect((await failedGates(folder)).names).toEqual(opened.slice(2))
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...manifest, version: '2' }))
  expect((await failedGates(folder)).names).toContain('manifest')
  writeFileSync(path, JSON.stringify({ ...manifest, format: 2 }))
  const { rows } = await failedGates(folder)
  expect(rows.find(({ gate }) => gate === 'manifest')!.found).toContain('/format')
  expect(rows.filter(({ verdict }) => verdict === 'passed')).toEqual([])
})

test('models validate - refuses a model without a score at an end of a feature, naming both', async () => {
  // e^z / e^z is 1 until both are infinite; no golden row is that large.
  const noNumber = tinyGraph({
    nodes: [
      ...tinyNodes('s'),
      node('Exp', ['z'], ['e']),
      node('Div', ['e', 'e'], ['one']),
      node('Mul', ['s', 'one'], ['p']),
    ],
  })
  const { folder } = makeTinyModel(noNumber, { gpu: noNumber })
  const { names, failed } = await failedGates(folder, { features: tinyFeatures })
  expect(names).toEqual(['extremes', 'extremes gpu'])
  expect(failed[0]!.found).toMatch(
    /^amount 1000000000, other features at their median: scores NaN; .* rows in all$/,
  )
  const { rows } = await failedGates(folder, { features: null })
  const skipped = rows.filter(({ gate }) => gate.startsWith('extremes'))
  expect(skipped).toMatchObject([{ verdict: 'skipped' }, { verdict: 'skipped' }])
})

test('models validate - a row at an end that the graph does not even run is told like one without a score', async () => {
  // Amounts beyond 1000000 look for row 1 of a table of one.
  const outside = tinyGraph({
    nodes: [
      ...tinyNodes('s'),
      node('Slice', ['x', 'from', 'to', 'axis'], ['amount']),
      node('Greater', ['amount', 'limit'], ['isBig']),
      node('Cast', ['isBig'], ['index'], { attributes: [attribute('to', 'i', 7)] }),
      node('Gather', ['table', 'index'], ['factor']),
      node('Mul', ['s', 'factor'], ['p']),
    ],
    tensors: [
      ...tinyTensors,
      tensor('from', [0], { type: 'int64' }),
      tensor('to', [1], { type: 'int64' }),
      tensor('axis', [1], { type: 'int64' }),
      tensor('limit', [1_000_000]),
      tensor('table', [1]),
    ],
  })
  const { folder } = makeTinyModel(outside)
  const { names, failed } = await failedGates(folder, { features: tinyFeatures })
  expect(names).toEqual(['extremes'])
  expect(failed[0]!.found).toContain(
    'amount 1000000000, other features at their median: scores NaN',
  )
})

test('models validate - says what to do about an output of maps', async () => {
  const { folder } = makeTinyModel(zippedGraph)
  const { failed } = await failedGates(folder, { features: tinyFeatures })
  expect(failed.map(({ gate }) => gate)).toEqual(['output', 'golden', 'extremes'])
  for (const { found } of failed) expect(found).toContain('export with zipmap=False')
})

test('models validate - compares with the training library’s rows, and p99 with the budget', async () => {
  const { folder } = await copyModel('trees')
  const parityFile = join(temporaryFolder(), 'parity.json')
  const golden = await goldenOf('trees')
  writeFileSync(parityFile, JSON.stringify(golden))
  const latency = { rows: 100, budgetMs: 60_000 }
  expect((await failedGates(folder, { latency }, parityFile)).names).toEqual([])
  golden.scores[3] = golden.scores[3]! > 0.5 ? 0.1 : 0.9
  writeFileSync(parityFile, JSON.stringify(golden))
  const bad = await failedGates(folder, { latency: { rows: 100, budgetMs: 0 } }, parityFile)
  expect(bad.names).toEqual(['parity', 'parity gpu', 'latency'])
})

/** Writes rows as training does: beside the model, with their hash in the manifest. */
const addParity = (folder: string, content: string): void => {
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  const sha256 = createHash('sha256').update(content).digest('hex')
  manifest.files.parity = { path: 'parity.json', sha256 }
  writeFileSync(join(folder, 'parity.json'), content)
  writeFileSync(path, JSON.stringify(manifest))
}
const parityGates = ['parity', 'parity gpu']

test('models validate - scores the rows that the manifest names with both graphs', async () => {
  const { folder } = await copyModel('trees')
  const golden = await goldenOf('trees')
  addParity(folder, JSON.stringify(golden))
  const right = await failedGates(folder)
  expect(right.names).toEqual([])
  const parity = right.rows.filter(({ gate }) => parityGates.includes(gate))
  expect(parity).toMatchObject([{ verdict: 'passed' }, { verdict: 'passed' }])
  expect(parity[0]!.found).toMatch(/of 64 rows$/)

  const row = golden.scores.findIndex((score) => score > 0.1)
  golden.scores[row]! -= 2e-5
  addParity(folder, JSON.stringify(golden))
  const off = await failedGates(folder)
  expect(off.names).toEqual(parityGates)
  expect(off.failed[0]!.found).toMatch(/^largest 0\.00002/)
  const other = join(temporaryFolder(), 'other.json')
  writeFileSync(other, JSON.stringify(await goldenOf('trees')))
  expect((await failedGates(folder, {}, other)).names).toEqual([])

  addParity(folder, JSON.stringify({ ...golden, scores: [0.5] }))
  const odd = await failedGates(folder)
  expect(odd.names).toEqual(parityGates)
  expect(odd.failed[0]!.found).toContain('1 rows, expected at least 32')
  writeFileSync(join(folder, 'parity.json'), JSON.stringify(golden))
  expect((await failedGates(folder)).names).toEqual(['hashes', ...opened, ...parityGates])
})

test.each(['card-fraud', 'bench'])(
  'models validate - the shipped model %s scores as LightGBM does',
  async (name) => {
    const { rows, names } = await failedGates(join(shippedFolder, name, '1'), { features: null })
    expect(names).toEqual([])
    for (const gate of parityGates) {
      const row = rows.find((one) => one.gate === gate)
      expect(row).toMatchObject({ verdict: 'passed' })
      expect(row!.found).toMatch(/of 256 rows$/)
    }
  },
)

test('models validate - writes a page that tells every verdict and escapes what a model says', async () => {
  const { folder } = await copyModel('trees')
  const evidence = await collectEvidence(folder, {
    signatures: { keys: new Map(), isRequired: false },
    sizeBytesMax: 1024 * 1024,
    parityFile: null,
    latencyRows: null,
    extremes: null,
  })
  const gates = judgeModel(evidence, { ...terms, features: ['<script>'] })
  const model = { name: 'trees', version: '1' }
  const page = drawGates({ model, manifestSha256: evidence.manifestSha256, isPassed: false, gates })
  expect(page).toContain('<h1>Gates of trees 1: failed</h1>')
  expect(page).toContain(
    createHash('sha256')
      .update(readFileSync(join(folder, 'manifest.json')))
      .digest('hex'),
  )
  for (const { gate, verdict } of gates) {
    expect(page).toMatch(new RegExp(`>${gate}</td><td class="text ${verdict}">. ${verdict}</td>`))
  }
  expect(page).toContain('failed: features, extremes, extremes gpu.')
  expect(page).toContain('&#60;script&#62;')
  expect(page).not.toMatch(/(?:src|href)=|<script/)
})

type Spoil = {
  recallAtReview?: number | null
  sha256?: string
  averagePrecision?: number
  measured?: number
  rate?: number
}

/** A run's folder as `weir replay` writes it, as far as the gates read it. */
const writeRun = (sha256: string, spoil: Spoil = {}): string => {
  const folder = temporaryFolder()
  const model = { name: 'trees', version: '1', sha256, column: 'score' }
  const measures = {
    averagePrecision: spoil.averagePrecision ?? 0.6,
    rocAuc: 0.9,
    cardPrecisionAt100: 0.3,
    recallAtReview: spoil.recallAtReview === undefined ? 0.5 : spoil.recallAtReview,
  }
  const segment = { segment: 'NO', genuine: 5000, falsePositiveRate: spoil.rate ?? 0.01 }
  const backtest = {
    from: '2026-01-01',
    to: '2026-01-08',
    knownSince: null,
    thresholds: [{ name: 'review', falsePositiveRate: 0.01 }],
    segments: { country: [segment, { ...segment, genuine: 10, falsePositiveRate: 0.9 }] },
    models: [{ name: 'trees', version: '1', role: 'champion', ...measures }],
  }
  const report = { measured: spoil.measured ?? 9000, frauds: 80, backtest }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ model, challengers: [] }))
  writeFileSync(join(folder, 'report.json'), JSON.stringify(report))
  return folder
}

test('models validate - holds the backtest against the champion’s and against its segments', async () => {
  const { folder } = await copyModel('trees')
  const { sha256 } = (await manifestOf('trees')).files.cpu
  const judge = async (own: Spoil, champion: Spoil | null) =>
    (
      await failedGates(folder, {
        run: readBacktestRun(writeRun(own.sha256 ?? sha256, own)),
        championRun:
          champion === null ? null : readBacktestRun(writeRun(champion.sha256 ?? 'c', champion)),
      })
    ).names
  expect(await judge({}, {})).toEqual([])
  expect(await judge({ averagePrecision: 0.595 }, {})).toEqual([])
  expect(await judge({ averagePrecision: 0.58 }, {})).toEqual(['backtest metrics'])
  expect(await judge({ recallAtReview: null }, {})).toEqual(['backtest metrics'])
  expect(await judge({ measured: 8999 }, {})).toEqual(['backtest metrics'])
  expect(await judge({}, { sha256 })).toEqual(['backtest metrics'])
  expect(await judge({ rate: 0.031 }, {})).toEqual(['backtest bias'])
  expect(await judge({ sha256: 'f' }, {})).toEqual(['backtest metrics', 'backtest bias'])
  expect(() => readBacktestRun(folder)).toThrow('WEIR_SETTINGS_INVALID')
})

test('models validate - ends with 0, 1 or 2', async () => {
  const { folder } = await copyModel('trees')
  const run = (...words: string[]) =>
    spawnSync(process.execPath, ['services/cli/main.ts', 'models', 'validate', ...words], {
      encoding: 'utf8',
    })
  const right = run(folder, '--json')
  expect(right.status).toBe(0)
  expect(JSON.parse(right.stdout)).toMatchObject({ isPassed: true })
  const page = join(temporaryFolder(), 'gates.html')
  const slow = run(folder, '--latency-budget', '0', '--html', page)
  expect(readFileSync(page, 'utf8')).toContain('Gates of trees 1: failed')
  expect(slow.status).toBe(1)
  expect(slow.stdout).toMatch(/^failed {3}latency/m)
  expect(run(temporaryFolder()).status).toBe(2)
})

test('models validate - a trusted key is named by the gate', async () => {
  const { folder } = await copyModel('trees')
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const bytes = readFileSync(join(folder, 'manifest.json'))
  writeFileSync(join(folder, 'manifest.json.sig'), addSignature(bytes, privateKey, null))
  const signatures = { keys: new Map([[keyIdOf(publicKey), publicKey]]), isRequired: true }
  const asked = {
    signatures,
    sizeBytesMax: 1024 * 1024,
    parityFile: null,
    latencyRows: null,
    extremes: null,
  }
  const look = async () =>
    judgeModel(await collectEvidence(folder, asked), { ...terms, isSigned: true })[1]!
  expect(await look()).toMatchObject({ gate: 'signature', verdict: 'passed' })
  writeFileSync(join(folder, 'manifest.json'), `${bytes} `)
  expect(await look()).toMatchObject({ gate: 'signature', verdict: 'failed' })
})

test('models validate - reads what a run of weir replay wrote', async () => {
  const { folder } = await replaySmall(smallHistory(2), { isScoring: true })
  const run = readBacktestRun(folder)
  const model = join(shippedFolder, 'card-fraud', '1')
  const gates = { features: null, run, biasGenuineMin: 20, biasRatioMax: 1000 }
  const alone = await failedGates(model, gates)
  expect(alone.names).toEqual([])
  expect(alone.rows.at(-2)).toMatchObject({ verdict: 'skipped' })
  expect(alone.rows.at(-1)).toMatchObject({ gate: 'backtest bias', verdict: 'passed' })
  expect(alone.rows.at(-1)!.found).not.toMatch(/^0 segments/)
  const [own] = run.backtest.models
  const better = { ...own!, averagePrecision: own!.averagePrecision! + 0.02 }
  const other = {
    ...run,
    models: [{ ...run.models[0]!, sha256: 'c' }],
    backtest: { ...run.backtest, models: [better] },
  }
  expect((await failedGates(model, { ...gates, championRun: other })).names).toEqual([
    'backtest metrics',
  ])
})
