// How code is cut: functions a screen can hold, comments as wide as code.
//
// In: files, formatted by biome, so that what a function opens is closed at its own indentation.
// Out: one line per fault. Functions and comments that are known to be too big stand in a list of
// debts, each with its size: a debt that grows or was paid fails the test until the list says so.

import {
  type CodeRule,
  exampleFile,
  isSource,
  isUnder,
  type RepositoryFile,
} from './repository-files.ts'

const functionLinesMax = 70
const columnsMax = 100

const isOurCode = ({ path }: RepositoryFile): boolean =>
  isSource(path) && ['services', 'load', 'dev'].some((top) => isUnder(path, top))

export type FoundFunction = { readonly name: string; readonly lines: number }

const declared = /^(\s*)(?:export )?(?:async )?function\*? (\w+)/
const arrow = /^(\s*)(?:export )?const (\w+)(?:: [^=]+)? = (?:async )?(?:<[^>]*>)?\(/
const method = /^(\s*)(?:static )?(?:async )?(#?\w+)\(.*\{$/
const statements = ['if', 'for', 'while', 'switch', 'catch', 'return', 'function']

/**
 * Named functions of a file, those inside of others too, with their lines from `function` to `}`.
 */
export function functionsOf(text: string): FoundFunction[] {
  const lines = text.split('\n')
  return lines.flatMap((line, at) => {
    const [, indent = '', name = ''] =
      declared.exec(line) ?? arrow.exec(line) ?? method.exec(line) ?? []
    if (name === '' || statements.includes(name)) return []
    const end = endOf(lines, at, indent)
    return end === null ? [] : [{ name, lines: end - at + 1 }]
  })
}

/** The line that closes what begins at `at`; null where that is no block. */
function endOf(lines: readonly string[], at: number, indent: string): number | null {
  for (let i = at + 1; i < lines.length; i++) {
    const line = lines[i]!
    if (line === `${indent}}` || line === `${indent}})`) return i
    const isInside = line === '' || line.startsWith(`${indent} `)
    const isSignature = line.startsWith(indent) && /^[)}\]>]/.test(line.slice(indent.length))
    if (!isInside && !isSignature) return null
  }
  return null
}

export function findLongFunctions(files: readonly RepositoryFile[]): string[] {
  return files.filter(isOurCode).flatMap(({ path, text }) =>
    functionsOf(text)
      .filter(({ lines }) => lines > functionLinesMax)
      .map(({ name, lines }) => `${path}: ${name} has ${lines} lines`),
  )
}

const isComment = (line: string): boolean => /^\s*(?:\/\/|--|\/\*|\*)/.test(line)

export function findWideComments(files: readonly RepositoryFile[]): string[] {
  return files.filter(isCommented).flatMap(({ path, text }) => {
    const wide = text.split('\n').filter((line) => isComment(line) && line.length > columnsMax)
    return wide.length === 0
      ? []
      : [`${path}: ${wide.length} comment lines over ${columnsMax} columns`]
  })
}

const isCommented = (file: RepositoryFile): boolean =>
  isOurCode(file) || isUnder(file.path, 'test') || file.path.endsWith('.lua')

const body = (lines: number): string[] => Array.from({ length: lines }, (_, i) => `  call(${i})`)

export const shapeRules: readonly CodeRule[] = [
  {
    says: `functions have at most ${functionLinesMax} lines`,
    find: findLongFunctions,
    debts: [
      'load/bench/cases/fold.ts: measureRow has 79 lines',
      'load/bench/cases/rollback.ts: runRollback has 93 lines',
      'services/adapters/inference/remote-classifier.ts: createRemoteClassifier has 83 lines',
      'services/adapters/inference/remote-model.ts: createRemoteModel has 90 lines',
      'services/adapters/kafka/client/acceleration/record-batch-decoder.ts: replaceRecordBatchDecoder has 75 lines',
      'services/adapters/memory/memory-log-store.ts: createMemoryLogStore has 102 lines',
      'services/adapters/redis/logs/redis-log-store.ts: createRedisLogStore has 104 lines',
      'services/pages/page-sections.ts: drawSimulation has 77 lines',
      'services/parity/labels/outcome-ledger.ts: createOutcomeLedger has 72 lines',
      'services/rollout/scored-feed.ts: openScoredFeed has 128 lines',
      'services/rollout/start-rollout.ts: runRollout has 72 lines',
    ],
    broken: [
      {
        files: [exampleFile('services/core/a.ts', 'export function long() {', ...body(69), '}')],
        fault: /long has 71 lines/,
      },
      {
        files: [
          exampleFile(
            'load/a.ts',
            'export const long = async (',
            '  a: string,',
            '): Promise<void> => {',
            ...body(70),
            '}',
          ),
        ],
        fault: /long has 74 lines/,
      },
      {
        files: [
          exampleFile(
            'services/core/a.ts',
            'class A {',
            '  async #long() {',
            ...body(70).map((l) => `  ${l}`),
            '  }',
            '}',
          ),
        ],
        fault: /#long has 72 lines/,
      },
    ],
  },
  {
    says: `comments have at most ${columnsMax} columns`,
    find: findWideComments,
    // Drawings and layouts that are wider: to be redrawn, each one that goes makes this shorter.
    debts: [
      'load/bench/cases/rollback.ts: 1 comment lines over 100 columns',
      'load/bench/cases/swaps.ts: 1 comment lines over 100 columns',
      'load/chaos/fail-points.ts: 1 comment lines over 100 columns',
      'services/adapters/kafka/client/acceleration/produce-request.ts: 2 comment lines over 100 columns',
      'services/adapters/kafka/client/acceleration/record-batch-decoder.ts: 1 comment lines over 100 columns',
      'services/adapters/kafka/lanes/lane-transactions.ts: 1 comment lines over 100 columns',
      'services/adapters/kafka/roster/roster-codec.ts: 2 comment lines over 100 columns',
      'services/adapters/kafka/topics/topic-differences.ts: 1 comment lines over 100 columns',
      'services/adapters/onnx/run-dispatcher.ts: 1 comment lines over 100 columns',
      'services/adapters/redis/calls/weir-functions.lua: 12 comment lines over 100 columns',
      'services/adapters/redis/logs/folded-part.ts: 1 comment lines over 100 columns',
      'services/lanes/batch-loop.ts: 1 comment lines over 100 columns',
      'services/lanes/claim-lane.ts: 1 comment lines over 100 columns',
      'services/lanes/isolation.ts: 1 comment lines over 100 columns',
      'services/lanes/lane-book.ts: 1 comment lines over 100 columns',
      'services/parity/labels/label-orders.ts: 1 comment lines over 100 columns',
      'services/parity/topics/parity-scope.ts: 1 comment lines over 100 columns',
      'services/pipeline/enrich/entity-log.ts: 1 comment lines over 100 columns',
      'services/pipeline/enrich/find-window.ts: 1 comment lines over 100 columns',
      'services/pipeline/publish/lane-metadata.ts: 1 comment lines over 100 columns',
      'services/pipeline/records.ts: 1 comment lines over 100 columns',
      'services/replay/topic-lane.ts: 1 comment lines over 100 columns',
      'services/restore/fill/choose-fillers.ts: 2 comment lines over 100 columns',
      'services/restore/fill/fill-holes.ts: 1 comment lines over 100 columns',
      'services/scorer/score-run.ts: 1 comment lines over 100 columns',
      'test/simulation/brokers/group-coordinator.ts: 1 comment lines over 100 columns',
    ],
    broken: [
      {
        files: [exampleFile('services/core/a.ts', `// ${'word '.repeat(20)}`)],
        fault: /1 comment lines over 100 columns/,
      },
      {
        files: [exampleFile('services/a.lua', `-- ${'word '.repeat(20)}`)],
        fault: /1 comment lines over 100 columns/,
      },
    ],
  },
]
