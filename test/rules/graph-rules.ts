// How files hang together: no circles, and nothing exported that nobody reads.
//
// In: files. Out: one line per circle of imports (types count: who needs whom is told by types as
// well), by its members in order; one line per export without a reader. A test is a reader of a
// value; a type is read where its name is imported.

import { importsOf } from './import-rules.ts'
import {
  type CodeRule,
  exampleFile,
  isSource,
  isUnder,
  type RepositoryFile,
} from './repository-files.ts'

const isOurs = ({ path }: RepositoryFile): boolean =>
  isSource(path) && ['services', 'load', 'dev'].some((top) => isUnder(path, top))

/** Strongly connected files, by Tarjan. */
export function findCircles(files: readonly RepositoryFile[]): string[] {
  const graph = new Map(files.filter(isOurs).map((file) => [file.path, importsOf(file)]))
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const circles: string[][] = []
  const visit = (path: string): void => {
    index.set(path, index.size)
    low.set(path, index.get(path)!)
    stack.push(path)
    for (const next of graph.get(path)!) {
      if (!graph.has(next)) continue
      if (!index.has(next)) visit(next)
      else if (!stack.includes(next)) continue
      low.set(path, Math.min(low.get(path)!, low.get(next)!))
    }
    if (low.get(path) !== index.get(path)) return
    const members = stack.splice(stack.indexOf(path))
    if (members.length > 1 || graph.get(path)!.includes(path)) circles.push(members)
  }
  for (const path of graph.keys()) if (!index.has(path)) visit(path)
  return circles.map((members) => `${members.sort().join(' <-> ')}: import each other`)
}

const exported =
  /^export (?:declare )?(?:async )?(?:const|let|function\*?|class|type|interface) (\w+)/gm
/** Names in braces of an import or a re-export, with what they are read as. */
const imported = /(?:import|export)\s+(?:type\s+)?(?:\w+,\s*)?\{([^}]*)\}\s*from\s*'([^']+)'/g
const wholeModule = /\bimport(?:\s+\*\s+as\s+\w+\s+from\s+|\()\s*'([^']+)'/g

export function findUnreadExports(files: readonly RepositoryFile[]): string[] {
  const sources = files.filter(({ path }) => isSource(path))
  const read = new Set(sources.flatMap(readNames))
  return sources.filter(isOurs).flatMap(({ path, text }) =>
    [...text.matchAll(exported)]
      .map(([, name]) => name!)
      .filter((name) => !read.has(`${path} ${name}`) && !read.has(`${path} *`))
      .map((name) => `${path}: exports ${name}, which nobody reads`),
  )
}

/** `path name` of everything that a file takes from others. */
function readNames(file: RepositoryFile): string[] {
  const folder = file.path.split('/').slice(0, -1)
  const targetOf = (specifier: string): string => {
    const parts = [...folder]
    for (const part of specifier.split('/')) {
      if (part === '..') parts.pop()
      else if (part !== '.') parts.push(part)
    }
    return parts.join('/')
  }
  const named = [...file.text.matchAll(imported)].flatMap(([, names, specifier]) =>
    names!
      .split(',')
      .map(
        (name) =>
          name
            .trim()
            .replace(/^type\s+/, '')
            .split(/\s+as\s+/)[0]!,
      )
      .filter((name) => name !== '')
      .map((name) => `${targetOf(specifier!)} ${name}`),
  )
  const whole = [...file.text.matchAll(wholeModule)].map(([, path]) => `${targetOf(path!)} *`)
  return [...named, ...whole]
}

export const graphRules: readonly CodeRule[] = [
  {
    says: 'no files import each other in a circle',
    find: findCircles,
    debts: [
      'services/pipeline/enrich/feature-plan.ts <-> services/pipeline/enrich/find-frauds.ts <-> services/pipeline/enrich/find-window.ts <-> services/pipeline/enrich/window-features.ts: import each other',
      'services/adapters/onnx/graph-trial-process.ts <-> services/adapters/onnx/graph-trial.ts: import each other',
      'services/gates/backtest-gates.ts <-> services/gates/model-gates.ts: import each other',
    ],
    broken: [
      {
        files: [
          exampleFile('services/core/a.ts', "import { b } from './b.ts'"),
          exampleFile('services/core/b.ts', "import type { C } from './c.ts'"),
          exampleFile('services/core/c.ts', "import { a } from './a.ts'"),
        ],
        fault: /core\/a\.ts <-> services\/core\/b\.ts <-> services\/core\/c\.ts/,
      },
    ],
  },
  {
    says: 'what is exported has a reader',
    find: findUnreadExports,
    debts: [],
    broken: [
      {
        files: [
          exampleFile('services/core/a.ts', 'export const used = 1', 'export type Unused = 1'),
          exampleFile('services/core/b.ts', "import { used } from './a.ts'"),
        ],
        fault: /exports Unused, which nobody reads/,
      },
      {
        files: [exampleFile('load/a.ts', 'export async function alone() {}')],
        fault: /exports alone/,
      },
    ],
  },
]
