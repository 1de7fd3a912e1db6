// CSV as people have it: quotes, line breaks, encodings, delimiters, and what is refused.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readCsvCells } from '../../../services/adapters/event-files/csv-cells.ts'
import type { CsvDialect } from '../../../services/core/input-mapping.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { dialectFolder, noDialects, readRows } from './read-rows.ts'

function fileOf(content: string | Buffer, name = 't.csv'): string {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, content)
  return path
}

const read = (content: string | Buffer, columns: readonly string[], dialect: CsvDialect = {}) =>
  readRows((path, names) => readCsvCells(path, names, dialect), fileOf(content), columns)

const rowsOf = async (content: string | Buffer, columns: string[], dialect: CsvDialect = {}) =>
  (await read(content, columns, dialect)).rows

describe('csv cells', () => {
  test('csv cells - reads quotes, doubled quotes, and line breaks and delimiters in quotes', async () => {
    const text = 'a,b,c\n1,"x, ""y""\nz",3\n"4","",""""\n'
    expect(await rowsOf(text, ['a', 'b', 'c'])).toEqual([
      { a: '1', b: 'x, "y"\nz', c: '3' },
      { a: '4', b: undefined, c: '"' },
    ])
  })

  test.each(['\n', '\r\n', '\r'])('csv cells - reads lines that end with %j', async (end) => {
    const lines = ['a,b', '1,2', '', '"3",', ',"5"']
    const expected = [
      { a: '1', b: '2' },
      { a: '3', b: undefined },
      { a: undefined, b: '5' },
    ]
    expect(await rowsOf(lines.join(end), ['a', 'b'])).toEqual(expected)
    expect(await rowsOf(`${lines.join(end)}${end}${end}`, ['a', 'b'])).toEqual(expected)
  })

  test('csv cells - a CR within a line that ends with LF is a character', async () => {
    expect(await rowsOf('a,b\n1\r,2\n', ['a', 'b'])).toEqual([{ a: '1\r', b: '2' }])
  })

  test('csv cells - skips a byte order mark and takes an empty name', async () => {
    const rows = await rowsOf('\uFEFF,id\n0,x\n', ['', 'id', 'none'])
    expect(rows).toEqual([{ '': '0', id: 'x' }])
  })

  test('csv cells - a quote inside a field is a character', async () => {
    expect(await rowsOf('a,b\n5" pipe,2\n', ['a'])).toEqual([{ a: '5" pipe' }])
    expect(await rowsOf('a,b\n"x,2\n', ['a'], { quote: '' })).toEqual([{ a: '"x' }])
    expect(await rowsOf("a,b\n'x,''',2\n", ['a'], { quote: "'" })).toEqual([{ a: "x,'" }])
  })

  test('csv cells - rows of another width, and text behind a quote, are broken', async () => {
    const { rows, broken } = await read('a,b,c\n1,2\n1,2,3,4\n"1"x,2,3\n7,8,9\n', ['c'])
    expect([...broken]).toEqual([
      [0, 'found 2 columns, expected 3'],
      [1, 'found 4 columns, expected 3'],
      [2, 'text stands behind a closing quote'],
    ])
    expect(rows.map(({ c }) => c)).toEqual([undefined, undefined, undefined, '9'])
  })

  test.each([',', ';', '\t', '|'])('csv cells - guesses the delimiter %j', async (mark) => {
    const others = [',', ';', '\t', '|'].filter((other) => other !== mark)
    const lines = ['id', 'amount', 'note'].join(mark)
    const row = ['1', '2', `"${others.join('')}${mark}"`].join(mark)
    const rows = await rowsOf(`${lines}\n${row}\n${row}\n`, ['note'])
    expect(rows[1]).toEqual({ note: `${others.join('')}${mark}` })
  })

  test('csv cells - a decimal comma is no delimiter', async () => {
    expect(await rowsOf('id;amount\na;1,50\nb;2\n', ['amount'])).toEqual([
      { amount: '1,50' },
      { amount: '2' },
    ])
  })

  test('csv cells - takes names for a file without a header', async () => {
    expect(await rowsOf('1,2\n3,4\n', ['x', 'y'], { header: ['x', 'y'] })).toEqual([
      { x: '1', y: '2' },
      { x: '3', y: '4' },
    ])
    const rows = await rowsOf('1,"2\n,",5\n3,4,6\n', ['column2'], { header: false })
    expect(rows).toEqual([{ column2: '2\n,' }, { column2: '4' }])
  })

  test('csv cells - reads UTF-16 by its mark, and the encodings that are said', async () => {
    const text = 'a,b\né,€\n'
    const expected = [{ a: 'é', b: '€' }]
    const utf16 = Buffer.from(`\uFEFF${text}`, 'utf16le')
    expect(await rowsOf(utf16, ['a', 'b'])).toEqual(expected)
    expect(await rowsOf(Buffer.from(utf16).swap16(), ['a', 'b'])).toEqual(expected)
    const bare = Buffer.from(text, 'utf16le')
    expect(await rowsOf(bare, ['a', 'b'], { encoding: 'utf-16le' })).toEqual(expected)
    const latin = Buffer.from([0x61, 0x2c, 0x62, 10, 0xe9, 0x2c, 0x80, 10])
    expect(await rowsOf(latin, ['a', 'b'], { encoding: 'latin1' })).toEqual(expected)
    await expect(rowsOf(latin, ['a'])).rejects.toThrow(/WEIR_FILE_INVALID.*not UTF-8/)
    const utf32 = Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0])
    await expect(rowsOf(utf32, ['a'])).rejects.toThrow(/WEIR_FILE_INVALID.*UTF-32LE/)
  })

  test('csv cells - refuses names that come twice and quotes without an end', async () => {
    await expect(rowsOf('a,b,a\n1,2,3\n', ['a'])).rejects.toThrow(
      /WEIR_FILE_INVALID.*columns 1 and 3 of the header have the same name/,
    )
    await expect(rowsOf('a,b\n1,2\n"3,4\n5,6\n', ['a'])).rejects.toThrow(
      /WEIR_FILE_INVALID.*row 1 \(from 0\) has a quote that is never closed/,
    )
    const endless = `a,b\n1,"${'x'.repeat(17 * 1024 * 1024)}`
    await expect(rowsOf(endless, ['a'])).rejects.toThrow(/row 0 .* is a quote not closed\?/)
  })

  test('csv cells - an empty file and a header alone have no rows', async () => {
    expect(await rowsOf('', ['a'])).toEqual([])
    expect(await rowsOf('\n\n', ['a'])).toEqual([])
    expect(await rowsOf('a,b', ['a'])).toEqual([])
  })

  test.each([
    ['many.csv', (text: string) => Buffer.from(text)],
    ['many.csv.gz', (text: string) => gzipSync(text)],
    ['many.csv.zst', (text: string) => zstdCompressSync(text)],
    ['members.csv.gz', (text: string) => Buffer.concat(cut(text).map((part) => gzipSync(part)))],
    [
      'frames.csv.zst',
      (text: string) => Buffer.concat(cut(text).map((part) => zstdCompressSync(part))),
    ],
  ])('csv cells - joins records across chunks of %s', async (name, compress) => {
    const rows = Array.from({ length: 60_000 }, (_, i) => ({
      id: `tä${i}`,
      note: `"é, ${'\r\n'.repeat(i % 3)}${'ü'.repeat(i % 50)}`,
      end: i % 7 === 0 ? undefined : String(i),
    }))
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
    const text = rows.map(({ id, note, end }) => `${id},${quoted(note)},${end ?? ''}\r\n`).join('')
    const path = fileOf(compress(`id,note,end\r\n${text}`), name)
    const found = await readRows(readCsvCells, path, ['id', 'note', 'end'])
    // Not toEqual: a difference among 60,000 rows takes minutes to draw.
    expect(JSON.stringify(found.rows) === JSON.stringify(rows)).toBe(true)
    expect(found.blocks.length).toBeGreaterThan(1)
  })

  test('csv cells - refuses compressed files that are cut off', async () => {
    const text = Buffer.from(`a,b\n${'1,2\n'.repeat(10_000)}`)
    for (const [name, bytes] of [
      ['t.csv.gz', gzipSync(text)],
      ['t.csv.zst', zstdCompressSync(text)],
    ] as const) {
      const path = fileOf(bytes.subarray(0, bytes.length - 9), name)
      await expect(readRows(readCsvCells, path, ['a'])).rejects.toThrow(/WEIR_FILE_INVALID/)
    }
    const path = fileOf('a,b\n', 'plain.csv.gz')
    await expect(readRows(readCsvCells, path, ['a'])).rejects.toThrow(/WEIR_FILE_INVALID/)
  })
})

const cut = (text: string): string[] => [text.slice(0, 500_001), text.slice(500_001)]

describe.skipIf(dialectFolder === null)('csv cells of other makers', () => {
  const factsOf = (folder: string, file: string) =>
    JSON.parse(readFileSync(join(dialectFolder ?? noDialects, folder, 'facts.json'), 'utf8'))[file]

  test('csv cells - Sparkov has the rows, frauds and cards of its facts', async () => {
    const facts = factsOf('01-sparkov', 'fraudTrain.csv')
    const path = join(dialectFolder!, '01-sparkov', 'fraudTrain.csv')
    const columns = ['', 'trans_num', 'cc_num', 'merchant', 'amt', 'is_fraud']
    const { rows, broken } = await readRows(readCsvCells, path, columns)
    const distinct = (column: string) => new Set(rows.map((row) => row[column])).size
    expect(broken.size).toBe(0)
    expect(rows.length).toBe(facts.rows)
    expect(rows.filter(({ is_fraud }) => is_fraud === '1').length).toBe(facts.frauds)
    expect(distinct('cc_num')).toBe(facts.distinct_cc_num)
    expect(distinct('merchant')).toBe(facts.distinct_merchant)
    expect(distinct('trans_num')).toBe(facts.distinct_trans_num)
    const minors = rows.map(({ amt }) => Math.round(Number(amt) * 100))
    expect(minors.reduce((sum, minor) => sum + minor, 0)).toBe(facts.sum_amt_minor)
    expect(rows.map((row) => row[''])).toEqual(rows.map((_, i) => String(i)))
  })

  test('csv cells - PaySim has the rows, frauds and names of its facts', async () => {
    const facts = factsOf('02-paysim', 'paysim2_rawLog.csv')
    const path = join(dialectFolder!, '02-paysim', 'paysim2_rawLog.csv')
    const columns = facts.header.split(',')
    const { rows, broken } = await readRows(readCsvCells, path, columns)
    const distinct = (column: string) => new Set(rows.map((row) => row[column])).size
    expect(broken.size).toBe(0)
    expect(rows.length).toBe(facts.rows)
    expect(rows.filter(({ isFraud }) => isFraud === '1').length).toBe(facts.frauds)
    expect(distinct('nameOrig')).toBe(facts.distinct_orig)
    expect(distinct('nameDest')).toBe(facts.distinct_dest)
    const minors = rows.map(({ amount }) => Math.round(Number(amount) * 100))
    expect(minors.reduce((sum, minor) => sum + minor, 0)).toBe(facts.sum_amount_minor)
  })
})
