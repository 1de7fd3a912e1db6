// The repository as the code rules see it: every text file that git does not ignore.
//
// In: .gitignore, of which only plain names, `folder/` and `*.ending` are understood. Out: paths
// relative to the repository with their texts. Works in a copy without .git as well.
// Invariant: a rule is a function from files to faults, so that it can be shown a bad example too.

import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

export type RepositoryFile = {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

export type CodeRule = {
  readonly says: string
  /** One line per fault: the path, what was found and what is expected. */
  readonly find: (files: readonly RepositoryFile[]) => readonly string[]
  /** Files that break the rule, and what it then says about the last of them. */
  readonly broken: readonly {
    readonly files: readonly RepositoryFile[]
    readonly fault: RegExp
  }[]
  /** Faults that are known and have to be mended: a line that is no longer found must go, too. */
  readonly debts?: readonly string[]
}

export const repositoryFolder = join(import.meta.dirname, '../..')

const binaryEndings = ['.onnx', '.parquet', '.png', '.gz', '.zst']

export function readRepository(): readonly RepositoryFile[] {
  const ignored = ignorePatterns(readFileSync(join(repositoryFolder, '.gitignore'), 'utf8'))
  const found = globSync(['**/*', '**/.*', '**/.*/**'], {
    cwd: repositoryFolder,
    exclude: ignored,
    withFileTypes: true,
  })
  const files = found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const caches = files.filter(ignoresItself).map((file) => dirname(file))
  return [...new Set(files)]
    .filter((file) => !caches.some((folder) => file.startsWith(`${folder}/`)))
    .filter((file) => !binaryEndings.some((ending) => file.endsWith(ending)))
    .map((file) => ({
      path: relative(repositoryFolder, file),
      text: readFileSync(file, 'utf8'),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Caches of tools hold a .gitignore of their own that says `*`. */
const ignoresItself = (file: string): boolean =>
  basename(file) === '.gitignore' && readFileSync(file, 'utf8').split('\n').includes('*')

export function ignorePatterns(gitignore: string): string[] {
  const lines = gitignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const anywhere = lines.map((line) => {
    const name = line.replace(/^\/|\/$/g, '')
    return name.includes('/') ? name : `**/${name}`
  })
  return ['.git', ...anywhere]
}

/** A file for a bad example. */
export const exampleFile = (path: string, ...lines: readonly string[]): RepositoryFile => ({
  path,
  text: `${lines.join('\n')}\n`,
})

export const isUnder = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder}/`)

export const isSource = (path: string): boolean => /\.(ts|mjs)$/.test(path)
