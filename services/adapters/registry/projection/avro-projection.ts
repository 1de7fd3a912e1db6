// Wanted values out of a foreign writer's Avro, and nothing else.
//
//   writer's schema ─parse─► graph ─paths─► one step per field: fill a slot | go down | step over
//                                              ▼
//   body ─────────────────────────────► raw values, in the order of the paths
//
// In: a writer's schema with what it refers to, and paths; later bodies. Out: raw values; absent
// anywhere on the way is undefined, and a null that stands at the end is null. A union is read by
// the branch that is met. Refused (thrown): schemas that cannot be read, with a sentence; bodies
// that are cut, forged or longer than their schema says. Invariant: the body is stepped through to
// its end, so that what does not fit the schema is found, whatever is wanted of it.

import type { PathStep } from '../../../core/input-mapping.ts'
import { AvroCursor } from './avro-cursor.ts'
import { type AvroNode, parseAvroSchema, type References } from './avro-schema.ts'
import { readerOf, type Skip, skipperOf } from './avro-values.ts'
import { compileFill, groupByStep, type Want, wantsOf } from './compile-path.ts'

/** Raw values in the order of the wanted paths. */
export type ReadRaws = (bytes: Buffer, offset: number) => unknown[]

/** Reads one value at the cursor, and puts what is wanted of it into its slots. */
type Step = (cursor: AvroCursor, raws: unknown[]) => void

/** Compiles once per writer's schema; reading is as fast as reading the record whole. */
export function projectAvro(
  writerSchemaText: string,
  references: References,
  paths: readonly (readonly PathStep[])[],
): ReadRaws {
  const step = compileSchema(writerSchemaText, references, wantsOf(paths))
  const blank: readonly unknown[] = paths.map(() => undefined)
  return (bytes, offset) => {
    const raws = blank.slice()
    const cursor = new AvroCursor(bytes, offset)
    step(cursor, raws)
    if (cursor.at === bytes.length) return raws
    throw new Error(`${bytes.length - cursor.at} bytes left over`)
  }
}

function compileSchema(text: string, references: References, wants: readonly Want[]): Step {
  try {
    return compileStep(parseAvroSchema(text, references), wants, new Map())
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`The writer's schema cannot be read: ${reason}.`)
  }
}

/** Branches of a union may meet again one step further down; what they need is the same there. */
type Compiled = Map<AvroNode, Map<string, Step>>

function compileStep(node: AvroNode, wants: readonly Want[], compiled: Compiled): Step {
  if (wants.length === 0) return skipperOf(node) as Skip as Step
  const key = JSON.stringify(wants)
  const steps = compiled.get(node) ?? new Map<string, Step>()
  compiled.set(node, steps)
  const known = steps.get(key)
  if (known !== undefined) return known
  const step = buildStep(node, wants, compiled)
  steps.set(key, step)
  return step
}

function buildStep(node: AvroNode, wants: readonly Want[], compiled: Compiled): Step {
  if (node.kind === 'union') {
    const branches = node.branches.map((branch) => compileStep(branch, wants, compiled))
    return (cursor, raws) => branches[cursor.readIndex(branches.length)]!(cursor, raws)
  }
  const isLeaf = wants.some(({ steps }) => steps.length === 0)
  if (node.kind === 'record' && !isLeaf) return stepThroughFields(node.fields, wants, compiled)
  if (node.kind === 'map' && !isLeaf) return stepThroughMap(node.items, wants, compiled)
  if (node.kind === 'array' && !isLeaf) return stepThroughArray(node.items, wants, compiled)
  return fillWhole(node, wants)
}

function fillWhole(node: AvroNode, wants: readonly Want[]): Step {
  const read = readerOf(node)
  const [first] = wants
  if (wants.length === 1 && first!.steps.length === 0) {
    const { slot } = first!
    return (cursor, raws) => {
      raws[slot] = read(cursor)
    }
  }
  const fill = compileFill(wants)
  return (cursor, raws) => fill(read(cursor), raws)
}

type Fields = Extract<AvroNode, { readonly kind: 'record' }>['fields']

function stepThroughFields(fields: Fields, wants: readonly Want[], compiled: Compiled): Step {
  const wanted = wantsByName(wants)
  const steps = fields.map(({ name, node }) => compileStep(node, wanted.get(name) ?? [], compiled))
  return (cursor, raws) => {
    for (let index = 0; index < steps.length; index++) steps[index]!(cursor, raws)
  }
}

/** An entry that comes again counts for all of its key, as in Java. */
function stepThroughMap(items: AvroNode, wants: readonly Want[], compiled: Compiled): Step {
  const skip = skipperOf(items)
  const entries = new Map<string, { step: Step; slots: number[] }>()
  for (const [name, rest] of wantsByName(wants)) {
    const slots = rest.map(({ slot }) => slot)
    entries.set(name, { step: compileStep(items, rest, compiled), slots })
  }
  return (cursor, raws) => {
    for (let count = cursor.readCount(); count > 0; count = cursor.readCount()) {
      for (let left = count; left > 0; left--) {
        const entry = entries.get(cursor.readText())
        if (entry === undefined) skip(cursor)
        else {
          for (const slot of entry.slots) raws[slot] = undefined
          entry.step(cursor, raws)
        }
      }
    }
  }
}

function stepThroughArray(items: AvroNode, wants: readonly Want[], compiled: Compiled): Step {
  const skip = skipperOf(items)
  const steps = new Map<number, Step>()
  for (const { step, rest } of groupByStep(wants)) {
    if (step.kind === 'index') steps.set(step.index, compileStep(items, rest, compiled))
  }
  return (cursor, raws) => {
    let index = 0
    for (let count = cursor.readCount(); count > 0; count = cursor.readCount()) {
      for (const end = index + count; index < end; index++) {
        const step = steps.get(index) ?? skip
        step(cursor, raws)
      }
    }
  }
}

function wantsByName(wants: readonly Want[]): Map<string, readonly Want[]> {
  const wanted = new Map<string, readonly Want[]>()
  for (const { step, rest } of groupByStep(wants)) {
    if (step.kind === 'name') wanted.set(step.name, rest)
  }
  return wanted
}
