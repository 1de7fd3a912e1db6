// The words of expressions: what goes in, what comes out, and how a fault is told.
//
// In: nothing; types and limits only. Out: the types that `compile-expression.ts` takes and gives,
// and those its parts share. Invariant: inside an expression there are three types of value; every
// number is a double, be it a field of kind integer, money or time, or a literal without a point.

import type { FieldValue } from '../core/input-mapping.ts'

/** What a result is. */
export type ExpressionType = 'text' | 'number' | 'flag'

export type ExpressionField = {
  readonly name: string
  readonly type: 'text' | 'integer' | 'number' | 'flag'
  /** Changes nothing here: every value is looked at, and may be absent. */
  readonly isOptional: boolean
}

export type EventValues = Readonly<Record<string, FieldValue>>

/** Of one type: all texts, or all numbers. Not to change while an expression is in use. */
export type LookupTable = ReadonlyMap<string, string | number>
export type LookupTables = ReadonlyMap<string, LookupTable>

export type Expression = {
  /** Never throws; null = absent, be it for a missing field or for a division by zero. */
  readonly evaluate: (event: EventValues) => FieldValue
  readonly type: ExpressionType
  /** Names that it reads, in the order of the text. */
  readonly fields: readonly string[]
}

/** Line and column count from 1, columns in UTF-16 units, as editors do. */
export type ExpressionFault = {
  readonly line: number
  readonly column: number
  readonly message: string
}

export const expressionLimits = {
  /** Characters of an expression. */
  lengthMax: 2000,
  /** Brackets within brackets. */
  depthMax: 40,
  /** Names, literals and operators together. */
  partsMax: 1000,
  listSizeMax: 500,
  argumentsMax: 32,
  /** A longer text as a result is absent. */
  resultLengthMax: 512,
  /** A longer text on the way is absent. */
  textLengthMax: 65_536,
} as const
