// A call of a function: its arguments checked against its row, and the closure that calls it.
//
// In: a name, checked arguments, and the tables for `lookup`. Out: a checked node. Refused, as
// `FaultAt`: too few or too many values, values of the wrong type, and values written in the
// expression that the function itself refuses. Invariant: a function is called only with values
// that are there; where one is absent, the result is the row's `whenAbsent`.

import type { FieldValue } from '../core/input-mapping.ts'
import { nearestName } from '../core/nearest-name.ts'
import {
  composeNode,
  constantOf,
  type ExpressionNode,
  FaultAt,
  nounOf,
  type Run,
} from './expression-node.ts'
import type { ExpressionType } from './expression-types.ts'
import { findFunction, functionNames } from './functions/all-functions.ts'
import { type ExpressionFunction, signatureOf } from './functions/expression-function.ts'
import { demandNotNull } from './operators.ts'
import { type Call, specialCalls } from './special-calls.ts'

export function findCall(name: string): ((call: Call) => ExpressionNode) | undefined {
  if (Object.hasOwn(specialCalls, name)) return specialCalls[name as keyof typeof specialCalls]
  const definition = findFunction(name)
  return definition === undefined ? undefined : (call) => buildFunctionCall(definition, call)
}

const listMacros = 'an event has no lists of values'
/** Functions of CEL, and of its usual extensions, that are left out. */
const leftOut: Readonly<Record<string, string>> = {
  matches: 'there are no regular expressions; use startsWith, endsWith or contains',
  all: listMacros,
  exists: listMacros,
  exists_one: listMacros,
  filter: listMacros,
  map: listMacros,
  lowerAscii: 'use lower',
  upperAscii: 'use upper',
  uint: 'use int',
  timestamp: 'a time is a number of milliseconds; use hour, weekday, daysBetween',
  duration: 'a time is a number of milliseconds; use hour, weekday, daysBetween',
}

export function describeUnknownCall(name: string): string {
  const hint = Object.hasOwn(leftOut, name) ? leftOut[name] : undefined
  if (hint !== undefined) return `no function is named ${name}: ${hint}`
  const nearest = nearestName(name, functionNames)
  const question = nearest === null ? '' : `; did you mean ${nearest}?`
  return `no function is named ${name}${question}`
}

function buildFunctionCall(definition: ExpressionFunction, call: Call): ExpressionNode {
  checkArguments(definition, call)
  const runs = call.nodes.map(({ run }) => run)
  return composeNode(call.offset, definition.result, call.nodes, callOf(definition, runs))
}

function checkArguments(definition: ExpressionFunction, { nodes, offset }: Call): void {
  const parameters = Object.entries(definition.parameters)
  const isVariadic = parameters.at(-1)?.[1].endsWith('...') === true
  const least = parameters.filter(([, type]) => !type.endsWith('?')).length
  if (nodes.length < least || (nodes.length > parameters.length && !isVariadic)) {
    const found = nodes.length === 1 ? '1 value' : `${nodes.length} values`
    throw new FaultAt(offset, `found ${found}, expected ${signatureOf(definition)}`)
  }
  for (const [index, node] of nodes.entries()) {
    const [parameter, type] = parameters[Math.min(index, parameters.length - 1)]!
    checkArgument(definition, node, parameter, type.replace(/\?$|\.{3}$/, ''))
  }
}

function checkArgument(
  { name, refuse }: ExpressionFunction,
  node: ExpressionNode,
  parameter: string,
  type: string,
): void {
  demandNotNull(node, name)
  if (type !== 'any' && type !== node.type) {
    const wanted = nounOf(type as ExpressionType)
    throw new FaultAt(
      node.offset,
      `found ${nounOf(node.type)}, ${parameter} of ${name} is ${wanted}`,
    )
  }
  const value = constantOf(node)
  const refusal = value === undefined ? null : (refuse?.(parameter, value) ?? null)
  if (refusal !== null) throw new FaultAt(node.offset, refusal)
}

/** Infinite and undefined results of arithmetic are absent. */
const settle = (value: FieldValue): FieldValue =>
  typeof value === 'number' && !Number.isFinite(value) ? null : value

/** Calls with one and two values are most of them: they need no list. */
function callOf(definition: ExpressionFunction, runs: readonly Run[]): Run {
  const apply = definition.apply as (...values: FieldValue[]) => FieldValue
  const whenAbsent = definition.whenAbsent ?? null
  const [first, second] = runs
  if (runs.length === 1) {
    return (event) => {
      const value = first!(event)
      return value === null ? whenAbsent : settle(apply(value))
    }
  }
  if (runs.length === 2) {
    return (event) => {
      const left = first!(event)
      const right = second!(event)
      return left === null || right === null ? whenAbsent : settle(apply(left, right))
    }
  }
  return (event) => {
    const values = runs.map((run) => run(event))
    return values.includes(null) ? whenAbsent : settle(apply(...values))
  }
}
