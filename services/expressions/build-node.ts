// The syntax tree, checked from the leaves up and turned into closures.
//
// In: a part of the tree, and what names mean. Out: a checked node; names that it reads are noted
// in the scope. Refused: unknown names (with the nearest known one), wrong types, and the parts of
// CEL that an event of texts, numbers and flags has no use for: lists but behind `in`, maps,
// bytes, unsigned numbers, macros over lists.

import type { ASTNode } from '@marcbachmann/cel-js'
import { nearestName } from '../core/nearest-name.ts'
import { describeUnknownCall, findCall } from './build-call.ts'
import { constantNode, type ExpressionNode, FaultAt, type Run } from './expression-node.ts'
import type { ExpressionField, LookupTables } from './expression-types.ts'
import {
  buildArithmetic,
  buildChoice,
  buildEquality,
  buildLogic,
  buildMembership,
  buildNegation,
  buildNot,
  buildOrder,
} from './operators.ts'

export type Scope = {
  readonly fields: ReadonlyMap<string, ExpressionField>
  readonly tables: LookupTables
  /** Filled while building: the fields that are read. */
  readonly reads: Set<string>
}

export function buildNode(part: ASTNode, scope: Scope): ExpressionNode {
  const build = (inner: ASTNode): ExpressionNode => buildNode(inner, scope)
  switch (part.op) {
    case 'value':
      return buildLiteral(part.args, part.start)
    case 'id':
    case '.':
      return buildField(part, scope)
    case '?:':
      return buildChoice(build(part.args[0]), [build(part.args[1]), build(part.args[2])])
    case '!_':
      return buildNot(build(part.args), part.start)
    case '-_':
      return buildNegation(build(part.args), part.start)
    case '&&':
    case '||':
      return buildLogic(part.op, [build(part.args[0]), build(part.args[1])])
    case '==':
    case '!=':
      return buildEquality(part.op, [build(part.args[0]), build(part.args[1])])
    case '<':
    case '<=':
    case '>':
    case '>=':
      return buildOrder(part.op, [build(part.args[0]), build(part.args[1])])
    case 'in':
      return buildMembership(build(part.args[0]), listOf(part.args[1]).map(build))
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return buildArithmetic(part.op, [build(part.args[0]), build(part.args[1])])
    case 'call':
    case 'rcall':
      return buildCall(part, scope)
    default:
      throw new FaultAt(part.start, refusals[part.op] ?? `'${part.op}' is not known here`)
  }
}

const refusals: Readonly<Record<string, string>> = {
  list: "a list stands only behind 'in'",
  map: 'there are no maps here; lookup("table", key) reads a table',
  '[]': 'there are no lists or maps to read from; lookup("table", key) reads a table',
}

function listOf(part: ASTNode): readonly ASTNode[] {
  if (part.op === 'list') return part.args
  throw new FaultAt(part.start, "expected a list behind 'in', such as [1, 2]")
}

function buildLiteral(value: unknown, offset: number): ExpressionNode {
  if (value === null) return constantNode(offset, 'absent', null)
  if (typeof value === 'string') return constantNode(offset, 'text', value)
  if (typeof value === 'boolean') return constantNode(offset, 'flag', value)
  if (typeof value === 'number') return constantNode(offset, 'number', value)
  if (typeof value !== 'bigint') {
    throw new FaultAt(offset, 'bytes and unsigned numbers are not known here; write "a" and 1')
  }
  const number = Number(value)
  if (Number.isSafeInteger(number)) return constantNode(offset, 'number', number)
  throw new FaultAt(offset, 'a whole number this large is not exact; write it with a point')
}

/** A field's name, which may have points in it; null for what is not a name. */
function nameOf(part: ASTNode): string | null {
  if (part.op === 'id') return part.args
  if (part.op !== '.') return null
  const owner = nameOf(part.args[0])
  return owner === null ? null : `${owner}.${part.args[1]}`
}

function buildField(part: ASTNode, scope: Scope): ExpressionNode {
  const name = nameOf(part)
  if (name === null) throw new FaultAt(part.pos, 'a value has no parts')
  const field = scope.fields.get(name)
  if (field === undefined) throw new FaultAt(part.start, describeUnknown(name, scope))
  scope.reads.add(name)
  const type = field.type === 'integer' ? 'number' : field.type
  return { type, run: fieldReaders[type](name), isConstant: false, offset: part.start }
}

function describeUnknown(name: string, { fields }: Scope): string {
  if (findCall(name) !== undefined) return `${name} is a function; write ${name}(...)`
  const nearest = nearestName(name, fields.keys())
  const owner = name.slice(0, name.indexOf('.'))
  if (nearest === null && fields.has(owner)) return `${owner} has no parts`
  return nearest === null
    ? `no field is named ${name}`
    : `no field is named ${name}; did you mean ${nearest}?`
}

/** What is not of its field's type is absent: nothing behind this has to look again. */
const fieldReaders: Readonly<Record<'text' | 'number' | 'flag', (name: string) => Run>> = {
  text: (name) => (event) => {
    const value = event[name]
    return typeof value === 'string' ? value : null
  },
  number: (name) => (event) => {
    const value = event[name]
    return typeof value === 'number' && Number.isFinite(value) ? value : null
  },
  flag: (name) => (event) => {
    const value = event[name]
    return typeof value === 'boolean' ? value : null
  },
}

type CallPart = Extract<ASTNode, { readonly op: 'call' | 'rcall' }>

/** `lower(text)` and `text.lower()` are the same. */
function buildCall(part: CallPart, scope: Scope): ExpressionNode {
  const name = part.args[0]
  const offset = part.op === 'call' ? part.start : methodOffset(part)
  const builder = findCall(name)
  if (builder === undefined) throw new FaultAt(offset, describeUnknownCall(name))
  const parts = part.op === 'call' ? part.args[1] : [part.args[1], ...part.args[2]]
  const nodes = parts.map((inner) => buildNode(inner, scope))
  return builder({ name, offset, nodes, tables: scope.tables })
}

/** Where the name behind the point begins; the tree has only the place of the whole. */
function methodOffset(part: Extract<CallPart, { readonly op: 'rcall' }>): number {
  const point = part.input.indexOf('.', part.args[1].end)
  const found = part.input.indexOf(part.args[0], point)
  return found < 0 ? part.start : found
}
