// The whole way as a process: files of a small world in, model and backtest out, and each promise
// of it.
//
// Skipped, with the reason, where there is no Python with the libraries and none can be installed.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { beforeEach, expect, type TestContext, test } from 'vitest'
import { parseManifest } from '../../services/models/manifest.ts'
import { hashSources, trainingSources } from '../../training/source-hash.ts'
import type { SmallHistory } from '../replay/replay-world.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import {
  findInterpreter,
  type Interpreter,
  madeAtMs,
  runTrain,
  trainingHistory,
  validateRange,
  writeWorld,
} from './training-world.ts'

const generous = 600_000
let interpreter: Interpreter | null = null
let python = ''

beforeEach((context: TestContext) => {
  interpreter ??= findInterpreter()
  if (interpreter.python === null) context.skip(interpreter.absent)
  else python = interpreter.python
}, 600_000)

const sha256 = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex')

/** Of every file of a folder, by its path. */
const hashAll = (folder: string): Record<string, string> =>
  Object.fromEntries(
    globSync('**/*', { cwd: folder, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length), sha256(path)]),
  )

const readRows = async (path: string): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })

const graphOf = (out: string): string => sha256(join(out, 'models/small/1/model.onnx'))

const readManifest = (out: string) => {
  const path = join(out, 'models/small/1/manifest.json')
  return parseManifest(readFileSync(path, 'utf8'), path)
}

test('training - makes model and backtest from files, and the same bytes again', {
  timeout: generous,
}, async () => {
  const folder = temporaryFolder()
  const world = writeWorld(folder, trainingHistory())
  const config = world.writeConfig('first', { costs: undefined })
  const first = await runTrain(python, ['--config', config, '--json'])
  expect(first.stderr).toContain('past: features of')
  expect(first.code, first.stderr).toBe(0)
  const out = join(folder, 'first')
  expect(readdirSync(out).sort()).toEqual(['backtest', 'models', 'training.json'])
  expect(readdirSync(join(out, 'backtest/past-2025-07-19'))).toContain('report.html')
  const told = JSON.parse(first.stdout.trim().split('\n').at(-1)!)
  // Better than chance: so few features of so short a history do not make a good model.
  expect(told.backtests[0].rocAuc).toBeGreaterThan(0.55)
  const record = JSON.parse(readFileSync(join(out, 'training.json'), 'utf8'))
  expect(record.parityRows).toBeGreaterThanOrEqual(10_000)
  expect(record.candidates).toHaveLength(2)
  expect(record.trees).toBeLessThanOrEqual(40)
  const validated = spawnSync(
    process.execPath,
    ['services/cli/main.ts', 'models', 'validate', join(out, 'models/small/1')],
    { encoding: 'utf8' },
  )
  expect(validated.status, validated.stdout).toBe(0)
  for (const gate of ['parity', 'parity gpu']) {
    expect(validated.stdout).toMatch(new RegExp(`^passed {3}${gate} .* of 256 rows`, 'm'))
  }

  const again = await runTrain(python, ['--config', config, '--out', join(folder, 'again')])
  expect(again.stderr).toContain('past: features are there')
  expect(again.stdout).toMatch(/policy:\n {2}review: 0\.\d+ # flags at most 2 %/)
  expect(hashAll(join(folder, 'again'))).toEqual(hashAll(out))
})

test('training - the manifest tells the hashes of all that went in', {
  timeout: generous,
}, async () => {
  const folder = temporaryFolder()
  const config = writeWorld(folder, trainingHistory()).writeConfig('run')
  expect(await runTrain(python, ['--config', config])).toMatchObject({ code: 0 })
  const out = join(folder, 'run')
  const { training, files, thresholds } = readManifest(out)
  const [features] = globSync('cache/features/*/run', { cwd: folder })
  expect(training.lineage).toMatchObject({
    code: { sha256: hashSources(trainingSources) },
    histories: [
      {
        inputs: {
          transactions: [
            { name: 'transactions.ndjson', sha256: sha256(join(folder, 'transactions.ndjson')) },
          ],
          labels: [{ name: 'labels.ndjson', sha256: sha256(join(folder, 'labels.ndjson')) }],
        },
        featuresSha256: sha256(join(folder, features!, 'features.parquet')),
        replayManifestSha256: sha256(join(folder, features!, 'manifest.json')),
      },
    ],
    versions: { lightgbm: expect.stringMatching(/^\d/), onnx: expect.stringMatching(/^\d/) },
  })
  expect(files.cpu.sha256).toBe(graphOf(out))
  const backtest = join(out, 'backtest/past-2025-07-19/manifest.json')
  const replayed = JSON.parse(readFileSync(backtest, 'utf8'))
  expect(replayed.model).toMatchObject({ name: 'small', version: '1', sha256: files.cpu.sha256 })
  expect(replayed.policy).toEqual(thresholds)
  expect(readFileSync(join(out, 'training.json'), 'utf8')).not.toContain(folder)
})

/** The history with some labels gone: more than a few, or the test would prove nothing. */
const without = (
  { transactions, labels }: SmallHistory,
  isGone: (label: SmallHistory['labels'][number]) => boolean,
): SmallHistory => {
  const kept = labels.filter((label) => !isGone(label))
  expect(labels.length - kept.length).toBeGreaterThan(3)
  return { transactions, labels: kept }
}

test('training - knows no label before its time', { timeout: generous }, async () => {
  const folder = temporaryFolder()
  const history = trainingHistory()
  const train = async (name: string, changed: SmallHistory): Promise<string> => {
    const own = join(folder, name)
    const config = writeWorld(temporaryFolder(), changed).writeConfig('run')
    const ended = await runTrain(python, ['--config', config, '--out', own])
    expect(ended.code, ended.stderr).toBe(0)
    return graphOf(own)
  }
  const graph = await train('whole', history)
  const { fromMs } = validateRange
  const trainToMs = Date.UTC(2025, 5, 21)
  const isTrained = (eventTime: number): boolean => eventTime < trainToMs
  // Nobody knows these when the model is made.
  const later = without(
    history,
    ({ eventTime, labelTime }) => labelTime > madeAtMs && eventTime % 3 > 0,
  )
  expect(await train('later', later)).toBe(graph)
  // Nor these when the trees are grown: the fold's training ends before its validation begins.
  const between = without(
    history,
    ({ eventTime, labelTime }) => isTrained(eventTime) && labelTime > fromMs,
  )
  expect(await train('between', between)).toBe(graph)
  const known = without(
    history,
    ({ eventTime, labelTime }) =>
      isTrained(eventTime) && labelTime <= fromMs && eventTime % 3 === 0,
  )
  expect(await train('known', known)).not.toBe(graph)
})

test('training - scored events hold the calibrated scores, and thresholds flag no more than asked', {
  timeout: generous,
}, async () => {
  const folder = temporaryFolder()
  const history = trainingHistory()
  const world = writeWorld(folder, history)
  const plain = world.writeConfig('plain', { calibration: 'none' })
  const mended = world.writeConfig('mended', { calibration: 'isotonic' })
  for (const config of [plain, mended]) {
    expect(await runTrain(python, ['--config', config])).toMatchObject({ code: 0 })
  }
  const rowsOf = (name: string) =>
    readRows(join(folder, name, 'backtest/past-2025-07-19/scored.parquet'))
  const [raw, calibrated] = [await rowsOf('plain'), await rowsOf('mended')]
  const { calibration, thresholds } = readManifest(join(folder, 'mended'))
  const { margins, probabilities, orderShare } = calibration as unknown as {
    margins: number[]
    probabilities: number[]
    orderShare: number
  }
  let moved = 0
  for (const [i, row] of raw.entries()) {
    const score = row.score as number
    const margin = Math.log(score / (1 - score))
    const expected =
      (1 - orderShare) * interpolate(margins, probabilities, margin) + orderShare * score
    expect(calibrated[i]!.score).toBeCloseTo(expected, 4)
    moved = Math.max(moved, Math.abs(expected - score))
  }
  expect(moved).toBeGreaterThan(0.02)
  expect(calibration.after).not.toEqual(calibration.before)

  const known = new Set(
    history.labels
      .filter(({ isFraud, labelTime }) => isFraud && labelTime <= madeAtMs)
      .map(({ transactionId }) => transactionId),
  )
  const genuine = calibrated.filter(({ transactionId, eventTime }) => {
    const timeMs = Number(eventTime as Date)
    const { fromMs, toMs } = validateRange
    return timeMs >= fromMs && timeMs < toMs && !known.has(transactionId as string)
  })
  expect(genuine.length).toBeGreaterThan(2000)
  for (const [band, rate] of [
    ['review', 0.02],
    ['block', 0.002],
  ] as const) {
    const flagged = genuine.filter(({ score }) => (score as number) >= thresholds[band]).length
    const allowed = Math.floor(genuine.length * rate)
    expect(flagged, band).toBeLessThanOrEqual(allowed)
    // A little lower, and it would be more: nothing is given away but the rounding.
    const looser = thresholds[band] - 0.002
    const more = genuine.filter(({ score }) => (score as number) >= looser).length
    expect(more, band).toBeGreaterThanOrEqual(allowed)
  }
})

function interpolate(xs: readonly number[], ys: readonly number[], x: number): number {
  if (x <= xs[0]!) return ys[0]!
  const next = xs.findIndex((edge) => x < edge)
  if (next < 0) return ys.at(-1)!
  const share = (x - xs[next - 1]!) / (xs[next]! - xs[next - 1]!)
  return ys[next - 1]! + share * (ys[next]! - ys[next - 1]!)
}

test('training - a version never changes its content, and no run another', {
  timeout: generous,
}, async () => {
  const folder = temporaryFolder()
  const world = writeWorld(folder, trainingHistory())
  const model = { name: 'small', version: '1', folder: join(folder, 'shipped') }
  const config = world.writeConfig('run', { model })
  expect(await runTrain(python, ['--config', config])).toMatchObject({ code: 0 })
  const shipped = hashAll(join(folder, 'shipped'))
  expect(Object.keys(shipped)).toContain('/small/1/manifest.json')

  const onto = await runTrain(python, ['--config', config])
  expect(onto.code).toBe(2)
  expect(onto.stderr).toContain('expected a new or empty one')
  expect(onto.stderr).not.toContain('features')

  const other = world.writeConfig('other', { model, seed: 10 })
  const refused = await runTrain(python, ['--config', other])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(
    /is there with another .*manifest\.json.* expected a new model\.version/,
  )
  expect(hashAll(join(folder, 'shipped'))).toEqual(shipped)
})

test('training - leaves nothing where it is interrupted or refused', {
  timeout: generous,
}, async () => {
  const folder = temporaryFolder()
  const world = writeWorld(folder, trainingHistory())
  const config = world.writeConfig('run')
  const ended = await runTrain(python, ['--config', config], {
    whenSaid: 'training\n',
    signal: 'SIGINT',
  })
  expect(ended.code).toBe(130)

  const early = { from: '2024-06-01', to: '2024-06-21' }
  const fold = { train: early, validate: { from: '2025-06-28', to: '2025-07-12' } }
  const test = [{ from: '2025-07-19', to: '2025-07-31' }]
  const empty = world.writeConfig('run', { split: { labelDelay: '7d', folds: [fold], test } })
  const refused = await runTrain(python, ['--config', empty])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(/past, 2024-06-01 to 2024-06-21: found 0 rows with 0 frauds/)

  writeFileSync(config, 'pipeline: [')
  const unread = await runTrain(python, ['--config', config])
  expect(unread.code).toBe(2)
  expect(unread.stderr).toMatch(/run\.yaml:1:\d+ .*expected YAML 1\.2/)
  expect(existsSync(join(folder, 'run'))).toBe(false)
  expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([])
})
