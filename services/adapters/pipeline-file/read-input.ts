// The input section: the fields of transactions and labels, from what the file writes.
//
//   amount: amt                                   a path, and text
//   amount: { path: amt, type: money, unit: major, currency: USD }
//
// In: the sound part of the file. Out: the mapping, with the defaults of each type, and the faults
// of what only makes sense together. Without fields, the events are those of default-input.ts.
// Invariant: `transactionId` and `eventTime` are always there, and always required.

import {
  type CsvDialect,
  type FieldDefinition,
  type FieldSource,
  type FieldType,
  type InputMapping,
  type MessageFormat,
  type TimeFormat,
  timeUnits,
} from '../../core/input-mapping.ts'
import { readIsoTime } from '../../core/iso-time.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import { parsePath } from '../../mapping/parse-path.ts'
import { defaultInput } from './default-input.ts'
import { parseDuration } from './duration.ts'
import type { SoundValue } from './sound-value.ts'
import type { WrittenField } from './written-field.ts'

type Written = Readonly<Record<string, WrittenField>>
export type InputStream = 'transactions' | 'labels'

/** Fields whose meaning is the same in every pipeline. */
const typesByRole: Readonly<Record<string, FieldType['kind']>> = {
  eventTime: 'time',
  labelTime: 'time',
  isFraud: 'flag',
}
const requiredRoles = new Set(['transactionId', 'eventTime', 'labelTime', 'isFraud'])

export function readInput(
  file: SoundValue,
  entities: readonly { readonly key: readonly string[] }[],
): PipelineDefinition['input'] {
  const labels = writtenFields(file, 'labels')
  const delay = file.read<string | null>(['input', 'labels', 'delay'], null)
  const keys = entities.flatMap(({ key }) => key)
  return {
    transactions: readMapping(file, 'transactions'),
    labels: {
      ...readMapping(file, 'labels'),
      isLookup:
        file.keysAt(['input', 'labels', 'fields']) !== null &&
        delay === null &&
        ['eventTime', ...keys].some((name) => !Object.hasOwn(labels, name)),
      delayMs: delay === null ? null : parseDuration(delay),
    },
  }
}

/** The fields of a stream as written; those of the shipped schemas where the file has none. */
export function writtenFields(file: SoundValue, stream: InputStream): Written {
  const names = file.keysAt(['input', stream, 'fields'])
  if (names === null) return defaultInput[stream]
  return Object.fromEntries(
    names.map((name) => {
      const written = file.read<string | WrittenField>(['input', stream, 'fields', name], {})
      return [name, typeof written === 'string' ? { path: written } : written]
    }),
  )
}

function readMapping(file: SoundValue, stream: InputStream): InputMapping {
  const written = writtenFields(file, stream)
  return {
    format: file.read<MessageFormat>(['input', stream, 'format'], 'avro'),
    schemaFile: file.read<string | null>(['input', stream, 'schema'], null),
    csv: file.read<CsvDialect>(['input', stream, 'csv'], {}),
    isDeclared: file.keysAt(['input', stream, 'fields']) !== null,
    where: file.read<string | null>(['input', stream, 'where'], null),
    fields: Object.entries(written).map(([name, field]) => readField(name, field, written)),
  }
}

function readField(name: string, written: WrittenField, all: Written): FieldDefinition {
  const absent = written.absent ?? null
  return {
    name,
    source: readSource(name, written),
    type: readType(name, written, all),
    isRequired: absent === null && (written.required ?? isRequiredByDefault(name, written)),
    absent,
  }
}

/** What has no amount cannot be told from what costs nothing. */
const isRequiredByDefault = (name: string, written: WrittenField): boolean =>
  requiredRoles.has(name) || kindOf(name, written) === 'money'

function readSource(name: string, { from, path, of, expression }: WrittenField): FieldSource {
  if (expression !== undefined) return { from: 'expression', text: expression }
  if (from === undefined || from === 'value') {
    const steps = path === undefined ? [{ kind: 'name', name } as const] : parsePath(path)
    // What is no path is a fault of its own (input-rules.ts).
    return { from: 'value', path: typeof steps === 'string' ? [] : steps }
  }
  if (from.startsWith('header:')) return { from: 'header', name: from.slice('header:'.length) }
  if (from === 'hash') return { from, fields: of ?? [] }
  return { from: from as 'key' | 'brokerTime' | 'partition' | 'offset' | 'position' }
}

export function kindOf(name: string, written: WrittenField): FieldType['kind'] {
  if (written.type !== undefined) return written.type
  const { unit, zone, pattern, step } = written
  if (written.currency !== undefined || unit === 'major' || unit === 'minor') return 'money'
  if ([unit, zone, pattern, step].some((key) => key !== undefined)) return 'time'
  if (written.yes !== undefined || written.no !== undefined) return 'flag'
  return typesByRole[name] ?? 'text'
}

function readType(name: string, written: WrittenField, all: Written): FieldType {
  const kind = kindOf(name, written)
  switch (kind) {
    case 'time':
      return { kind, ...readTimeFormat(written) }
    case 'flag':
      return { kind, yes: written.yes ?? ['true', '1'], no: written.no ?? ['false', '0'] }
    case 'money': {
      const currency = written.currency ?? ''
      return {
        kind,
        unit: written.unit === 'major' ? 'major' : 'minor',
        currency: Object.hasOwn(all, currency) ? { field: currency } : { code: currency },
        canBeNegative: written.negative ?? false,
      }
    }
    default:
      return { kind }
  }
}

function readTimeFormat({ unit, pattern, step, origin, ...written }: WrittenField): TimeFormat {
  const zone = written.zone ?? null
  if (pattern !== undefined) return { format: 'pattern', pattern, zone }
  if (step !== undefined) {
    const originMs = readIsoTime(origin ?? '1970-01-01') ?? 0
    return { format: 'step', stepMs: parseDuration(step), originMs }
  }
  const epoch = timeUnits.find((each) => each === unit)
  if (epoch !== undefined) return { format: 'epoch', unit: epoch }
  return { format: 'iso', zone }
}
