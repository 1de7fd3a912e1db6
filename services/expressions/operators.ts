// The operators of expressions: what they take, and the closures that compute them.
//
// In: checked operands. Out: a checked node. Refused: operands of the wrong type, as `FaultAt` at
// the operand. Invariants: arithmetic with an absent value, or whose result is not finite, is
// absent; `<`, `<=`, `>`, `>=` and `in` of an absent value are false; `==` and `!=` know null as a
// value that equals only itself; `&&` and `||` are decided by either side and absent where neither
// decides, as CEL treats errors.

import { compareTexts } from './compare-texts.ts'
import {
  commonType,
  composeNode,
  constantOf,
  demandType,
  type ExpressionNode,
  FaultAt,
  nounOf,
  type Run,
} from './expression-node.ts'
import { expressionLimits } from './expression-types.ts'

type Arithmetic = '+' | '-' | '*' | '/' | '%'
type Order = '<' | '<=' | '>' | '>='
type Operands = readonly [ExpressionNode, ExpressionNode]

const computations: Readonly<Record<Arithmetic, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
}

export function buildArithmetic(operator: Arithmetic, operands: Operands): ExpressionNode {
  const [left, right] = operands
  if (operator === '+' && (left.type === 'text' || right.type === 'text')) return join(operands)
  demandType(left, 'number', `'${operator}'`)
  demandType(right, 'number', `'${operator}'`)
  const compute = computations[operator]
  const { run: runLeft } = left
  const { run: runRight } = right
  return composeNode(left.offset, 'number', operands, (event) => {
    const first = runLeft(event)
    const second = runRight(event)
    if (first === null || second === null) return null
    const result = compute(first as number, second as number)
    return Number.isFinite(result) ? result : null
  })
}

function join(operands: Operands): ExpressionNode {
  for (const operand of operands) {
    if (operand.type === 'text') continue
    const found = `found ${nounOf(operand.type)} beside a text; string(...) makes it one`
    throw new FaultAt(operand.offset, found)
  }
  const [{ offset, run: runLeft }, { run: runRight }] = operands
  return composeNode(offset, 'text', operands, (event) => {
    const first = runLeft(event)
    const second = runRight(event)
    if (first === null || second === null) return null
    const result = (first as string) + (second as string)
    return result.length > expressionLimits.textLengthMax ? null : result
  })
}

export function buildNegation(operand: ExpressionNode, offset: number): ExpressionNode {
  demandType(operand, 'number', "'-'")
  return composeNode(offset, 'number', [operand], (event) => {
    const value = operand.run(event)
    return value === null ? null : -(value as number)
  })
}

export function buildNot(operand: ExpressionNode, offset: number): ExpressionNode {
  demandType(operand, 'flag', "'!'")
  return composeNode(offset, 'flag', [operand], (event) => {
    const value = operand.run(event)
    return value === null ? null : !value
  })
}

/** `&&` is decided by false, `||` by true. */
export function buildLogic(operator: '&&' | '||', operands: Operands): ExpressionNode {
  for (const operand of operands) demandType(operand, 'flag', `'${operator}'`)
  const [{ offset, run: runLeft }, { run: runRight }] = operands
  const decisive = operator === '||'
  return composeNode(offset, 'flag', operands, (event) => {
    const first = runLeft(event)
    if (first === decisive) return decisive
    const second = runRight(event)
    if (second === decisive) return decisive
    return first === null || second === null ? null : !decisive
  })
}

export function buildEquality(operator: '==' | '!=', operands: Operands): ExpressionNode {
  const [left, right] = operands
  commonType(left.type, right, (first, second) => `${first} never equals ${second}`)
  const { run: runLeft } = left
  const { run: runRight } = right
  const isWanted = operator === '=='
  const known = constantOf(right)
  const run: Run =
    known === undefined
      ? (event) => (runLeft(event) === runRight(event)) === isWanted
      : (event) => (runLeft(event) === known) === isWanted
  return composeNode(left.offset, 'flag', operands, run)
}

const orders: Readonly<Record<Order, <T>(left: T, right: T) => boolean>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
}

export function buildOrder(operator: Order, operands: Operands): ExpressionNode {
  const [left, right] = operands
  for (const operand of operands) demandNotNull(operand, `'${operator}'`)
  const type = commonType(
    left.type,
    right,
    (first, second) => `${first} is compared with ${second}`,
  )
  const holds = orders[operator]
  const { run: runLeft } = left
  const { run: runRight } = right
  return composeNode(left.offset, 'flag', operands, (event) => {
    const first = runLeft(event)
    const second = runRight(event)
    if (first === null || second === null) return false
    if (type !== 'text') return holds(first, second)
    return holds(compareTexts(first as string, second as string), 0)
  })
}

export function demandNotNull({ type, offset }: ExpressionNode, taker: string): void {
  if (type !== 'absent') return
  throw new FaultAt(offset, `${taker} takes no null; compare with == null or != null`)
}

/** `value in [a, b]`. */
export function buildMembership(
  value: ExpressionNode,
  elements: readonly ExpressionNode[],
): ExpressionNode {
  for (const node of [value, ...elements]) demandNotNull(node, "'in'")
  for (const element of elements) {
    commonType(value.type, element, (of, found) => `found ${found} in a list for ${of}`)
  }
  const { offset, run } = value
  const children = [value, ...elements]
  if (elements.every(({ isConstant }) => isConstant)) {
    const known = new Set(elements.map(constantOf))
    return composeNode(offset, 'flag', children, (event) => {
      const wanted = run(event)
      return wanted !== null && known.has(wanted)
    })
  }
  return composeNode(offset, 'flag', children, (event) => {
    const wanted = run(event)
    return wanted !== null && elements.some((element) => element.run(event) === wanted)
  })
}

export function buildChoice(
  condition: ExpressionNode,
  [consequent, alternative]: Operands,
): ExpressionNode {
  demandType(condition, 'flag', "the condition of '?'")
  const type = commonType(
    consequent.type,
    alternative,
    (first, second) => `found ${second}, the other branch of '?' gives ${first}`,
  )
  const { offset, run } = condition
  const children = [condition, consequent, alternative]
  return composeNode(offset, type, children, (event) => {
    const chosen = run(event)
    if (chosen === null) return null
    return chosen ? consequent.run(event) : alternative.run(event)
  })
}
