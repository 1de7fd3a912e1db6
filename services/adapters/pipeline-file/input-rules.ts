// What the input section has to obey beyond its shape, as a table of rules over its fields.
//
// In: the fields as written, and what was read of them. Out: faults with their paths, all of them.
// A rule looks at one field and gives back a fault or null. Refuses nothing itself.

import type { FieldDefinition, InputMapping } from '../../core/input-mapping.ts'
import { readIsoTime } from '../../core/iso-time.ts'
import { nearestName } from '../../core/nearest-name.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import {
  compileExpression,
  type ExpressionType,
  isExpressionFault,
} from '../../expressions/compile-expression.ts'
import { checkPattern } from '../../mapping/convert/time/pattern.ts'
import { isTimeZone } from '../../mapping/convert/time/zone.ts'
import { asExpressionField, resultOf } from '../../mapping/expression-fields.ts'
import { iso4217 } from '../../mapping/iso-4217.ts'
import { parsePath } from '../../mapping/parse-path.ts'
import { type Fault, quote, suggest } from './pipeline-fault.ts'
import { type InputStream, kindOf, writtenFields } from './read-input.ts'
import type { SoundValue } from './sound-value.ts'
import type { WrittenField } from './written-field.ts'

type FieldContext = {
  readonly name: string
  readonly written: WrittenField
  readonly field: FieldDefinition
  readonly all: readonly FieldDefinition[]
}

type Found = Pick<Fault, 'found' | 'expected' | 'hint'> & { readonly key: keyof WrittenField }
type FieldRule = (context: FieldContext) => Found | null

export function findInputFaults(
  file: SoundValue,
  input: PipelineDefinition['input'],
): readonly Fault[] {
  return (['transactions', 'labels'] as const).flatMap((stream) => {
    if (file.keysAt(['input', stream, 'fields']) === null) return []
    return [
      ...findMissing(stream, input[stream], input.labels.delayMs !== null),
      ...findFieldFaults(file, stream, input[stream]),
      ...findWhereFaults(stream, input[stream]),
    ]
  })
}

function findWhereFaults(stream: InputStream, { where, fields }: InputMapping): readonly Fault[] {
  const found = where === null ? null : findExpressionFault(where, fields, 'flag')
  return found === null ? [] : [{ path: ['input', stream, 'where'], at: 'value', ...found }]
}

function findExpressionFault(
  text: string,
  fields: readonly FieldDefinition[],
  wanted: ExpressionType,
): Pick<Fault, 'found' | 'expected'> | null {
  const compiled = compileExpression(text, fields.map(asExpressionField), wanted)
  if (!isExpressionFault(compiled)) return null
  const { line, column, message } = compiled
  return { found: quote(text), expected: `CEL (at ${line}:${column}: ${message})` }
}

const rolesOf = {
  transactions: ['transactionId', 'eventTime'],
  labels: ['transactionId', 'isFraud', 'labelTime'],
} as const

/** With a delay, labels take their id and time from the transaction beside them. */
function findMissing(
  stream: InputStream,
  { fields }: InputMapping,
  hasDelay: boolean,
): readonly Fault[] {
  const roles = stream === 'labels' && hasDelay ? ['isFraud'] : rolesOf[stream]
  return roles.flatMap((role): readonly Fault[] => {
    if (fields.some(({ name }) => name === role)) return []
    const names = fields.map(({ name }) => name).join(', ')
    const expected = `the field ${role}, which every pipeline has`
    return [{ path: ['input', stream, 'fields'], at: 'key', found: `only ${names}`, expected }]
  })
}

function findFieldFaults(
  file: SoundValue,
  stream: InputStream,
  { fields }: InputMapping,
): readonly Fault[] {
  return Object.entries(writtenFields(file, stream)).flatMap(([name, written]) => {
    const field = fields.find((each) => each.name === name)!
    const path = ['input', stream, 'fields', name]
    const isShort = typeof file.read<unknown>(path, {}) === 'string'
    return fieldRules.flatMap((rule): readonly Fault[] => {
      const found = rule({ name, written, field, all: fields })
      if (found === null) return []
      const { key, ...fault } = found
      const isThere = !isShort && written[key] !== undefined
      return [{ ...fault, path: isThere ? [...path, key] : path, at: 'value' }]
    })
  })
}

/** Which keys say something of which types. */
const keysOfKind: Readonly<Record<string, readonly (keyof WrittenField)[]>> = {
  time: ['unit', 'zone', 'pattern', 'step', 'origin'],
  money: ['unit', 'currency', 'negative'],
  flag: ['yes', 'no'],
}
const typedKeys = new Set(Object.values(keysOfKind).flat())

const fieldRules: readonly FieldRule[] = [
  ({ written: { path } }) => {
    if (path === undefined) return null
    const fault = parsePath(path)
    return typeof fault === 'string'
      ? { key: 'path', found: quote(path), expected: fault.replace(/^expected /, '') }
      : null
  },
  ({ name, written }) => {
    const kind = kindOf(name, written)
    const known = keysOfKind[kind] ?? []
    const stray = [...typedKeys].find((key) => written[key] !== undefined && !known.includes(key))
    if (stray === undefined) return null
    const expected = known.length === 0 ? 'no such key' : `one of ${known.join(', ')}`
    return { key: stray, found: `${stray} of a ${kind} field`, expected }
  },
  ({ name, written }) => {
    const { unit } = written
    const isMoney = kindOf(name, written) === 'money'
    if (unit === undefined || isMoney === (unit === 'minor' || unit === 'major')) return null
    return {
      key: 'unit',
      found: quote(unit),
      expected: isMoney ? 'minor or major' : 's, ms, us or ns',
    }
  },
  ({ field: { type }, all }) => {
    if (type.kind !== 'money') return null
    const { currency } = type
    if ('field' in currency) {
      const kind = all.find(({ name }) => name === currency.field)!.type.kind
      if (kind === 'currency') return null
      const found = `the ${kind} field ${currency.field}`
      return { key: 'currency', found, expected: 'an ISO 4217 code, or a field of type currency' }
    }
    if (iso4217.has(currency.code)) return null
    const names = [...all.map(({ name }) => name), ...iso4217.keys()]
    const found = currency.code === '' ? 'money without a currency' : quote(currency.code)
    const hint = suggest(nearestName(currency.code, names))
    return {
      key: 'currency',
      found,
      expected: 'an ISO 4217 code, or a field of type currency',
      ...hint,
    }
  },
  ({ written: { zone } }) =>
    zone === undefined || isTimeZone(zone)
      ? null
      : { key: 'zone', found: quote(zone), expected: 'an IANA time zone such as Europe/Berlin' },
  ({ written: { pattern } }) => {
    const fault = pattern === undefined ? null : checkPattern(pattern)
    return fault === null ? null : { key: 'pattern', found: quote(pattern!), expected: fault }
  },
  ({ written: { origin } }) =>
    origin === undefined || readIsoTime(origin) !== null
      ? null
      : { key: 'origin', found: quote(origin), expected: 'a time such as 2026-01-01T00:00:00Z' },
  ({ written, field, all }) => {
    if (written.expression === undefined) return null
    const before = all.slice(0, all.indexOf(field))
    const found = findExpressionFault(written.expression, before, resultOf(field.type))
    return found === null ? null : { key: 'expression', ...found }
  },
  ({ written, name, all }) => {
    if (written.from !== 'hash') return null
    const unknown = (written.of ?? ['']).find(
      (of) => of === name || !all.some((f) => f.name === of),
    )
    if (unknown === undefined) return null
    return { key: 'of', found: quote(unknown), expected: 'other fields, which make the id' }
  },
]
