// The pages for people: links resolve, the index is whole, decisions are numbered, words are used.
//
// In: files. Out: one line per fault. Tables that repeat the code's are proved row by row in
// reference-pages.test.ts; here stands what concerns all pages.

import { posix } from 'node:path'
import { isDocument } from './machine-rules.ts'
import { type CodeRule, exampleFile, isUnder, type RepositoryFile } from './repository-files.ts'

const withoutCode = (text: string): string =>
  text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '')

/** As the usual renderers make anchors from headings. */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')

const anchorsIn = (text: string): string[] =>
  [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchorOf(heading!))

export type Link = { readonly target: string; readonly anchor: string }

export function linksOf({ path, text }: RepositoryFile): Link[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [file = '', anchor = ''] = link.split('#')
      const target = file === '' ? path : posix.join(posix.dirname(path), file)
      return { target: target.replace(/\/$/, ''), anchor }
    })
}

export function findBrokenLinks(files: readonly RepositoryFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const folders = new Set(files.flatMap(({ path }) => foldersOf(path)))
  return files.filter(isDocument).flatMap((page) =>
    linksOf(page).flatMap(({ target, anchor }) => {
      const found = byPath.get(target)
      if (found === undefined && !folders.has(target)) return [`${page.path}: no ${target}`]
      if (anchor === '' || found === undefined || anchorsIn(found.text).includes(anchor)) return []
      return [`${page.path}: no heading #${anchor} in ${target}`]
    }),
  )
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'))
}

const indexPage = 'docs/README.md'

export function findUnlistedPages(files: readonly RepositoryFile[]): string[] {
  const index = files.find(({ path }) => path === indexPage)
  if (index === undefined) return []
  const listed = new Set(linksOf(index).map(({ target }) => target))
  return files
    .filter((file) => isDocument(file) && isUnder(file.path, 'docs') && file.path !== indexPage)
    .filter(({ path }) => !listed.has(path))
    .map(({ path }) => `${indexPage}: does not list ${path}`)
}

const decisionName = /^docs\/decisions\/(\d{4})-[a-z0-9-]+\.md$/
const decisionParts = ['## Context', '## Decision', '## Consequences', '## Alternatives']

export function findBadDecisions(files: readonly RepositoryFile[]): string[] {
  const pages = files.filter(({ path }) => isUnder(path, 'docs/decisions'))
  const numbers = pages.map(({ path }) => Number(decisionName.exec(path)?.[1] ?? Number.NaN))
  return pages.flatMap(({ path, text }, i) => {
    const expected = String(i + 1).padStart(4, '0')
    if (numbers[i] !== i + 1) return [`${path}: expected the number ${expected}`]
    const lines = text.split('\n')
    const missing = decisionParts.filter((part) => !lines.includes(part))
    return missing.map((part) => `${path}: has no "${part}"`)
  })
}

/** Each `npm run x` that a page or a comment names is there to be run. */
export function findUnknownScripts(files: readonly RepositoryFile[]): string[] {
  const manifest = files.find(({ path }) => path === 'package.json')
  if (manifest === undefined) return []
  const { scripts } = JSON.parse(manifest.text) as { scripts: Record<string, string> }
  const named = files
    .filter(
      ({ path }) => /\.(md|ts|mjs|yaml|yml|json|py)$/.test(path) && !isUnder(path, 'test/rules'),
    )
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\bnpm run ([a-z][\w:-]*)/g)].map(([, script]) => ({
        path,
        script: script!,
      })),
    )
    .filter(({ script }) => scripts[script] === undefined)
    .map(({ path, script }) => `${path}: names \`npm run ${script}\`, which does not exist`)
  const gone = Object.entries(scripts).flatMap(([script, command]) => {
    const file = /\bdev\/launch\.mjs (\S+)/.exec(command)?.[1]
    return file === undefined || files.some(({ path }) => path === file)
      ? []
      : [`package.json: ${script} runs ${file}, which does not exist`]
  })
  return [...new Set(named), ...gone]
}

const glossaryPage = 'docs/reference/glossary.md'

/**
 * Words of the glossary's table: its first column, where several stand for one idea with commas.
 */
export const glossaryWords = (text: string): string[] =>
  [...text.matchAll(/^\| \*\*([^*]+)\*\* \|/gm)].map(([, word]) => word!)

export function findUnusedWords(files: readonly RepositoryFile[]): string[] {
  const glossary = files.find(({ path }) => path === glossaryPage)
  if (glossary === undefined) return []
  const others = files
    .filter(({ path }) => path !== glossaryPage)
    .filter((file) => isDocument(file) || isUnder(file.path, 'services'))
    .map(({ text }) => text.toLowerCase())
  const words = glossaryWords(glossary.text)
  const unused = words.filter((word) => {
    const used = new RegExp(`\\b${word.toLowerCase()}s?\\b`)
    return !others.some((text) => used.test(text))
  })
  const sorted = [...words].sort((a, b) => a.localeCompare(b, 'en'))
  return [
    ...unused.map((word) => `${glossaryPage}: nobody says "${word}"`),
    ...(words.join() === sorted.join() ? [] : [`${glossaryPage}: expected ${sorted.join(', ')}`]),
    ...(words.length > 0 ? [] : [`${glossaryPage}: has no words`]),
  ]
}

/**
 * JSON on the page for consumers is cut out of the examples that are tested against the schemas.
 */
export function findInventedExamples(files: readonly RepositoryFile[]): string[] {
  const page = files.find(({ path }) => path === 'docs/reference/events.md')
  if (page === undefined) return []
  const blocks = [...page.text.matchAll(/^<!-- (\S+\.json) -->\n```json\n([\s\S]*?)^```/gm)]
  const all = page.text.match(/^```json/gm)?.length ?? 0
  const unnamed = all - blocks.length
  return [
    ...(unnamed === 0 ? [] : [`${page.path}: ${unnamed} blocks of JSON do not name their example`]),
    ...blocks.flatMap(([, path, json]) => {
      const example = files.find((file) => file.path === path)
      if (example === undefined) return [`${page.path}: no ${path}`]
      const { value } = JSON.parse(example.text) as { value: Record<string, unknown> }
      const shown = JSON.parse(json!) as Record<string, unknown>
      return Object.keys(shown)
        .filter((field) => JSON.stringify(shown[field]) !== JSON.stringify(value[field]))
        .map((field) => `${page.path}: ${field} is not that of ${path}`)
    }),
  ]
}

/** A ceiling that nobody reads is none. */
export function findUnusedLimits(files: readonly RepositoryFile[]): string[] {
  const table = files.find(({ path }) => path === 'services/core/limits.ts')
  if (table === undefined) return []
  const names = [...table.text.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name!)
  const users = files.filter(({ path }) => isUnder(path, 'services') && path !== table.path)
  return names
    .filter((name) => !users.some(({ text }) => new RegExp(`\\blimits\\.${name}\\b`).test(text)))
    .map((name) => `${table.path}: ${name} is enforced nowhere`)
}

const scriptsOf = (...names: readonly string[]): RepositoryFile =>
  exampleFile(
    'package.json',
    JSON.stringify({ scripts: Object.fromEntries(names.map((n) => [n, ''])) }),
  )

export const pageRules: readonly CodeRule[] = [
  {
    says: 'relative links resolve',
    find: findBrokenLinks,
    broken: [
      { files: [exampleFile('docs/a.md', '[b](b.md)')], fault: /no docs\/b\.md/ },
      {
        files: [exampleFile('docs/b.md', '# One'), exampleFile('docs/a.md', '[b](b.md#two)')],
        fault: /no heading #two in docs\/b\.md/,
      },
    ],
  },
  {
    says: 'the index of docs/ lists every page',
    find: findUnlistedPages,
    broken: [
      {
        files: [exampleFile(indexPage, '[a](a.md)'), exampleFile('docs/b.md', 'x')],
        fault: /does not list docs\/b\.md/,
      },
    ],
  },
  {
    says: 'decisions are numbered without gaps and have their four parts',
    find: findBadDecisions,
    broken: [
      {
        files: [exampleFile('docs/decisions/0002-a.md', ...decisionParts)],
        fault: /expected the number 0001/,
      },
      {
        files: [exampleFile('docs/decisions/0001-a.md', ...decisionParts.slice(0, 3))],
        fault: /has no "## Alternatives"/,
      },
    ],
  },
  {
    says: 'npm scripts that are named exist, and so do the files they run',
    find: findUnknownScripts,
    broken: [
      {
        files: [scriptsOf('demo'), exampleFile('docs/a.md', 'Run `npm run chaos`.')],
        fault: /names `npm run chaos`/,
      },
      {
        files: [
          exampleFile(
            'package.json',
            JSON.stringify({ scripts: { demo: 'node dev/launch.mjs load/a.ts' } }),
          ),
        ],
        fault: /demo runs load\/a\.ts, which does not exist/,
      },
    ],
  },
  {
    says: 'words of the glossary are used, and stand in order',
    find: findUnusedWords,
    broken: [
      {
        files: [exampleFile(glossaryPage, '| **sluice** | A gate. |')],
        fault: /nobody says "sluice"/,
      },
      {
        files: [
          exampleFile(glossaryPage, '| **lane** | x |', '| **batch** | x |'),
          exampleFile('docs/a.md', 'a lane, two batches, one batch'),
        ],
        fault: /expected batch, lane/,
      },
    ],
  },
  {
    says: 'examples for consumers are those of schemas/examples',
    find: findInventedExamples,
    broken: [
      {
        files: [
          exampleFile('schemas/examples/a.json', '{"value": {"score": 0.5}}'),
          exampleFile(
            'docs/reference/events.md',
            '<!-- schemas/examples/a.json -->',
            '```json',
            '{ "score": 0.6 }',
            '```',
          ),
        ],
        fault: /score is not that of schemas\/examples\/a\.json/,
      },
      {
        files: [exampleFile('docs/reference/events.md', '```json', '{}', '```')],
        fault: /1 blocks of JSON do not name/,
      },
    ],
  },
  {
    says: 'every limit is enforced somewhere',
    find: findUnusedLimits,
    debts: [],
    broken: [
      {
        files: [
          exampleFile('services/core/limits.ts', 'export const limits = {', '  aMax: 1,', '}'),
        ],
        fault: /aMax is enforced nowhere/,
      },
    ],
  },
]
