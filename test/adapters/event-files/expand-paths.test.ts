// Folders of part files: their order, their names, and what is left out.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { expandPaths } from '../../../services/adapters/event-files/expand-paths.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

function folderOf(...files: readonly string[]): string {
  const folder = temporaryFolder()
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), '')
  }
  return folder
}

describe('expand paths', () => {
  test('expand paths - takes a folder apart by names, without marks and checksums', async () => {
    const folder = folderOf(
      'x.parquet/part-00001.parquet',
      'x.parquet/part-00000.parquet',
      'x.parquet/_SUCCESS',
      'x.parquet/.part-00000.parquet.crc',
      'x.parquet/_temporary/part-00009.parquet',
      'x.parquet/Z/part-00002.parquet',
      'x.parquet/day=1/part-00000.parquet',
      'single.csv',
    )
    const paths = [join(folder, 'single.csv'), join(folder, 'x.parquet')]
    const found = await expandPaths(paths)
    expect(found).toEqual([
      { path: paths[0], name: 'single.csv' },
      { path: join(paths[1]!, 'Z/part-00002.parquet'), name: 'part-00002.parquet' },
      { path: join(paths[1]!, 'day=1/part-00000.parquet'), name: 'day=1/part-00000.parquet' },
      { path: join(paths[1]!, 'part-00000.parquet'), name: 'x.parquet/part-00000.parquet' },
      { path: join(paths[1]!, 'part-00001.parquet'), name: 'part-00001.parquet' },
    ])
  })

  test('expand paths - a file that is named twice has its own name twice', async () => {
    const folder = folderOf('a/t.csv', 'b/t.csv')
    const [a, b] = [join(folder, 'a/t.csv'), join(folder, 'b/t.csv')]
    const names = (await expandPaths([a, b, a])).map(({ name }) => name)
    expect(names).toEqual(['a/t.csv', 'b/t.csv', 'a/t.csv'])
    expect((await expandPaths([a, a])).map(({ name }) => name)).toEqual(['t.csv', 't.csv'])
  })

  test('expand paths - refuses what is not there, empty folders and circles', async () => {
    const folder = folderOf('_SUCCESS')
    await expect(expandPaths([folder])).rejects.toThrow(/WEIR_FILE_INVALID.*without files/)
    const none = join(folder, 'none.csv')
    await expect(expandPaths([none])).rejects.toThrow(/WEIR_FILE_INVALID.*ENOENT/)
    symlinkSync(folder, join(folder, 'circle'))
    await expect(expandPaths([folder])).rejects.toThrow(/WEIR_FILE_INVALID.*within each other/)
  })
})
