// How a file reads: its header, length, name, exports and clock.
//
// In: files. Out: one line per fault. What biome checks already (format, columns, unused names) is
// not repeated here. The numbers are those of the style: a header of 3 to 12 lines, 400 lines a
// file.

import { posix } from 'node:path'
import {
  type CodeRule,
  exampleFile,
  isSource,
  isUnder,
  type RepositoryFile,
} from './repository-files.ts'

const headerMin = 3
const headerMax = 12
/** A file this short may say all of it in one line. */
const shortFile = 40
const lengthMax = 400

const hasHeader = ({ path }: RepositoryFile): boolean =>
  /\.(ts|mjs|lua)$/.test(path) && ['services', 'load', 'dev'].some((top) => isUnder(path, top))

const lengthOf = (text: string): number => text.trimEnd().split('\n').length

/** Lines of the comment that the file begins with, without its empty ones. */
export function headerLength(text: string): number {
  const lines = text.replace(/^#!.*\n/, '').split('\n')
  const isBlock = lines[0]!.startsWith('/*')
  const end = isBlock
    ? lines.findIndex((line) => line.includes('*/')) + 1
    : lines.findIndex((line) => !/^(?:\/\/|--)/.test(line))
  return lines.slice(0, end).filter((line) => /\w/.test(line)).length
}

export function findBadHeaders(files: readonly RepositoryFile[]): string[] {
  return files.filter(hasHeader).flatMap(({ path, text }) => {
    const found = headerLength(text)
    const least = lengthOf(text) < shortFile ? 1 : headerMin
    // The layouts of keys and requests stand as a block above the functions that read them.
    const most = path.endsWith('.lua') ? Number.POSITIVE_INFINITY : headerMax
    return found >= least && found <= most
      ? []
      : [`${path}: header of ${found} lines, expected ${least} to ${headerMax}`]
  })
}

export function findLongFiles(files: readonly RepositoryFile[]): string[] {
  return files
    .filter(({ path }) => isSource(path) && !isUnder(path, 'test'))
    .filter(({ text }) => lengthOf(text) > lengthMax)
    .map(({ path }) => `${path}: has more than ${lengthMax} lines`)
}

const bannedWords = ['utils', 'helpers', 'common', 'manager', 'handler', 'data', 'info']
/** Named as what they replace: kafkajs calls it eosManager. */
const namedByOthers = ['eos-manager']
const kebabName = /^\.?[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*$/

export function findBadNames(files: readonly RepositoryFile[]): string[] {
  return files
    .filter(({ path }) => isSource(path))
    .flatMap(({ path }) => {
      const name = posix.basename(path)
      const stem = name.replace(/\..*$/, '')
      const banned = namedByOthers.includes(stem)
        ? undefined
        : stem.split('-').find((word) => isBanned(word))
      if (banned !== undefined) return [`${path}: "${banned}" says nothing; name what is in it`]
      return kebabName.test(name) ? [] : [`${path}: expected kebab-case`]
    })
}

/** The singular and the plural of a word are the same habit. */
const isBanned = (word: string): boolean =>
  bannedWords.some((banned) => word === banned || `${word}s` === banned || word === `${banned}s`)

export function findDefaultExports(files: readonly RepositoryFile[]): string[] {
  return files
    .filter(({ path }) => isSource(path) && path !== 'vitest.config.ts')
    .filter(({ text }) => /^export\s+default\b|^export\s*\{[^}]*\bas default\b/m.test(text))
    .map(({ path }) => `${path}: default export; expected a name`)
}

/** A file of nothing but re-exports: it hides where things are. */
export function findBarrels(files: readonly RepositoryFile[]): string[] {
  return files
    .filter(({ path }) => isSource(path))
    .filter(({ text }) => isBarrel(text))
    .map(({ path }) => `${path}: only exports what others have; import those instead`)
}

function isBarrel(text: string): boolean {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const rest = code.replace(
    /^export\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+'/gm,
    '',
  )
  return rest !== code && rest.trim() === ''
}

const wallClock = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(/

/** Stages are pure: the batch carries its times, and what is drawn is drawn by a hash. */
export function findClocksInStages(files: readonly RepositoryFile[]): string[] {
  return files
    .filter(({ path }) => /^services\/pipeline\/[^/]+\//.test(path))
    .flatMap(({ path, text }) => {
      const found = wallClock.exec(text.replace(/^\s*(?:\/\/|\*).*$/gm, ''))?.[0]
      return found === undefined ? [] : [`${path}: reads ${found}) in a stage`]
    })
}

const filler = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `export const a${i} = ${i}`)

export const textRules: readonly CodeRule[] = [
  {
    says: `a header of ${headerMin} to ${headerMax} lines begins every file`,
    find: findBadHeaders,
    debts: [],
    broken: [
      { files: [exampleFile('services/core/a.ts', ...filler(60))], fault: /header of 0 lines/ },
      {
        files: [exampleFile('dev/a.mjs', '// One.', '//', '// Two.', '', ...filler(60))],
        fault: /header of 2 lines, expected 3 to 12/,
      },
      { files: [exampleFile('load/a.ts', 'export const a = 1')], fault: /expected 1 to 12/ },
      {
        files: [exampleFile('load/a.ts', '/**', ' * One.', ' */', ...filler(60))],
        fault: /header of 1 lines/,
      },
      {
        files: [exampleFile('load/a.ts', ...Array.from({ length: 13 }, () => '// Too much.'))],
        fault: /header of 13 lines/,
      },
    ],
  },
  {
    says: `files have at most ${lengthMax} lines`,
    find: findLongFiles,
    // The smallest mend: the placing of a batch's entries in a file of its own, log-places.ts.
    debts: [],
    broken: [
      {
        files: [exampleFile('services/core/a.ts', ...filler(401))],
        fault: /has more than 400 lines/,
      },
    ],
  },
  {
    says: 'file names are kebab-case and say what is in them',
    find: findBadNames,
    broken: [
      { files: [exampleFile('services/core/clockUtils.ts')], fault: /expected kebab-case/ },
      { files: [exampleFile('services/core/clock-utils.ts')], fault: /"utils" says nothing/ },
      { files: [exampleFile('test/support/util.ts')], fault: /"util" says nothing/ },
      { files: [exampleFile('dev/stack/lane-manager.ts')], fault: /"manager" says nothing/ },
    ],
  },
  {
    says: 'exports have names',
    find: findDefaultExports,
    broken: [
      { files: [exampleFile('services/core/a.ts', 'export default 1')], fault: /default export/ },
      {
        files: [exampleFile('load/a.ts', 'const a = 1', 'export { a as default }')],
        fault: /default export/,
      },
    ],
  },
  {
    says: 'there are no barrels',
    find: findBarrels,
    broken: [
      {
        files: [exampleFile('services/core/index.ts', '// All of it.', "export * from './a.ts'")],
        fault: /only exports what others have/,
      },
      {
        files: [
          exampleFile(
            'load/a.ts',
            'export {',
            '  a,',
            "} from './b.ts'",
            "export type { C } from './c.ts'",
          ),
        ],
        fault: /only exports what others have/,
      },
    ],
  },
  {
    says: 'stages read no clock and throw no dice',
    find: findClocksInStages,
    broken: [
      {
        files: [exampleFile('services/pipeline/decide/a.ts', 'const t = Date.now()')],
        fault: /reads Date\.now\(\) in a stage/,
      },
      {
        files: [exampleFile('services/pipeline/publish/a.ts', 'const isDue = Math.random() < 0.1')],
        fault: /reads Math\.random/,
      },
    ],
  },
]
