// Which schemas may follow one another, and why not: known without asking a registry.

import { expect, test } from 'vitest'
import {
  isAsStrict,
  recordNameOf,
  whyIncompatible,
  whyUnreadable,
} from '../../../services/adapters/registry/schema-compatibility.ts'
import { readSchema, schemaFiles } from '../../../services/adapters/registry/schema-files.ts'
import type { CompatibilityLevel } from '../../../services/adapters/registry/schema-registry.ts'

const record = (...fields: readonly object[]): string =>
  JSON.stringify({ type: 'record', name: 'Payment', namespace: 'bank', fields })
const id = { name: 'id', type: 'string' }
const note = { name: 'note', type: 'string' }
const defaulted = { ...note, default: '' }
const cents = { name: 'cents', type: 'long' }

test.each<[string, CompatibilityLevel, string, string, RegExp | null]>([
  ['a field with a default', 'FULL', record(id, defaulted), record(id), null],
  [
    'a field without one',
    'BACKWARD',
    record(id, note),
    record(id),
    /new readers .*bank.Payment.note/,
  ],
  ['a field without one', 'FORWARD', record(id, note), record(id), null],
  [
    'a field that is gone',
    'FORWARD',
    record(id),
    record(id, note),
    /old readers .*bank.Payment.note/,
  ],
  ['a field that is gone', 'BACKWARD', record(id), record(id, note), null],
  [
    'another type',
    'FULL',
    record(id, cents),
    record(id, { ...cents, type: 'string' }),
    /new readers .*: field cents: cannot read "string" as "long"/,
  ],
  ['a wider type', 'BACKWARD', record(id, cents), record(id, { ...cents, type: 'int' }), null],
  ['anything', 'NONE', record(note), record(id), null],
])('schema compatibility - %s at %s', (_name, level, schemaText, earlierText, reason) => {
  const why = whyIncompatible(level, { schemaText, earlierText })
  if (reason === null) expect(why).toBeNull()
  else expect(why).toMatch(reason)
})

test('schema compatibility - every contract can follow itself, and is its own record', () => {
  for (const file of schemaFiles) {
    const schemaText = readSchema(file)
    expect(whyIncompatible('FULL', { schemaText, earlierText: schemaText }), file).toBeNull()
    const { namespace, name } = JSON.parse(schemaText)
    expect(recordNameOf(schemaText)).toBe(`${namespace}.${name}`)
  }
})

test('schema compatibility - what is no Avro has no name, and a reason instead of a crash', () => {
  expect(recordNameOf('syntax = "proto3";')).toBeNull()
  expect(recordNameOf('{"type": "object"}')).toBeNull()
  expect(whyUnreadable(record(id), 'syntax = "proto3";')).toMatch(/JSON/)
})

test('schema compatibility - a level is as strict as another where it keeps all of its promises', () => {
  expect(isAsStrict('FULL_TRANSITIVE', 'FULL')).toBe(true)
  expect(isAsStrict('FULL', 'BACKWARD')).toBe(true)
  expect(isAsStrict('FULL', 'BACKWARD_TRANSITIVE')).toBe(false)
  expect(isAsStrict('BACKWARD_TRANSITIVE', 'FULL')).toBe(false)
  expect(isAsStrict(null, 'NONE')).toBe(true)
  expect(isAsStrict(null, 'FORWARD')).toBe(false)
})
