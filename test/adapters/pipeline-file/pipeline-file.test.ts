// Sound pipeline files: what they expand to, that they are frozen, and what their hashes depend on.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { opRules } from '../../../services/adapters/pipeline-file/feature-table.ts'
import {
  loadPipelineFile,
  readPipelineText,
} from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import { WeirError } from '../../../services/core/errors.ts'
import {
  type PipelineDefinition,
  type WindowFeature,
  windowOps,
} from '../../../services/core/pipeline-definition.ts'
import { featureSetHash } from '../../../services/models/manifest.ts'
import { repositoryPath, shippedPipelines, soundText, textWith } from './pipeline-text.ts'

const dayMs = 86_400_000

function read(text: string): PipelineDefinition {
  const { definition, faults } = readPipelineText(text, { baseFolder: '/somewhere' })
  expect(faults).toEqual([])
  return definition!
}

const windowOf = (definition: PipelineDefinition, name: string): WindowFeature =>
  definition.features.find((feature) => feature.name === name) as WindowFeature

describe('pipeline file', () => {
  test('pipeline file - expands windows in order and fills in defaults', () => {
    const definition = read(soundText)
    expect(definition.features.map((feature) => feature.name)).toEqual([
      'amount',
      'is_online',
      'is_night',
      'count_1m',
      'count_30d',
      'mean_7d',
      'since_last',
      'fraud_7d',
      'by_mean',
    ])
    expect(windowOf(definition, 'count_30d')).toEqual({
      kind: 'window',
      name: 'count_30d',
      entity: 'customer',
      op: 'count',
      of: null,
      windowMs: 30 * dayMs,
      delayMs: 0,
      tailMs: 0,
      current: true,
      scale: 1,
      absent: 0,
    })
    expect(windowOf(definition, 'mean_7d').current).toBe(false)
    expect(windowOf(definition, 'fraud_7d').delayMs).toBe(7 * dayMs)
    expect(definition.features[1]).toEqual({
      kind: 'field',
      name: 'is_online',
      field: 'channel',
      scale: 1,
      equals: ['online', 'app'],
      absent: 0,
    })
    expect(definition.features[2]).toMatchObject({ calendar: 'hours', fromHour: 22, toHour: 5 })
    expect(definition.features[8]).toMatchObject({ numerator: 'amount', denominator: 'mean_7d' })
    expect(definition.topics).toMatchObject({ transactions: 'tx', scored: 'transactions.scored' })
    expect(definition.validate).toEqual({ ageMaxMs: 400 * dayMs, futureMaxMs: 60_000 })
    expect(Object.values(definition.late)).toEqual([600_000, 'score_only'])
  })

  test('pipeline file - takes the longest window of the entity where an op may go without', () => {
    const since = windowOf(read(soundText), 'since_last')
    expect(since).toMatchObject({ windowMs: 30 * dayMs, current: false, absent: -1 })
  })

  test('pipeline file - gives every window of a feature its tail, up to the limits of a tail', () => {
    const tailsOf = (change: readonly [string, string]) =>
      read(textWith(change)).features.flatMap((f) =>
        'tailMs' in f && f.tailMs > 0 ? [f.tailMs] : [],
      )
    const written = (windows: string) => ['windows: [1m, 30d]', windows] as const
    expect(tailsOf(written('windows: [1h, 25d], tail: 1h'))).toEqual([3_600_000, 3_600_000])
    // The longest tail for a window, the shortest one, and as many tiles as there may be.
    expect(tailsOf(written('windows: [1m], tail: 1m'))).toEqual([60_000])
    expect(tailsOf(written('windows: [1m], tail: 1s'))).toEqual([1000])
    expect(tailsOf(written('windows: [1000m], delay: 1000m, tail: 2m'))).toEqual([120_000])
    expect(tailsOf(written('windows: [1m, 30d], tail: 0s'))).toEqual([])
  })

  test('pipeline file - allows a tail for every op that tiles can stand for', () => {
    const ops = windowOps.filter((op) => opRules[op].tail === 'chosen')
    expect(ops).toEqual([
      'count',
      'sum',
      'mean',
      'min',
      'max',
      'seconds_since_first',
      'fraud_rate',
      'fraud_count',
      'seconds_since_last_fraud',
      'seconds_since_first_fraud',
    ])
    for (const op of ops) {
      const of = opRules[op].of === 'nothing' ? '' : 'of: amountMinor, '
      const line = `- { name: f, entity: customer, op: ${op}, ${of}window: 1d, tail: 5m }`
      const definition = read(textWith(['features:\n', `features:\n  ${line}\n`]))
      expect(windowOf(definition, 'f').tailMs).toBe(300_000)
    }
  })

  test('pipeline file - keeps state for the longest window with delay, lateness and a day', () => {
    expect(read(soundText).store.retentionMs).toBe(31 * dayMs + 600_000)
    const delayed = textWith(['delay: 7d', 'delay: 60d'])
    expect(read(delayed).store.retentionMs).toBe(68 * dayMs + 600_000)
    const stepped = textWith(['windows: [1m, 30d]', 'window: 30d, tail: 12h'], ['_{window}', ''])
    expect(read(stepped).store.retentionMs).toBe(31.5 * dayMs + 600_000)
    const chosen = textWith(['policy:', 'store: { retention: 90d }\npolicy:'])
    expect(read(chosen).store.retentionMs).toBe(90 * dayMs)
  })

  test('pipeline file - reads the short and the long form of a model alike', () => {
    const short = read(
      textWith(['version: "1" }', 'version: "1", challengers: [{ version: "2" }] }']),
    )
    const long = textWith([
      'model: { name: small, version: "1" }',
      'model: { champion: { name: small, version: "1" }, challengers: [{ name: small, version: "2" }] }',
    ])
    expect(read(long)).toEqual(short)
    expect(short.model).toEqual({
      champion: { name: 'small', version: '1', source: '/somewhere/models' },
      challengers: [{ name: 'small', version: '2', source: '/somewhere/models' }],
    })
  })

  test('pipeline file - accepts every op of the definition', () => {
    const needs = {
      sum: 'of',
      mean: 'of',
      min: 'of',
      max: 'of',
      stddev: 'of',
      distinct: 'of',
      last: 'of',
    }
    const lines = windowOps.map((op) => {
      const of = op in needs ? 'of: amountMinor, ' : ''
      return `  - { name: ${op}_1h, entity: customer, op: ${op}, ${of}window: 1h }\n`
    })
    const definition = read(textWith(['features:\n', `features:\n${lines.join('')}`]))
    const ops = definition.features.flatMap((feature) => ('op' in feature ? [feature.op] : []))
    expect(new Set(ops)).toEqual(new Set(windowOps))
  })

  test('pipeline file - reads lists by entity, with composite keys joined by |', () => {
    const text = textWith(['block: 0.8', 'block: 0.8, deny: { customer: ["c|1"], pair: ["c|t"] }'])
    expect(read(text).policy.deny).toEqual([
      { entity: 'customer', keys: ['c|1'] },
      { entity: 'pair', keys: ['c|t'] },
    ])
  })

  test('pipeline file - puts the prefix before every topic that exists', () => {
    const text = textWith(['labels: tx.labels', 'labels: none'], ['op: fraud_rate', 'op: count'])
    const { definition } = readPipelineText(text, { topicPrefix: 'run1.' })
    const { labels, ...topics } = definition!.topics
    expect(labels).toBeNull()
    expect(Object.values(topics).every((topic) => topic?.startsWith('run1.'))).toBe(true)
  })

  test('pipeline file - is frozen to the bottom', () => {
    const isFrozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(isFrozen))
    expect(isFrozen(read(soundText))).toBe(true)
  })

  test.each(shippedPipelines)('pipeline file - %s loads', (path) => {
    const definition = loadPipelineFile(repositoryPath(path))
    expect(definition.features.length).toBeGreaterThanOrEqual(15)
  })

  test('pipeline file - the shipped one has 20 features or more, from 1 minute to 30 days', () => {
    const { features, entities } = loadPipelineFile(repositoryPath('pipelines/card-fraud.yaml'))
    expect(features.length).toBeGreaterThanOrEqual(20)
    expect(entities.map((entity) => entity.name)).toEqual(['customer', 'terminal', 'pair'])
    const windowsMs = features.flatMap((feature) =>
      'windowMs' in feature ? [feature.windowMs] : [],
    )
    expect([Math.min(...windowsMs), Math.max(...windowsMs)]).toEqual([60_000, 30 * dayMs])
  })

  test("pipeline file - the bench's is the peers' job", () => {
    const definition = loadPipelineFile(repositoryPath('load/bench/pipelines/pipeline.yaml'))
    const windows = ['1d', '7d', '30d']
    const names = ['customer', 'terminal'].flatMap((entity) =>
      ['count', 'amount_mean'].flatMap((op) =>
        windows.map((window) => `${entity}_${op}_${window}`),
      ),
    )
    expect(definition.features.map((feature) => feature.name)).toEqual([
      'amount',
      'is_weekend',
      'is_night',
      ...names,
    ])
    expect(definition.drift.sampleShare).toBe(0.05)
    expect(definition.model.champion).toMatchObject({ name: 'bench', version: '1' })
  })

  test('pipeline file - throws one error with every fault on a line of its own', () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-pipeline-'))
    const path = join(folder, 'p.yaml')
    try {
      writeFileSync(path, textWith(['review: 0.4', 'reviw: 0.4'], ['op: mean', 'op: maen']))
      expect(() => loadPipelineFile(path)).toThrow(WeirError)
      expect(() => loadPipelineFile(path)).toThrow(
        new RegExp(
          `^WEIR_PIPELINE_INVALID: .* 3 faults:\\n${path}:11:44 {2}features\\[4\\]\\.op {2}found "maen", ` +
            `expected one of .*, did you mean mean\\n${path}:16:9 {2}policy {2}.*\\n` +
            `${path}:16:11 {2}policy\\.reviw {2}.*, did you mean review$`,
        ),
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('pipeline file - says which file cannot be read', () => {
    expect(() => loadPipelineFile('/no/such/pipeline.yaml')).toThrow(
      /WEIR_PIPELINE_INVALID: .*\/no\/such\/pipeline\.yaml cannot be read: ENOENT/,
    )
  })
})

describe('hashes', () => {
  const hashes = ({ hash, layoutHash, featureSet }: PipelineDefinition) => ({
    hash,
    layoutHash,
    featureSet,
  })

  test('pipeline hashes - the order of keys, comments and defaults written out change nothing', () => {
    const [head, ...sections] = soundText.split(/^(?=[a-z])/m)
    const model = sections.findIndex((section) => section.startsWith('model'))
    const reordered = [...sections.slice(model), head, ...sections.slice(0, model)]
    const text = `# a comment\n${reordered.join('')}late: { then: score_only, allowed: 10m }\n`
      .replace(
        '{ name: amount, field: amountMinor, scale: 0.01 }',
        '{ scale: 0.01, field: amountMinor, name: amount, absent: 0 }',
      )
      .replace('window: 7d, current', 'window: 7d, delay: 0s, tail: 0s, current')
    expect(hashes(read(text))).toEqual(hashes(read(soundText)))
  })

  test('pipeline hashes - the place where it runs changes nothing', () => {
    const text = textWith(
      ['labels: tx.labels', 'labels: other.labels'],
      ['version: "1" }', 'version: "1", source: /elsewhere }'],
    )
    expect(hashes(read(text))).toEqual(hashes(read(soundText)))
  })

  test.each([
    ['a window', 'window: 7d, current: false', 'window: 8d, current: false', 'layout'],
    ['a tail', 'window: 7d, current: false', 'window: 7d, tail: 1h, current: false', 'layout'],
    ['the lateness allowed', 'policy:', 'late: { allowed: 11m }\npolicy:', 'layout'],
    ['what happens to late ones', 'policy:', 'late: { then: divert }\npolicy:', 'rest'],
    ['a scale', 'scale: 0.01', 'scale: 0.1', 'layout'],
    [
      'the key of an entity',
      'key: [customerId, terminalId]',
      'key: [terminalId, customerId]',
      'layout',
    ],
    ['the name of a feature', 'name: is_online', 'name: is_app', 'names'],
    ['the policy', 'review: 0.4', 'review: 0.5', 'rest'],
    ['the version of the model', 'version: "1"', 'version: "2"', 'rest'],
  ] as const)('pipeline hashes - %s changes what depends on it', (_title, from, to, depth) => {
    const before = hashes(read(soundText))
    const after = hashes(read(textWith([from, to])))
    expect(after.hash).not.toBe(before.hash)
    expect(after.layoutHash === before.layoutHash).toBe(depth === 'rest')
    expect(after.featureSet === before.featureSet).toBe(depth !== 'names')
  })

  test("pipeline hashes - the feature set is the manifest's hash of the names", () => {
    const { features, featureSet } = read(soundText)
    expect(featureSet).toBe(featureSetHash(features.map((feature) => feature.name)))
    expect(featureSet).toMatch(/^[0-9a-f]{64}$/)
  })
})
