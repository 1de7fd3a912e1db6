// NDJSON as people have it: encodings, line ends, long ids, and what is no NDJSON.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readNdjsonCells } from '../../../services/adapters/event-files/ndjson-events.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { dialectFolder, noDialects, readRows, sharedFolder } from './read-rows.ts'

function read(content: string | Buffer, columns: readonly string[], name = 't.ndjson') {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, content)
  return readRows(readNdjsonCells, path, columns)
}

const expected = [{ a: 1 }, { a: 'é' }, { a: null }]
const lines = expected.map((row) => JSON.stringify(row))

describe('ndjson events', () => {
  test.each(['\n', '\r\n', '\r', '\n\r\n'])('ndjson events - lines end with %j', async (end) => {
    const { rows, broken } = await read(`\uFEFF${lines.join(end)}${end}`, ['a'])
    expect(rows).toEqual(expected)
    expect(broken.size).toBe(0)
  })

  test('ndjson events - UTF-16 is read by its mark, and without one', async () => {
    const text = `${lines.join('\r\n')}\r\n`
    for (const mark of ['\uFEFF', '']) {
      const bytes = Buffer.from(mark + text, 'utf16le')
      expect((await read(bytes, ['a'])).rows).toEqual(expected)
      expect((await read(Buffer.from(bytes).swap16(), ['a'])).rows).toEqual(expected)
    }
  })

  test('ndjson events - compressed files are read', async () => {
    const text = lines.join('\n')
    expect((await read(gzipSync(text), ['a'], 't.ndjson.gz')).rows).toEqual(expected)
    expect((await read(zstdCompressSync(text), ['a'], 't.jsonl.zst')).rows).toEqual(expected)
  })

  test('ndjson events - whole numbers keep their digits, wherever they stand', async () => {
    const { rows } = await read(
      '{"id":9007199254740993,"deep":{"ids":[1234567890123456781, -9007199254740993]}}\n' +
        '{"id":9007199254740991,"deep":"9007199254740993"}\n' +
        '{"id":10000000000000000000000,"deep":0.1234567890123456}\n',
      ['id', 'deep'],
    )
    expect(rows).toEqual([
      { id: 9007199254740993n, deep: { ids: [1234567890123456781n, -9007199254740993n] } },
      { id: 9007199254740991, deep: '9007199254740993' },
      { id: 10n ** 22n, deep: 0.1234567890123456 },
    ])
  })

  test('ndjson events - tokens that JSON does not have are named', async () => {
    const { broken } = await read(
      '{"a":NaN}\n{"a":[-Infinity],"b":"NaN"}\n{"a":"NaN"}\n{"a":"NaN}\n[1]\n{"a":1,}\n',
      ['a'],
    )
    expect([...broken]).toEqual([
      [0, 'the line has NaN, which JSON does not have'],
      [1, 'the line has -Infinity, which JSON does not have'],
      [3, 'the line is not a JSON object'],
      [4, 'the line is not a JSON object'],
      [5, 'the line is not a JSON object'],
    ])
  })

  test('ndjson events - an array and an object over many lines are refused with advice', async () => {
    const array = JSON.stringify([{ a: 1 }])
    for (const text of [array, `\n [\n{"a":1}\n]`]) {
      await expect(read(text, ['a'])).rejects.toThrow(/WEIR_FILE_INVALID.*jq -c '\.\[\]'/)
    }
    const wide = JSON.stringify({ a: 1 }, null, 2)
    await expect(read(wide, ['a'])).rejects.toThrow(/WEIR_FILE_INVALID.*jq -c '\.'/)
  })

  test('ndjson events - names of objects are their own alone', async () => {
    const { rows } = await read('{"a":1}\n{"toString":2}\n', ['a', 'toString', 'constructor'])
    expect(rows).toEqual([
      { a: 1, toString: undefined },
      { a: undefined, toString: 2 },
    ])
  })

  test('ndjson events - bytes that are not UTF-8 are refused, not replaced', async () => {
    const bytes = Buffer.from('{"a":"\xe9"}\n', 'latin1')
    await expect(read(bytes, ['a'])).rejects.toThrow(/WEIR_FILE_INVALID.*not UTF-8/)
  })
})

describe.skipIf(dialectFolder === null)('ndjson events of other makers', () => {
  test('ndjson events - Stripe has the messages and types of its facts', async () => {
    const folder = join(dialectFolder ?? noDialects, '08-json', 'stripe')
    const facts = JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8'))['events.jsonl']
    const path = join(folder, 'events.jsonl')
    const { rows, broken } = await readRows(readNdjsonCells, path, ['id', 'type', 'data'])
    expect(broken.size).toBe(0)
    expect(rows.length).toBe(facts.messages)
    const byId = new Map(rows.map((row) => [row.id, row]))
    expect(byId.size).toBe(facts.distinct_events)
    const counts: Record<string, number> = {}
    for (const { type } of rows) counts[String(type)] = (counts[String(type)] ?? 0) + 1
    const distinct: Record<string, number> = {}
    for (const { type } of byId.values()) {
      distinct[String(type)] = (distinct[String(type)] ?? 0) + 1
    }
    expect([counts, distinct]).toContainEqual(facts.types)
  })
})

const bugFolder = sharedFolder('bugs')

describe.skipIf(bugFolder === null)('ndjson events that others met', () => {
  test.each(['t', 'utf16', 'cr', 'crlf'])(
    'ndjson events - 13-bom/%s has its rows',
    async (name) => {
      const path = join(bugFolder!, '13-bom', `${name}.ndjson`)
      const { rows, broken } = await readRows(readNdjsonCells, path, ['transactionId'])
      expect([rows.length, broken.size]).toEqual([3, 0])
    },
  )
})
