// The calls whose type follows from their arguments: has, coalesce, lookup.
//
// In: checked arguments, and the tables that the pipeline file declares. Out: a checked node.
// Refused, as `FaultAt`: values of different types, a table that is not declared, is empty or mixes
// texts and numbers, a table's name that is not written out. Invariant: a key that is absent or not
// in the table gives the default.

import { nearestName } from '../core/nearest-name.ts'
import {
  commonType,
  composeNode,
  constantOf,
  type ExpressionNode,
  FaultAt,
  type ValueType,
} from './expression-node.ts'
import type { LookupTable, LookupTables } from './expression-types.ts'
import type { SpecialName } from './functions/all-functions.ts'

export type Call = {
  readonly name: string
  readonly offset: number
  /** For `value.name(...)`, the value is the first. */
  readonly nodes: readonly ExpressionNode[]
  readonly tables: LookupTables
}

export const specialCalls: Readonly<Record<SpecialName, (call: Call) => ExpressionNode>> = {
  has: buildHas,
  coalesce: buildCoalesce,
  lookup: buildLookup,
}

function demandCount({ name, offset, nodes }: Call, least: number, most: number): void {
  if (nodes.length >= least && nodes.length <= most) return
  const expected = least === most ? 'one value' : `${least} to ${most} values`
  throw new FaultAt(offset, `${name} takes ${expected}, found ${nodes.length}`)
}

function buildHas(call: Call): ExpressionNode {
  demandCount(call, 1, 1)
  const { run } = call.nodes[0]!
  return composeNode(call.offset, 'flag', call.nodes, (event) => run(event) !== null)
}

function buildCoalesce(call: Call): ExpressionNode {
  demandCount(call, 1, 32)
  const { nodes, offset } = call
  const type = nodes.reduce<ValueType>(
    (common, node) =>
      commonType(common, node, (first, second) => `found ${second} beside ${first}`),
    'absent',
  )
  if (type === 'absent') throw new FaultAt(offset, 'every value is null')
  const runs = nodes.map(({ run }) => run)
  return composeNode(offset, type, nodes, (event) => {
    for (const run of runs) {
      const value = run(event)
      if (value !== null) return value
    }
    return null
  })
}

function buildLookup(call: Call): ExpressionNode {
  demandCount(call, 2, 3)
  const [name, key, fallback] = call.nodes
  const table = findTable(name!, call.tables)
  const type = typeOf(table, name!, fallback)
  if (key!.type === 'absent') throw new FaultAt(key!.offset, 'null is no key')
  const { run: runKey } = key!
  const runFallback = fallback?.run
  return composeNode(call.offset, type, call.nodes, (event) => {
    const wanted = runKey(event)
    const found = wanted === null ? undefined : table.get(String(wanted))
    if (typeof found === 'string' || Number.isFinite(found)) return found!
    return runFallback === undefined ? null : runFallback(event)
  })
}

function findTable(node: ExpressionNode, tables: LookupTables): LookupTable {
  const name = constantOf(node)
  if (typeof name !== 'string') {
    throw new FaultAt(node.offset, 'expected the name of a table, written as "name"')
  }
  const table = tables.get(name)
  if (table !== undefined) return table
  const nearest = nearestName(name, tables.keys())
  const hint = nearest === null ? '' : `; did you mean ${nearest}?`
  throw new FaultAt(node.offset, `no table is named ${name}${hint}`)
}

function typeOf(
  table: LookupTable,
  { offset }: ExpressionNode,
  fallback: ExpressionNode | undefined,
): ValueType {
  let type: ValueType = 'absent'
  for (const value of table.values()) {
    const found = typeof value === 'string' ? 'text' : 'number'
    if (type !== 'absent' && type !== found) {
      throw new FaultAt(offset, 'the table mixes texts and numbers')
    }
    type = found
  }
  if (fallback !== undefined) {
    type = commonType(type, fallback, (first, second) => `found ${second}, the table has ${first}`)
  }
  if (type === 'absent') throw new FaultAt(offset, 'the table is empty; give a default')
  return type
}
