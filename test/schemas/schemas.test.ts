// The contracts themselves: every field explained, every example judged as its file says.

import { readdirSync, readFileSync } from 'node:fs'
import type { Type } from 'avsc'
import { describe, expect, test } from 'vitest'
import { parseSchema } from '../../services/adapters/registry/avro-types.ts'
import {
  readSchema,
  type SchemaFile,
  schemaFiles,
} from '../../services/adapters/registry/schema-files.ts'
import { readFields } from './schema-fields.ts'

const folder = new URL('../../schemas/', import.meta.url)

type Example = {
  readonly file: string
  readonly why: string
  readonly path?: string
  readonly value: Record<string, unknown>
}

/**
 * JSON has no bytes: {"type": "Buffer", "data": [...]}, as Node writes a Buffer, stands for them.
 */
const reviveBytes = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
    ? Buffer.from((value as unknown as { data: number[] }).data)
    : value

function readExamples(schema: SchemaFile, kind: 'good' | 'bad'): Example[] {
  const place = new URL(`examples/${schema}/`, folder)
  const files = readdirSync(place).filter((file) => file.startsWith(`${kind}-`))
  return files.map((file) => ({
    file,
    ...JSON.parse(readFileSync(new URL(file, place), 'utf8'), reviveBytes),
  }))
}

function faultPaths(type: Type, value: unknown): string[] {
  const paths: string[] = []
  type.isValid(value, { errorHook: (path) => paths.push(path.join('.')) })
  return paths
}

test('schemas - the folder and the list name the same files', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.avsc'))
  expect(files.sort()).toEqual(schemaFiles.map((file) => `${file}.avsc`).sort())
  const examples = readdirSync(new URL('examples/', folder))
  expect(examples.sort()).toEqual([...schemaFiles].sort())
})

describe.each(schemaFiles)('schema %s', (file) => {
  const type = parseSchema(readSchema(file))
  const fields = readFields(file)

  test('schemas - has its namespace and a doc on every record and field', () => {
    expect(type.name).toMatch(/^weir\.[A-Z]\w+$/)
    expect(type.doc).toMatch(/\.$/)
    expect(fields.length).toBeGreaterThan(5)
    for (const { path, doc, typeDoc } of fields) {
      expect(doc, `${path} has a doc`).toMatch(/^\S.{9,}\.$/)
      if (typeDoc !== null) expect(typeDoc, `the type of ${path} has a doc`).toMatch(/\.$/)
    }
  })

  test('schemas - counts money in minor units and times in milliseconds', () => {
    const money = fields.filter(({ path }) => /amount/i.test(path))
    for (const { type } of money) expect(type).toBe('long')
    const times = fields.filter(({ path }) => /(Time|^when|^windowStart|^windowEnd)$/.test(path))
    expect(times.length).toBeGreaterThan(0)
    for (const { path, type } of times) expect(type, path).toBe('long (timestamp-millis)')
  })

  test('schemas - good examples fit and survive the wire', () => {
    const examples = readExamples(file, 'good')
    expect(examples.length).toBeGreaterThanOrEqual(2)
    for (const { file: name, value } of examples) {
      expect(faultPaths(type, value), name).toEqual([])
      expect(type.fromBuffer(type.toBuffer(value)), name).toMatchObject(value)
    }
  })

  test('schemas - bad examples are refused where they say', () => {
    const examples = readExamples(file, 'bad')
    expect(examples.length).toBeGreaterThanOrEqual(3)
    for (const { file: name, why, path, value } of examples) {
      expect(why.length, name).toBeGreaterThan(10)
      expect(faultPaths(type, value), name).toEqual([path])
    }
  })
})

test('schemas - late and rejected events have the same fields', () => {
  const names = (file: SchemaFile) => readFields(file).map(({ path, type }) => [path, type])
  expect(names('late-transaction')).toEqual(names('rejected-transaction'))
})
