// The config of a training: what it says after reading, and what is refused with which words.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  loadTrainingConfig,
  readTrainingConfig,
  schemaUrl,
} from '../../training/training-config.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'

const good = `
pipeline: pipelines/card-fraud.yaml
model: { name: small, version: "1" }
out: runs/small
seed: 7
createdAt: 2026-02-01
histories:
  past:
    transactions: ["\${WEIR_DATA:-../data}/t.parquet"]
    labels: [l.parquet]
split:
  labelDelay: 7d
  folds:
    - train: { from: 2025-06-01, to: 2025-06-25 }
      validate: { from: 2025-07-02, to: 2025-07-16 }
  test:
    - { from: 2025-07-23T12:30Z, to: 2025-08-09 }
rounds: { max: 80 }
`

const read = (text: string, environment = {}) => readTrainingConfig(text, 'small.yaml', environment)

const refusal = (from: string | RegExp, to: string): string => {
  const spoilt = good.replace(from, to)
  expect(spoilt).not.toBe(good)
  try {
    read(spoilt)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('the config was accepted')
}

test('training config - has times in ms, the only history by its name, and defaults', () => {
  expect(read(good)).toMatchObject({
    model: { name: 'small', version: '1', folder: null },
    cache: '.weir/training',
    objective: 'averagePrecision',
    calibration: 'isotonic',
    thresholds: { review: 0.01, block: 0.0005 },
    search: { grid: {}, draws: null },
    rounds: { max: 80, patience: null },
    split: {
      labelDelayMs: 7 * 86_400_000,
      train: null,
      test: [{ history: 'past', fromMs: Date.UTC(2025, 6, 23, 12, 30) }],
    },
  })
})

test('training config - finds files by the environment, or by the default beside it', () => {
  const filesWith = (environment: Record<string, string>) =>
    read(good, environment).histories.past!.transactions
  expect(filesWith({})).toEqual(['../data/t.parquet'])
  expect(filesWith({ WEIR_DATA: 'elsewhere' })).toEqual(['elsewhere/t.parquet'])
  expect(refusal(':-../data', '')).toContain('found WEIR_DATA not set')
})

test('training config - has one hash wherever files and folders lie, and another for another seed', () => {
  const { hash } = read(good)
  const moved = good
    .replace('runs/small', 'elsewhere')
    .replace('l.parquet', 'm.parquet')
    .replace('"1" }', '"1", folder: models }')
  expect(read(moved).hash).toBe(hash)
  expect(read(good.replace('seed: 7', 'seed: 8')).hash).not.toBe(hash)
})

test.each([
  [
    'seed: 7',
    'seed: 7\nsede: 7',
    'small.yaml:6:1  sede  found unknown key "sede", expected one of',
  ],
  ['seed: 7', 'seed: -1', 'seed  found the number -1, expected a whole number from 0'],
  ['out: runs/small\n', '', 'expected the key out'],
  ['version: "1"', 'version: 1', 'model.version  found the number 1, expected a name'],
  ['labelDelay: 7d', 'labelDelay: week', 'found "week", expected a duration such as 7d'],
  ['2025-06-01,', '2025-6-1,', 'found "2025-6-1", expected a UTC time such as 2026-01-31'],
  ['2025-06-01,', '2025-02-30,', 'found "2025-02-30", expected a day and time that exist'],
  ['rounds:', 'boosting: { num_leafs: 3 }\nrounds:', 'boosting.num_leafs  found "num_leafs"'],
  ['num_leafs', 'num_leafs', 'did you mean num_leaves'],
  ['rounds:', 'boosting: { num_threads: 3 }\nrounds:', 'expected a LightGBM parameter that may'],
  ['rounds:', 'rounds:\n  [', 'expected YAML 1.2'],
  ['    labels: [l.parquet]\n', '', 'histories.past  found no labels, expected labels'],
  ['labels: [l', 'generator: { start: 2025-01-01 }\n    labels: [l', 'found generator and files'],
  ['{ max: 80 }', '{ max: 80 }\ncalibration: beta', 'expected isotonic, platt or none'],
])('training config - refuses %j as %j', (from, to, words) => {
  const text = from === to ? 'boosting: { num_leafs: 3 }\nrounds:' : to
  expect(refusal(from === to ? 'rounds:' : from, text)).toContain(words)
})

test.each([
  [
    'to: 2025-06-25',
    'to: 2025-06-25T00:01Z',
    /split\.folds\[0\]\.train\.to .*2025-06-25T00:00:00\.000Z or earlier: split\.labelDelay \(7d\) before the validation begins/,
  ],
  [
    'to: 2025-07-16',
    'to: 2025-07-17',
    /split\.folds\[0\]\.validate\.to .*before the first test begins/,
  ],
  [
    '  test:',
    '  train: { from: 2025-06-01, to: 2025-07-17 }\n  test:',
    /split\.train\.to .*before the first test/,
  ],
  ['from: 2025-07-02', 'from: 2025-07-16', /validate\.to .*expected a time after 2025-07-16/],
  [
    'from: 2025-07-02',
    'history: pasta, from: 2025-07-02',
    /found "pasta", expected one of past, did you mean past/,
  ],
])('training config - keeps the order of time: refuses %j as %j', (from, to, words) => {
  expect(refusal(from, to)).toMatch(words)
})

test('training config - reports all faults at once, each with its line', () => {
  const message = refusal(/seed: 7\ncreatedAt: 2026-02-01/, 'seed: x\ncreatedAt: soon')
  expect(message).toMatch(/^2 faults:\nsmall\.yaml:5:7 .*\nsmall\.yaml:6:12 /)
})

test('training config - a block rate above the review rate is refused', () => {
  const rates = 'review: { falsePositiveRate: 0.001 }, block: { falsePositiveRate: 0.01 }'
  expect(refusal('rounds:', `thresholds: { ${rates} }\nrounds:`)).toMatch(
    /thresholds\.block\.falsePositiveRate .*0\.01.* expected 0\.001 or less/,
  )
})

test.each(['card-fraud', 'card-fraud-1', 'bench'])('training config - %s.yaml is sound', (name) => {
  const config = loadTrainingConfig(repositoryPath(`training/${name}.yaml`), {})
  expect(config.pipeline).toMatch(/\.yaml$/)
})

type Node = {
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly additionalProperties?: Node | boolean
  readonly description?: string
}

/** [path, meaning] of each key that the schema describes; ranges and thresholds are told once. */
function describedKeys(
  node: Node,
  root: { definitions: Record<string, Node> },
  path = '',
): string[][] {
  const target = node.$ref === undefined ? node : root.definitions[node.$ref.split('/').at(-1)!]!
  const own = node.description === undefined ? [] : [[`\`${path}\``, node.description]]
  if (node.$ref !== undefined && path !== '<range>') return own
  const children = Object.entries(target.properties ?? {}).flatMap(([key, child]) =>
    describedKeys(child, root, path === '' ? key : `${path}.${key}`),
  )
  const items = target.items === undefined ? [] : describedKeys(target.items, root, `${path}[]`)
  const more = target.additionalProperties
  const named = typeof more === 'object' ? describedKeys(more, root, `${path}.<name>`) : []
  return [...own, ...children, ...items, ...named]
}

test('training config - its page has the rows of the schema and no others', () => {
  const root = JSON.parse(readFileSync(schemaUrl, 'utf8'))
  const expected = [
    ...describedKeys(root, root),
    ...describedKeys({ $ref: '#/definitions/range' }, root, '<range>'),
  ]
  expect(expected.length).toBeGreaterThan(25)
  const page = readFileSync(repositoryPath('docs/reference/training-config.md'), 'utf8')
  const rows = page
    .split('\n')
    .filter((line) => /^\| `/.test(line))
    .map((line) => line.slice(2, -2).split(' | '))
  expect(rows.map((row) => row.map((cell) => cell.trim()))).toEqual(expected)
})
