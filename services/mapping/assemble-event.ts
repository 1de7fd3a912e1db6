// From raw values to an event: each field converted to its type, in the order of the mapping.
//
//   raw values by path ─┐
//   key, header, place ─┴─► convert (convert/) ─► absent or required? ─► one object of fixed shape
//
// In: a mapping, compiled once; per event its raw values and where it stands. Out: the event, or
// the fault of the first field that is none: its name, what was expected, a code; never a value.
// Invariant: all events of a mapping share one shape, whatever they lack.

import { createHash } from 'node:crypto'
import { assertInvariant, type RejectionCode } from '../core/errors.ts'
import type {
  FieldDefinition,
  FieldType,
  FieldValue,
  MessageHeaders,
  PathStep,
} from '../core/input-mapping.ts'
import { limits } from '../core/limits.ts'
import { Instant } from '../core/raw-values.ts'
import {
  compileExpression,
  type Expression,
  type ExpressionType,
  isExpressionFault,
} from '../expressions/compile-expression.ts'
import { type Convert, createConverter, looksLike } from './convert/create-converter.ts'
import { asExpressionField, resultOf } from './expression-fields.ts'

/** Where a message stands and what it brings besides its value. */
type EventOrigin = {
  readonly partition?: number
  readonly offset: number
  /** ms since the epoch; of a row of a file its own time, where it is known. */
  readonly brokerTimeMs: number
  readonly key: Buffer | string | null
  readonly headers?: MessageHeaders
}

export class FieldFault {
  readonly code: RejectionCode
  readonly field: string
  /** The found and the expected in words; never a value of the event. */
  readonly detail: string

  constructor(code: RejectionCode, field: string, detail: string) {
    this.code = code
    this.field = field
    this.detail = detail
  }
}

const skipped = (why: string) => new FieldFault('WEIR_DECODE_SKIPPED', '', why)
const notPicked = skipped('not picked by where')
const noVerdict = skipped('no verdict')

export type EventFields = Readonly<Record<string, FieldValue>>

export type Assembler = {
  /** What to read of a value, in the order in which `assemble` takes the raw values. */
  readonly paths: readonly (readonly PathStep[])[]
  readonly assemble: (raws: ArrayLike<unknown>, origin: EventOrigin) => EventFields | FieldFault
}

type PlannedField = {
  readonly name: string
  /** Among the raw values; -1 where it is read elsewhere. */
  readonly index: number
  readonly isText: boolean
  readonly read: (raws: ArrayLike<unknown>, origin: EventOrigin, event: EventFields) => unknown
  readonly convert: Convert
  /** Code of the currency for money; null for all else. */
  readonly currencyOf: ((event: EventFields) => string | null) | null
  /** Amounts beyond the limit are refused: sums of them could not be held. */
  readonly isMoney: boolean
  readonly definition: FieldDefinition
  /** What means neither fraud nor genuine makes no label. */
  readonly isVerdict: boolean
  readonly expectation: string
}

/** @param where CEL: which events count; null = all. */
export function createAssembler(
  fields: readonly FieldDefinition[],
  where: string | null = null,
): Assembler {
  const ofValue = fields.filter(({ source }) => source.from === 'value')
  const planned = inOrder(fields).map((field) => planField(field, ofValue.indexOf(field), fields))
  const isWanted = where === null ? null : demandExpression(where, fields, 'flag')
  const blank = Object.fromEntries(fields.map((field) => [field.name, blankOf(field)]))
  return {
    paths: ofValue.map(({ source }) => (source as { path: readonly PathStep[] }).path),
    assemble: (raws, origin) => {
      const event: Record<string, FieldValue> = { ...blank }
      let fault: FieldFault | null = null
      for (let f = 0; f < planned.length; f++) {
        const field = planned[f]!
        const value = convertField(field, raws, origin, event)
        if (typeof value === 'object' && value !== null) {
          fault ??= value
          event[field.name] = null
        } else event[field.name] = value
      }
      // Who is not meant is not faulty: other types of event lack what this one has to have.
      if (isWanted !== null && isWanted(event) !== true) return notPicked
      return fault ?? event
    },
  }
}

function convertField(
  field: PlannedField,
  raws: ArrayLike<unknown>,
  origin: EventOrigin,
  event: EventFields,
): FieldValue | FieldFault {
  const raw = field.index >= 0 ? raws[field.index] : field.read(raws, origin, event)
  // What nearly all fields are, without a call.
  if (field.isText && isPlainText(raw)) return raw
  const currency = field.currencyOf === null ? null : field.currencyOf(event)
  const value = field.convert(raw, currency, origin.brokerTimeMs)
  if (typeof value === 'string') return bound(value)
  if (value === undefined || (field.isMoney && isBeyondSums(value))) return misfit(field, raw)
  if (value !== null) return value
  if (!field.definition.isRequired) return field.definition.absent
  return field.isVerdict ? noVerdict : missing(field)
}

/** A number that is always there is kept as one: what may be null is kept as an object. */
const blankOf = ({ type, isRequired }: FieldDefinition): FieldValue =>
  isRequired && numbers.has(type.kind) ? 0.5 : null
const numbers: ReadonlySet<FieldType['kind']> = new Set(['integer', 'number', 'time', 'money'])

/** Who needs other fields comes after them: money after currencies, hashes last. */
const inOrder = (fields: readonly FieldDefinition[]): readonly FieldDefinition[] => {
  const rank = ({ source, type }: FieldDefinition): number =>
    source.from === 'hash' || source.from === 'expression' ? 2 : type.kind === 'money' ? 1 : 0
  return fields.toSorted((a, b) => rank(a) - rank(b))
}

function planField(
  definition: FieldDefinition,
  index: number,
  all: readonly FieldDefinition[],
): PlannedField {
  const { name, type } = definition
  const { convert, expectation } = createConverter(type)
  return {
    name,
    index,
    isText: type.kind === 'text',
    read: planRead(definition, index, all),
    convert,
    currencyOf: planCurrency(type),
    isMoney: type.kind === 'money',
    definition,
    isVerdict: name === 'isFraud' && type.kind === 'flag',
    expectation,
  }
}

function planRead(
  { source, name, type }: FieldDefinition,
  index: number,
  all: readonly FieldDefinition[],
): PlannedField['read'] {
  switch (source.from) {
    case 'value':
      return (raws) => raws[index]
    case 'key':
      return (_, { key }) => (key === null ? null : key.toString())
    case 'header':
      return (_, { headers }) => lastOf(headers?.[source.name])?.toString()
    case 'position':
      return (_, { partition = 0, offset }) => `${partition}-${offset}`
    case 'hash':
      return (_, __, event) => hashOf(source.fields.map((field) => event[field]))
    case 'expression': {
      const before = all.slice(
        0,
        all.findIndex((field) => field.name === name),
      )
      const evaluate = demandExpression(source.text, before, resultOf(type))
      return (_, __, event) => evaluate(event)
    }
    case 'brokerTime':
      return (_, { brokerTimeMs }) =>
        Number.isNaN(brokerTimeMs) ? undefined : new Instant(brokerTimeMs)
    case 'offset':
      return (_, { offset }) => offset
    case 'partition':
      return (_, { partition }) => partition
  }
}

const lastOf = (header: MessageHeaders[string]) =>
  Array.isArray(header) ? header.at(-1) : (header as Buffer | string | undefined)

/** Checked when the pipeline file is read; here it only cannot be. */
function demandExpression(
  text: string,
  fields: readonly FieldDefinition[],
  wanted: ExpressionType,
): (event: EventFields) => FieldValue {
  const compiled = compileExpression(text, fields.map(asExpressionField), wanted)
  assertInvariant(!isExpressionFault(compiled), 'An expression was not checked when it was read.')
  return (compiled as Expression).evaluate
}

/** Lengths stand before the values, so that no two lists of them meet. */
const hashOf = (values: readonly unknown[]): string => {
  const hash = createHash('sha256')
  for (const value of values) {
    const text = String(value)
    hash.update(`${text.length}:${text}`)
  }
  return hash.digest('hex').slice(0, 32)
}

function planCurrency(type: FieldType): PlannedField['currencyOf'] {
  if (type.kind !== 'money') return null
  const { currency } = type
  if ('code' in currency) return () => currency.code
  return (event) => event[currency.field] as string | null
}

const isBeyondSums = (value: FieldValue): boolean =>
  typeof value === 'number' && Math.abs(value) > limits.amountMinorMax

/** Neither empty nor blank at its start, nor too long: it is what it is. */
const isPlainText = (raw: unknown): raw is string =>
  typeof raw === 'string' && raw.length <= limits.textLengthMax && raw.charCodeAt(0) > 0x20

/** A text that nobody keys by may be of any length: the payment is scored all the same. */
const bound = (text: string): string =>
  text.length <= limits.textLengthMax ? text : text.slice(0, limits.textLengthMax)

const codeOf = ({ type }: FieldDefinition): RejectionCode =>
  type.kind === 'money'
    ? 'WEIR_VALIDATE_AMOUNT'
    : type.kind === 'currency'
      ? 'WEIR_VALIDATE_CURRENCY'
      : 'WEIR_DECODE_FIELD'

const codeOfMissing = (definition: FieldDefinition): RejectionCode =>
  definition.type.kind === 'text' ? 'WEIR_VALIDATE_ID' : codeOf(definition)

function misfit({ name, definition, expectation }: PlannedField, raw: unknown): FieldFault {
  const shape = looksLike(raw)
  const found = shape === null ? `${typeof raw}` : `what looks like ${shape}`
  return new FieldFault(
    codeOf(definition),
    name,
    `${name}: found ${found}, expected ${expectation}`,
  )
}

const missing = ({ name, definition, expectation }: PlannedField): FieldFault =>
  new FieldFault(codeOfMissing(definition), name, `${name} is missing, expected ${expectation}`)
