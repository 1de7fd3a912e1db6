// A checked part of an expression: its type, and the closure that computes it.
//
// In: the checked children. Out: a node; where all children are constants it is computed here,
// once. Refused: values of another type than an operator takes, as `FaultAt`, which
// `compile-expression.ts` turns into a line and a column. Invariant: `run` gives null or a value
// of the node's type, finite where it is a number, and never throws.

import type { FieldValue } from '../core/input-mapping.ts'
import type { EventValues, ExpressionType } from './expression-types.ts'

export type Run = (event: EventValues) => FieldValue

/** `absent` is the type of the literal null: it goes with every other. */
export type ValueType = ExpressionType | 'absent'

export type ExpressionNode = {
  readonly type: ValueType
  readonly run: Run
  readonly isConstant: boolean
  /** Of its first character in the text. */
  readonly offset: number
}

/** Ends a compilation; never leaves `compileExpression`. */
export class FaultAt extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

const nouns: Readonly<Record<ValueType, string>> = {
  text: 'a text',
  number: 'a number',
  flag: 'a flag',
  absent: 'null',
}

export const nounOf = (type: ValueType): string => nouns[type]

const noEvent: EventValues = Object.freeze(Object.create(null))

export const constantNode = (
  offset: number,
  type: ValueType,
  value: FieldValue,
): ExpressionNode => ({ type, run: () => value, isConstant: true, offset })

/** A node made of others. */
export function composeNode(
  offset: number,
  type: ValueType,
  children: readonly ExpressionNode[],
  run: Run,
): ExpressionNode {
  if (children.every(({ isConstant }) => isConstant)) {
    return constantNode(offset, type, run(noEvent))
  }
  return { type, run, isConstant: false, offset }
}

/** The value of a constant node; undefined where it depends on the event. */
export const constantOf = ({ isConstant, run }: ExpressionNode): FieldValue | undefined =>
  isConstant ? run(noEvent) : undefined

/** `taker` says what takes the value: "'+'", "the condition of '?'". */
export function demandType(node: ExpressionNode, wanted: ExpressionType, taker: string): void {
  if (node.type === wanted) return
  throw new FaultAt(node.offset, `found ${nounOf(node.type)}, ${taker} takes ${nounOf(wanted)}`)
}

/** The type that both have; null goes with every type. */
export function commonType(
  first: ValueType,
  second: ExpressionNode,
  describe: (first: string, second: string) => string,
): ValueType {
  if (first === second.type || second.type === 'absent') return first
  if (first === 'absent') return second.type
  throw new FaultAt(second.offset, describe(nounOf(first), nounOf(second.type)))
}
