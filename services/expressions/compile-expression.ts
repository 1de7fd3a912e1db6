// An expression of the pipeline file to a function over events: CEL, checked when it is loaded.
//
//   text ─parse─► tree ─check─► closures ─evaluate(event)─► text, number, flag or null
//
// In: the text, the fields that an event has, the type that is wanted, and tables for `lookup`.
// Out: the expression, or where and why it is none. Refused: what `expressionLimits` bounds, syntax
// errors, unknown names, wrong types. Invariants: neither compiling nor evaluating throws; the same
// event gives the same result on every machine; a text that is empty or too long, and a number that
// is not finite, is absent; no text becomes code.

import type { FieldValue } from '../core/input-mapping.ts'
import { buildNode, type Scope } from './build-node.ts'
import { type ExpressionNode, FaultAt, nounOf, type Run } from './expression-node.ts'
import {
  type Expression,
  type ExpressionFault,
  type ExpressionField,
  type ExpressionType,
  expressionLimits,
  type LookupTables,
} from './expression-types.ts'
import { parseExpression } from './parse-expression.ts'

export type {
  Expression,
  ExpressionFault,
  ExpressionField,
  ExpressionType,
} from './expression-types.ts'

export function compileExpression(
  text: string,
  fields: readonly ExpressionField[],
  wanted: ExpressionType,
  tables: LookupTables = new Map(),
): Expression | ExpressionFault {
  const scope: Scope = {
    fields: new Map(fields.map((field) => [field.name, field])),
    tables,
    reads: new Set(),
  }
  try {
    const node = buildNode(parseExpression(text), scope)
    demandResult(node, wanted)
    return { evaluate: resultOf(node, wanted), type: wanted, fields: [...scope.reads] }
  } catch (error) {
    if (error instanceof FaultAt) return { ...placeOf(text, error.offset), message: error.message }
    throw error
  }
}

/** Tells the two results of `compileExpression` apart. */
export const isExpressionFault = (
  result: Expression | ExpressionFault,
): result is ExpressionFault => 'message' in result

function demandResult({ type, offset }: ExpressionNode, wanted: ExpressionType): void {
  if (type === wanted) return
  throw new FaultAt(offset, `the expression gives ${nounOf(type)}, expected ${nounOf(wanted)}`)
}

function resultOf({ run }: ExpressionNode, wanted: ExpressionType): Run {
  if (wanted === 'flag') return run
  if (wanted === 'number') {
    return (event) => {
      const value = run(event)
      // Turns -0 into 0, which every format writes alike.
      return value === null ? null : (value as number) + 0
    }
  }
  return (event): FieldValue => {
    const value = run(event) as string | null
    if (value === null || value === '') return null
    return value.length > expressionLimits.resultLengthMax ? null : value
  }
}

function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: before.at(-1)!.length + 1 }
}
