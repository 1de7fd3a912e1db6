// Whether readers and writers of two Avro schemas understand one another: a reason, or null.
//
// In: a level and two schemas' text. Out: which side cannot read the other's events and why. Needed
// beside the registry's own test because that one answers by the level that a subject has today
// (Apicurio calls everything compatible where there is none) and says only yes or no: asking it for
// the reason would mean to register. Pure; nothing is asked and nothing is changed.
// Invariant: what is called incompatible here, no registry at that level would have taken.

import avsc from 'avsc'
import type { CompatibilityLevel } from './schema-registry.ts'

type Promises = {
  /** New readers read old events. */
  readonly backward: boolean
  /** Old readers read new events. */
  readonly forward: boolean
  /** Both hold for every version, not only for the latest. */
  readonly transitive: boolean
}

const promisesOf: Readonly<Record<CompatibilityLevel, Promises>> = {
  NONE: { backward: false, forward: false, transitive: false },
  BACKWARD: { backward: true, forward: false, transitive: false },
  FORWARD: { backward: false, forward: true, transitive: false },
  FULL: { backward: true, forward: true, transitive: false },
  BACKWARD_TRANSITIVE: { backward: true, forward: false, transitive: true },
  FORWARD_TRANSITIVE: { backward: false, forward: true, transitive: true },
  FULL_TRANSITIVE: { backward: true, forward: true, transitive: true },
}

/** Whether a level keeps every promise of another one; a subject without a level keeps none. */
export function isAsStrict(level: CompatibilityLevel | null, other: CompatibilityLevel): boolean {
  const [kept, wanted] = [promisesOf[level ?? 'NONE'], promisesOf[other]]
  return (['backward', 'forward', 'transitive'] as const).every((p) => kept[p] || !wanted[p])
}

/** Why a schema cannot follow an earlier one at this level; null = it can. */
export function whyIncompatible(
  level: CompatibilityLevel,
  { schemaText, earlierText }: { readonly schemaText: string; readonly earlierText: string },
): string | null {
  const { backward, forward } = promisesOf[level]
  const unread = backward ? whyUnreadable(schemaText, earlierText) : null
  if (unread !== null) return `new readers cannot read old events: ${unread}`
  const unreadable = forward ? whyUnreadable(earlierText, schemaText) : null
  return unreadable === null ? null : `old readers cannot read new events: ${unreadable}`
}

/** Why events of a writer's schema cannot be read with a reader's; null = they can. */
export function whyUnreadable(readerText: string, writerText: string): string | null {
  try {
    const [reader, writer] = [readerText, writerText].map((text) =>
      avsc.Type.forSchema(JSON.parse(text)),
    )
    const reason = whyUnresolved(reader!, writer!)
    return reason && `${nameField(reader!, writer!)}${reason}`
  } catch (error) {
    return messageOf(error)
  }
}

function whyUnresolved(reader: avsc.Type, writer: avsc.Type): string | null {
  try {
    reader.createResolver(writer)
    return null
  } catch (error) {
    return messageOf(error)
  }
}

/** The library names fields that are missing, and not those whose types do not fit. */
function nameField(reader: avsc.Type, writer: avsc.Type): string {
  if (!(reader instanceof avsc.types.RecordType && writer instanceof avsc.types.RecordType))
    return ''
  const types = new Map(writer.fields.map(({ name, type }) => [name, type]))
  const field = reader.fields.find(({ name, type }) => {
    const written = types.get(name)
    return written !== undefined && whyUnresolved(type, written) !== null
  })
  return field === undefined ? '' : `field ${field.name}: `
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

/** Full name of the record; null where the schema is none. */
export function recordNameOf(schemaText: string): string | null {
  try {
    return avsc.Type.forSchema(JSON.parse(schemaText)).name ?? null
  } catch {
    return null
  }
}
