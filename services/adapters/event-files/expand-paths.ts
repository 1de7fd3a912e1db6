// Files of a run: paths as they are given, folders taken apart.
//
//   a.csv, history/          ─►  a.csv, history/part-0.parquet, history/part-1.parquet
//
// In: paths of files and folders; Spark, for one, writes a folder of part files. Out: paths of
// files in the order given, those of a folder by their names (folders within it too), each with a
// name for reports that no other file has. Names that begin with _ or . are left out (_SUCCESS,
// checksums). Refused with WEIR_FILE_INVALID: a path that is not there, a folder without files.
// Invariant: the order does not depend on the machine's language or file system.

import { readdir, stat } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { refuseFile } from './refuse-file.ts'

export type NamedPath = {
  readonly path: string
  /** The end of the path, as long as it takes to tell the file from the others. */
  readonly name: string
}

/** Links may form a circle. */
const depthMax = 16

export async function expandPaths(paths: readonly string[]): Promise<NamedPath[]> {
  const files: string[] = []
  for (const path of paths) {
    try {
      const found = await listFiles(path, 0)
      if (found.length === 0) throw new Error('found a folder without files, expected part files')
      files.push(...found)
    } catch (cause) {
      throw refuseFile(path, cause)
    }
  }
  return nameFiles(files)
}

async function listFiles(path: string, depth: number): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path]
  if (depth > depthMax) throw new Error(`found more than ${depthMax} folders within each other`)
  const names = (await readdir(path)).filter((name) => !/^[_.]/.test(name)).sort()
  const files: string[] = []
  for (const name of names) files.push(...(await listFiles(join(path, name), depth + 1)))
  return files
}

function nameFiles(files: readonly string[]): NamedPath[] {
  const parts = files.map((file) => resolve(file).split(sep))
  /** How many different files have an end in common, by the end. */
  const owners = new Map<string, Set<string>>()
  for (const [i, names] of parts.entries()) {
    for (let count = 1; count <= names.length; count++) {
      const end = names.slice(-count).join('/')
      owners.set(end, (owners.get(end) ?? new Set()).add(resolve(files[i]!)))
    }
  }
  return files.map((path, i) => {
    const names = parts[i]!
    let count = 1
    while (count < names.length && owners.get(names.slice(-count).join('/'))!.size > 1) count++
    return { path, name: names.slice(-count).join('/') }
  })
}
