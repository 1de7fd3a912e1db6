// From a message's fields and the wants to a function that reads one message.
//
//   wants ─by name─► field ─► scalar: its slots   message: a plan of its own   repeated, map: by
//                             index or key; whole ones as an array, an object without a prototype
//
// In: messages of a .proto text, and wants. Out: raw values in their slots; a field that is not on
// the wire is its type's zero where the language does not tell absence apart, else undefined.
// Refused (thrown): when compiling, wanted fields of types that nobody defines; when reading, what
// the cursor refuses and wire types other than the schema's. Invariant: as in Google's parsers the
// last one of a field counts, and of a oneof the last member.

import type { PathStep } from '../../core/input-mapping.ts'
import { compileFill, type Fill, groupByStep, type Want } from '../compile-path.ts'
import { int32Of, type ProtoCursor, type Scalar, scalars, wire } from './proto-cursor.ts'
import type { ProtoField, ProtoMessage, ProtoType } from './proto-schema.ts'
import { meanings } from './proto-well-known.ts'

/** Reads the message from the cursor to its end. */
export type ReadMessage = (cursor: ProtoCursor, raws: unknown[]) => void
/** Reads one value behind its tag. */
type TakeValue = (cursor: ProtoCursor, wireType: number, raws: unknown[]) => void
/** `counts` has how many items of each repeated field the message has had. */
type TakeField = (
  cursor: ProtoCursor,
  wireType: number,
  raws: unknown[],
  counts: Uint32Array,
) => void
type Value = {
  readonly take: TakeValue
  /** Of an entry of a map that has no value on the wire. */
  readonly takeAbsent: (cursor: ProtoCursor, raws: unknown[]) => void
}
type Preset = { readonly slot: number; readonly make: () => unknown }

const whole: readonly Want[] = [{ slot: 0, steps: [] }]
const isLeaf = ({ steps }: Want): boolean => steps.length === 0
const slotsOf = (wants: readonly Want[]): number[] => wants.map(({ slot }) => slot)

export function compileMessage(message: ProtoMessage, wants: readonly Want[]): ReadMessage {
  const compileField = (field: ProtoField, own: readonly Want[]): TakeField => {
    if (field.keyName !== null) return takeEntry(field, own)
    if (field.isRepeated) return takeItem(field, own, message.fields.indexOf(field))
    return compileValue(field, own).take
  }
  const wanted = wantsByField(message, wants)
  const takes = new Map<number, TakeField>()
  for (const field of message.fields) {
    const own = wanted.get(field) ?? []
    const rivals = field.oneof === null ? [] : rivalSlots(field, wanted)
    if (own.length + rivals.length === 0) continue
    const take = own.length === 0 ? skipping(field) : compileField(field, own)
    takes.set(field.number, rivals.length === 0 ? take : clearing(rivals, take))
  }
  const presets = [...wanted].flatMap(([field, own]) => presetsOf(field, own.filter(isLeaf)))
  const fieldCount = message.fields.length
  return (cursor, raws) => {
    for (const { slot, make } of presets) raws[slot] ??= make()
    const counts = new Uint32Array(fieldCount)
    while (cursor.at < cursor.end) {
      const tag = cursor.readTag()
      const take = takes.get(tag >>> 3)
      if (take === undefined) cursor.skip(tag % 8, tag >>> 3)
      else take(cursor, tag % 8, raws, counts)
    }
  }
}

/** By the name in the text, or the one that it has in JSON. */
function wantsByField(message: ProtoMessage, wants: readonly Want[]): Map<ProtoField, Want[]> {
  const byName = new Map(message.fields.map((field) => [jsonName(field.name), field]))
  for (const field of message.fields) byName.set(field.name, field)
  const wanted = new Map<ProtoField, Want[]>()
  for (const { step, rest } of groupByStep(wants)) {
    const field = step.kind === 'name' ? byName.get(step.name) : undefined
    if (field !== undefined) wanted.set(field, [...(wanted.get(field) ?? []), ...rest])
  }
  return wanted
}

const jsonName = (name: string): string =>
  name.replace(/_+([a-zA-Z0-9])?/g, (_, letter?: string) => letter?.toUpperCase() ?? '')

function presetsOf(field: ProtoField, leafs: readonly Want[]): Preset[] {
  const make = zeroOf(field)
  return make === null ? [] : leafs.map(({ slot }) => ({ slot, make }))
}

/** null: an absent one is undefined. */
function zeroOf(field: ProtoField): (() => unknown) | null {
  if (field.keyName !== null) return () => Object.create(null)
  if (field.isRepeated) return () => []
  const scalar = field.hasPresence ? null : scalarOf(field.type)
  return scalar === null ? null : () => scalar.zero
}

function scalarOf(type: ProtoType): Scalar | null {
  if (type.kind === 'scalar') return scalars[type.name]
  if (type.kind !== 'enum') return null
  const nameOf = (number: number) => type.names.get(number) ?? number
  const read = (cursor: ProtoCursor) => nameOf(int32Of(cursor.readVarint()))
  return { wireType: wire.varint, read, zero: nameOf(0) }
}

function rivalSlots(field: ProtoField, wanted: ReadonlyMap<ProtoField, readonly Want[]>): number[] {
  return [...wanted].flatMap(([other, wants]) =>
    other !== field && other.oneof === field.oneof ? slotsOf(wants) : [],
  )
}

const skipping =
  (field: ProtoField): TakeField =>
  (cursor, wireType) =>
    cursor.skip(wireType, field.number)

function clearing(slots: readonly number[], take: TakeField): TakeField {
  return (cursor, wireType, raws, counts) => {
    for (const slot of slots) raws[slot] = undefined
    take(cursor, wireType, raws, counts)
  }
}

function expectWire(found: number, expected: number): void {
  if (found !== expected) throw new Error('a field has another wire type than its schema says')
}

function compileValue(field: ProtoField, wants: readonly Want[]): Value {
  const { type } = field
  if (type.kind === 'message') return messageValue(type, wants)
  const scalar = scalarOf(type)
  if (scalar !== null) return scalarValue(scalar, wants)
  const name = type.kind === 'unread' ? type.name : ''
  throw new Error(`neither it nor its references define "${name}", the type of ${field.name}`)
}

function scalarValue({ wireType, read, zero }: Scalar, wants: readonly Want[]): Value {
  const slots = slotsOf(wants)
  const fill: Fill = compileFill(wants)
  const put = (value: unknown, raws: unknown[]): void => {
    for (const slot of slots) raws[slot] = undefined
    fill(value, raws)
  }
  return {
    take: (cursor, found, raws) => {
      expectWire(found, wireType)
      put(read(cursor), raws)
    },
    takeAbsent: (_cursor, raws) => put(zero, raws),
  }
}

/** A message of which the whole and parts are wanted is read twice. */
function messageValue(message: ProtoMessage, wants: readonly Want[]): Value {
  const leafs = slotsOf(wants.filter(isLeaf))
  const parts = wants.filter((want) => !isLeaf(want))
  const readParts = parts.length === 0 ? null : compileMessage(message, parts)
  const readWhole = wholeOf(message)
  const readRange = (cursor: ProtoCursor, raws: unknown[]): void => {
    const start = cursor.at
    readParts?.(cursor, raws)
    if (leafs.length === 0) return
    cursor.at = start
    const value = readWhole(cursor)
    for (const slot of leafs) raws[slot] = value
  }
  return {
    take: (cursor, found, raws) => {
      expectWire(found, wire.bytes)
      within(cursor, () => readRange(cursor, raws))
    },
    takeAbsent: (cursor, raws) => {
      const { end } = cursor
      cursor.end = cursor.at
      readRange(cursor, raws)
      cursor.end = end
    },
  }
}

/** A part of the message that says its length; `read` leaves the cursor at its end. */
function within(cursor: ProtoCursor, read: () => void): void {
  const outerEnd = cursor.end
  const start = cursor.take(cursor.readLength())
  cursor.end = cursor.at
  cursor.at = start
  cursor.enter()
  read()
  cursor.leave()
  cursor.end = outerEnd
}

const wholes = new WeakMap<ProtoMessage, (cursor: ProtoCursor) => unknown>()

/** Compiled when it is first met, as a message may contain itself. */
function wholeOf(message: ProtoMessage): (cursor: ProtoCursor) => unknown {
  const known = wholes.get(message)
  if (known !== undefined) return known
  const names = message.fields.filter(({ type }) => type.kind !== 'unread').map(({ name }) => name)
  const meaning = meanings.get(message.fullName)
  let read: ReadMessage | undefined
  const readWhole = (cursor: ProtoCursor): unknown => {
    read ??= compileMessage(message, names.map(wantOfName))
    const raws: unknown[] = names.map(() => undefined)
    read(cursor, raws)
    const parts = Object.create(null) as Record<string, unknown>
    for (const [index, name] of names.entries()) {
      if (raws[index] !== undefined) parts[name] = raws[index]
    }
    return meaning === undefined ? parts : meaning(parts)
  }
  wholes.set(message, readWhole)
  return readWhole
}

const wantOfName = (name: string, slot: number): Want => {
  const step: PathStep = { kind: 'name', name }
  return { slot, steps: [step] }
}

function takeItem(field: ProtoField, wants: readonly Want[], counter: number): TakeField {
  const leafs = slotsOf(wants.filter(isLeaf))
  const item = compileValue(field, whole)
  const items = new Map<number, Value>()
  for (const { step, rest } of groupByStep(wants)) {
    if (step.kind === 'index') items.set(step.index, compileValue(field, rest))
  }
  const takeOne: TakeField = (cursor, wireType, raws, counts) => {
    const wanted = items.get(counts[counter]!++)
    const start = cursor.at
    if (wanted !== undefined) wanted.take(cursor, wireType, raws)
    else if (leafs.length === 0) cursor.skip(wireType, field.number)
    if (leafs.length === 0) return
    cursor.at = start
    const [value] = takeWhole(item, cursor, wireType)
    for (const slot of leafs) (raws[slot] as unknown[]).push(value)
  }
  const scalarWire = scalarOf(field.type)?.wireType ?? wire.bytes
  return (cursor, wireType, raws, counts) => {
    if (wireType !== wire.bytes || scalarWire === wire.bytes) {
      expectWire(wireType, scalarWire)
      takeOne(cursor, wireType, raws, counts)
      return
    }
    // Packed: numbers one after another, without tags.
    within(cursor, () => {
      while (cursor.at < cursor.end) takeOne(cursor, scalarWire, raws, counts)
    })
  }
}

function takeWhole(value: Value, cursor: ProtoCursor, wireType: number | null): unknown[] {
  const raws: unknown[] = [undefined]
  if (wireType === null) value.takeAbsent(cursor, raws)
  else value.take(cursor, wireType, raws)
  return raws
}

/** An entry is a message of a key, 1, and a value, 2; either is its zero where it is absent. */
function takeEntry(field: ProtoField, wants: readonly Want[]): TakeField {
  const leafs = slotsOf(wants.filter(isLeaf))
  const item = compileValue(field, whole)
  const items = new Map<string, { value: Value; slots: number[] }>()
  for (const { step, rest } of groupByStep(wants)) {
    if (step.kind !== 'name') continue
    items.set(step.name, { value: compileValue(field, rest), slots: slotsOf(rest) })
  }
  const key = scalars[field.keyName!]
  const takeParts = (cursor: ProtoCursor, raws: unknown[]): void => {
    const found = findParts(cursor, key)
    const { end } = cursor
    const takeAt = (value: Value, into: unknown[]): void => {
      cursor.at = found.valueAt ?? end
      if (found.valueAt === null) value.takeAbsent(cursor, into)
      else value.take(cursor, found.wireType, into)
    }
    const wanted = items.get(found.key)
    // An entry that comes again counts for all of its key.
    for (const slot of wanted?.slots ?? []) raws[slot] = undefined
    if (wanted !== undefined) takeAt(wanted.value, raws)
    for (const slot of leafs) {
      const value: unknown[] = [undefined]
      takeAt(item, value)
      ;(raws[slot] as Record<string, unknown>)[found.key] = value[0]
    }
    cursor.at = end
  }
  return (cursor, wireType, raws) => {
    expectWire(wireType, wire.bytes)
    within(cursor, () => takeParts(cursor, raws))
  }
}

type FoundParts = { key: string; valueAt: number | null; wireType: number }

function findParts(cursor: ProtoCursor, key: Scalar): FoundParts {
  const found: FoundParts = { key: String(key.zero), valueAt: null, wireType: 0 }
  while (cursor.at < cursor.end) {
    const tag = cursor.readTag()
    const wireType = tag % 8
    if (tag >>> 3 === 1) {
      expectWire(wireType, key.wireType)
      found.key = String(key.read(cursor))
      continue
    }
    if (tag >>> 3 === 2) {
      found.valueAt = cursor.at
      found.wireType = wireType
    }
    cursor.skip(wireType, tag >>> 3)
  }
  return found
}
