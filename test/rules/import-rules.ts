// Imports run downhill, and each driver is known in one place: the rules, as data.
//
//   core <- records, observe <- stages <- pipeline.ts <- lanes <- restore, doctor <- entry points
//                                  ▲                      ▲
//                                  └── adapters ──────────┘ (the lanes' ports only)
//
// In: files. Out: one line per import that goes uphill or sideways. A new folder of services/ and a
// new package need a row here first; that is where it is decided what they may touch.

import { posix } from 'node:path'
import {
  type CodeRule,
  exampleFile,
  isSource,
  isUnder,
  type RepositoryFile,
} from './repository-files.ts'

/** A specifier that is written in a file: static, dynamic, type-only, or asked for by `require`. */
const specifier =
  /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|\brequire\(\s*|\bcreateRequire\([^)]*\)\(\s*)'([^'\n]+)'/g
/** Workers are started from the URL of their module. */
const moduleUrl = /\bnew URL\(\s*'([^'\n]+\.(?:ts|mjs|js))'/g

export function importsOf({ path, text }: RepositoryFile): string[] {
  const code = text.replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, '')
  return [...code.matchAll(specifier), ...code.matchAll(moduleUrl)].map(([, found]) =>
    found!.startsWith('.') ? posix.join(posix.dirname(path), found!) : found!,
  )
}

type Layer = {
  readonly name: string
  /**
   * Paths that belong to it; the first layer that fits decides. A group is told apart by folder.
   */
  readonly holds: RegExp
  readonly mayImport: readonly string[]
}

const below = ['core', 'models', 'statistics', 'expressions', 'records', 'observe']
const engine = [...below, 'stage', 'pipeline', 'lane port', 'lanes', 'adapter', 'roster']
const pages = ['backtest', 'pages']

const layers: readonly Layer[] = [
  { name: 'core', holds: /^services\/core\//, mayImport: [] },
  // What a model says of itself: read by stages and adapters alike.
  { name: 'models', holds: /^services\/models\//, mayImport: ['core'] },
  { name: 'statistics', holds: /^services\/statistics\//, mayImport: ['core'] },
  // Which models score, and who said so.
  { name: 'roster', holds: /^services\/roster\//, mayImport: ['core'] },
  // A text of the pipeline file as a function over an event.
  { name: 'expressions', holds: /^services\/expressions\//, mayImport: ['core'] },
  // Raw values of any source as an event's fields.
  { name: 'mapping', holds: /^services\/mapping\//, mayImport: ['core', 'expressions'] },
  {
    name: 'records',
    holds: /^services\/pipeline\/(?:records|entity-key|event-roles)\.ts$/,
    mayImport: ['core'],
  },
  { name: 'observe', holds: /^services\/pipeline\/observe\//, mayImport: ['core', 'records'] },
  { name: 'stage', holds: /^(services\/pipeline\/[^/]+)\//, mayImport: below },
  {
    name: 'pipeline',
    holds: /^services\/pipeline\/pipeline\.ts$/,
    mayImport: [...below, 'stage'],
  },
  {
    name: 'lane port',
    holds: /^services\/lanes\/lane-(?:input|transactions)\.ts$/,
    mayImport: [...below, 'stage'],
  },
  {
    name: 'lanes',
    holds: /^services\/lanes\//,
    mayImport: [...below, 'stage', 'pipeline', 'lane port'],
  },
  {
    name: 'restore port',
    holds: /^services\/restore\/restorable-store\.ts$/,
    mayImport: [...below, 'stage'],
  },
  // A replay's topics and keys of its own: what makes them is told apart by this type alone.
  { name: 'replay port', holds: /^services\/replay\/isolated-run\.ts$/, mayImport: ['core'] },
  {
    name: 'adapter',
    holds: /^(services\/adapters\/[^/]+)\//,
    mayImport: [...below, 'mapping', 'stage', 'lane port', 'restore port', 'replay port', 'roster'],
  },
  // What a replay found, as figures.
  { name: 'backtest', holds: /^services\/backtest\//, mayImport: [...below] },
  { name: 'pages', holds: /^services\/pages\//, mayImport: [...below, 'backtest'] },
  // What must hold of a model before it scores.
  {
    name: 'gates',
    holds: /^(services\/gates)\//,
    mayImport: [...below, 'stage', 'roster', 'adapter', ...pages],
  },
  // From settings to clients and codecs, for every entry point.
  { name: 'environment', holds: /^(services\/environment)\//, mayImport: engine },
  {
    name: 'cli',
    holds: /^services\/cli\//,
    mayImport: [
      ...engine,
      ...pages,
      'gates',
      'environment',
      'restore port',
      'replay port',
      'restore',
      'doctor',
      'entry point',
    ],
  },
  // Run by a scorer whose store lost state, and by hand.
  { name: 'restore', holds: /^services\/restore\//, mayImport: [...engine, 'restore port'] },
  // Looked at by itself, and by a scorer before it starts.
  { name: 'doctor', holds: /^(services\/doctor)\//, mayImport: engine },
  {
    name: 'entry point',
    holds: /^(services\/(?:scorer|replay|parity|rollout))\//,
    mayImport: [
      ...engine,
      ...pages,
      'environment',
      'restore port',
      'replay port',
      'restore',
      'doctor',
    ],
  },
  // A producer like anybody's; only how a program ends and reads times is common to all.
  { name: 'generator', holds: /^load\/generator\//, mayImport: ['core'] },
  {
    name: 'load',
    holds: /^(load\/[^/]+)\//,
    mayImport: [
      ...engine,
      ...pages,
      'gates',
      'environment',
      'replay port',
      'cli',
      'entry point',
      'generator',
      'dev',
      'load',
    ],
  },
  { name: 'dev', holds: /^dev\//, mayImport: [] },
]

/** Folders that build on one of the same layer, each with its reason. */
const neighbours: Readonly<Record<string, readonly string[]>> = {
  // The plan of topics names the subject and the compatibility level of each topic's schema.
  'services/adapters/kafka': ['services/adapters/registry'],
  // The same model's folder, its reasons, and itself as the fallback.
  'services/adapters/inference': ['services/adapters/onnx', 'services/adapters/models'],
  // A model's folder is read in one place, whoever opens it.
  'services/adapters/onnx': ['services/adapters/models'],
  // A model repository's layout is written from the pipeline file's section on the model.
  'services/adapters/models': ['services/adapters/pipeline-file'],
  // Columns of a file are told apart as a pipeline file names them.
  'services/adapters/event-files': ['services/adapters/pipeline-file'],
  // A replay of several processes scores within bounds, with the live scorer's own parts.
  'services/replay': ['services/scorer'],
}

/** Folders that may plug several adapters together. */
const wiring = [
  'services/environment',
  'services/restore',
  'services/doctor',
  'services/gates',
  'services/scorer',
  'services/replay',
  'services/parity',
  'services/rollout',
  'services/cli',
]

/** The place of a path: its layer, and the folder that keeps it apart from others of the layer. */
function placeOf(path: string): { layer: Layer; group: string } | null {
  for (const layer of layers) {
    const match = layer.holds.exec(path)
    if (match) return { layer, group: match[1] ?? layer.name }
  }
  return null
}

const isOurs = (path: string): boolean => /^(?:services|load|dev|test)\//.test(path)

export function findUphillImports(files: readonly RepositoryFile[]): string[] {
  return files.filter(({ path }) => isSource(path) && isWatched(path)).flatMap(findUphillIn)
}

const isWatched = (path: string): boolean => isOurs(path) && !isUnder(path, 'test')

function findUphillIn(file: RepositoryFile): string[] {
  const from = placeOf(file.path)
  if (from === null) return [`${file.path}: belongs to no layer; add one to test/rules`]
  return importsOf(file)
    .filter(isOurs)
    .filter((target) => !mayImport(from, placeOf(target)))
    .map((target) => `${file.path}: imports ${target}; ${from.layer.name} may not`)
}

function mayImport(
  from: { layer: Layer; group: string },
  to: { layer: Layer; group: string } | null,
): boolean {
  if (to === null) return false
  if (to.group === from.group) return true
  if (neighbours[from.group]?.includes(to.group)) return true
  return from.layer.mayImport.includes(to.layer.name)
}

export function findAdapterMixers(files: readonly RepositoryFile[]): string[] {
  const adapters = new Map<string, Set<string>>()
  for (const file of files) {
    if (!isSource(file.path) || !isUnder(file.path, 'services')) continue
    const folder = placeOf(file.path)?.group ?? posix.dirname(file.path)
    if (wiring.some((top) => isUnder(folder, top)) || folder === 'cli') continue
    for (const target of importsOf(file)) {
      const adapter = /^services\/adapters\/[^/]+/.exec(target)?.[0]
      if (adapter === undefined || adapter === folder) continue
      if (neighbours[folder]?.includes(adapter)) continue
      adapters.set(folder, (adapters.get(folder) ?? new Set()).add(adapter))
    }
  }
  return [...adapters]
    .filter(([, used]) => used.size > 1)
    .map(([folder, used]) => `${folder}: plugs ${[...used].sort().join(' and ')} together`)
}

/** Who may import a package. What is not listed may be imported nowhere outside of test/. */
const packages: Readonly<Record<string, readonly string[]>> = {
  '@confluentinc/schemaregistry': ['services/adapters/registry'],
  '@marcbachmann/cel-js': ['services/expressions'],
  '@node-rs/crc32': ['services/adapters/kafka'],
  // Checks shapes, without any I/O; the manifest's shape belongs to those who read it.
  ajv: ['services/adapters/pipeline-file', 'services/models'],
  avsc: ['services/adapters/registry', 'load'],
  commander: ['services/cli', 'load'],
  fastify: ['services/adapters/http'],
  '@duckdb/node-api': ['load'],
  hyparquet: ['services/adapters/event-files', 'load'],
  'hyparquet-compressors': ['services/adapters/event-files', 'load'],
  'hyparquet-writer': ['services/adapters/event-files', 'load'],
  // dev/stack asks whether Redis answers, the bench what it took of the processor.
  ioredis: ['services/adapters/redis', 'dev/stack', 'load/bench'],
  kafkajs: ['services/adapters/kafka', 'load/generator'],
  'onnxruntime-node': ['services/adapters/onnx'],
  // What the bench holds the codecs to.
  'lz4-napi': ['load/bench'],
  pino: ['services/adapters/prometheus'],
  // /metrics answers with the registry's text.
  'prom-client': ['services/adapters/prometheus', 'services/adapters/http'],
  // The runner of the tests.
  vitest: ['dev/test.ts'],
  yaml: ['services/adapters/pipeline-file', 'services/adapters/event-files'],
}

/** Node's own modules that do no I/O: all that core, stages and the pipeline may use. */
const pureModules = ['node:crypto']

const packageOf = (name: string): string =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')

export function findStrayPackages(files: readonly RepositoryFile[]): string[] {
  return files
    .filter(({ path }) => isSource(path) && isWatched(path))
    .flatMap((file) =>
      importsOf(file)
        .filter((target) => !isOurs(target))
        .flatMap((target) => strayPackage(file.path, target)),
    )
}

function strayPackage(path: string, target: string): string[] {
  if (target.startsWith('node:')) {
    const isPure = isUnder(path, 'services/core') || isUnder(path, 'services/pipeline')
    return isPure && !pureModules.includes(target)
      ? [`${path}: imports ${target}; core and stages do no I/O`]
      : []
  }
  // Asking a package for its version uses nothing of it.
  if (/(?:^|\/)package\.json$/.test(target) || /^(?:schemas|node_modules)\//.test(target)) return []
  const name = packageOf(target)
  const allowed = packages[name]
  if (allowed?.some((folder) => isUnder(path, folder))) return []
  const expected = allowed === undefined ? 'nowhere yet' : `in ${allowed.join(', ')}`
  return [`${path}: imports ${name}; expected ${expected}`]
}

/** Every dependency has its row, and every row its dependency. */
export function findUnlistedPackages(files: readonly RepositoryFile[]): string[] {
  const manifest = files.find(({ path }) => path === 'package.json')
  if (manifest === undefined) return []
  const { dependencies, devDependencies = {} } = JSON.parse(manifest.text) as Readonly<
    Record<'dependencies' | 'devDependencies', Readonly<Record<string, string>>>
  >
  // `node` is the program that runs all of this.
  const installed = Object.keys(dependencies).filter((name) => name !== 'node')
  const missing = installed.filter((name) => packages[name] === undefined)
  // Tools need no row, but a bench may import one that has.
  const known = [...installed, ...Object.keys(devDependencies)]
  const gone = Object.keys(packages).filter((name) => !known.includes(name))
  return [
    ...missing.map((name) => `package.json: ${name} has no row in test/rules/import-rules.ts`),
    ...gone.map((name) => `test/rules/import-rules.ts: ${name} is no dependency any more`),
  ]
}

export const importRules: readonly CodeRule[] = [
  {
    says: 'imports run downhill',
    find: findUphillImports,
    broken: [
      {
        files: [
          exampleFile(
            'services/core/limits.ts',
            "import { decode } from '../pipeline/decode/decode.ts'",
          ),
        ],
        fault: /core may not/,
      },
      {
        files: [
          exampleFile(
            'services/pipeline/decide/decide.ts',
            "import type { Plan } from '../enrich/plan.ts'",
          ),
        ],
        fault: /imports services\/pipeline\/enrich\/plan\.ts; stage may not/,
      },
      {
        files: [
          exampleFile(
            'services/pipeline/enrich/enrich.ts',
            "import { a } from '../../adapters/redis/a.ts'",
          ),
        ],
        fault: /stage may not/,
      },
      {
        files: [exampleFile('services/pipeline/pipeline.ts', "import '../lanes/lane.ts'")],
        fault: /pipeline may not/,
      },
      {
        files: [exampleFile('services/lanes/lane.ts', "export { a } from '../scorer/main.ts'")],
        fault: /lanes may not/,
      },
      {
        files: [
          exampleFile('services/adapters/kafka/a.ts', "import { Lane } from '../../lanes/lane.ts'"),
        ],
        fault: /adapter may not/,
      },
      {
        files: [exampleFile('services/adapters/redis/a.ts', "import { b } from '../memory/b.ts'")],
        fault: /adapter may not/,
      },
      {
        files: [exampleFile('services/parity/main.ts', "await import('../scorer/main.ts')")],
        fault: /entry point may not/,
      },
      {
        files: [
          exampleFile(
            'load/generator/a.ts',
            "import { decode } from '../../services/pipeline/decode/decode.ts'",
          ),
        ],
        fault: /generator may not/,
      },
      {
        files: [exampleFile('services/core/a.ts', "import { b } from '../../test/support/b.ts'")],
        fault: /core may not/,
      },
      { files: [exampleFile('services/attic/a.ts', '')], fault: /belongs to no layer/ },
    ],
  },
  {
    says: 'only entry points plug adapters together',
    find: findAdapterMixers,
    broken: [
      {
        files: [
          exampleFile(
            'services/lanes/a.ts',
            "import { a } from '../adapters/redis/a.ts'",
            "import { b } from '../adapters/kafka/b.ts'",
          ),
        ],
        fault: /plugs services\/adapters\/kafka and services\/adapters\/redis together/,
      },
    ],
  },
  {
    says: 'a driver is imported by its adapter alone',
    find: findStrayPackages,
    debts: [],
    broken: [
      {
        files: [exampleFile('services/pipeline/enrich/a.ts', "import { Redis } from 'ioredis'")],
        fault: /imports ioredis; expected in services\/adapters\/redis/,
      },
      {
        files: [
          exampleFile(
            'services/lanes/a.ts',
            "const k = createRequire(u)('kafkajs')",
            "import type { K } from 'kafkajs'",
          ),
        ],
        fault: /imports kafkajs/,
      },
      {
        files: [
          exampleFile('services/pipeline/decode/a.ts', "import { readFileSync } from 'node:fs'"),
        ],
        fault: /core and stages do no I\/O/,
      },
      {
        files: [exampleFile('services/adapters/redis/a.ts', "import merge from 'lodash/merge.js'")],
        fault: /imports lodash; expected nowhere yet/,
      },
    ],
  },
  {
    says: 'every dependency has a row that says who may import it',
    find: findUnlistedPackages,
    broken: [
      {
        files: [
          exampleFile('package.json', JSON.stringify({ dependencies: { leftpad: '1.0.0' } })),
        ],
        fault: /^package\.json: leftpad has no row/,
      },
    ],
  },
]
