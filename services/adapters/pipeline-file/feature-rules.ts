// What each feature of a pipeline file has to obey beyond its shape, as a table of rules.
//
// Comes in: the expanded entries and what they refer to (entities, fields of the schemas). Goes
// out: faults, all of them. A rule looks at one feature as written and gives back a fault or null;
// rules never depend on each other, so that one mistake gives one line.

import { limits } from '../../core/limits.ts'
import { nearestName } from '../../core/nearest-name.ts'
import type { FeatureContext, Found, Rule } from './feature-rule.ts'
import type { FeatureEntry, WrittenField, WrittenReferences } from './feature-table.ts'
import { checkField, isText, isWhole, type KnownFields } from './known-fields.ts'
import { type Fault, type Path, quote, suggest } from './pipeline-fault.ts'
import { checkEntity, windowRules } from './window-rules.ts'

export function findFeatureFaults(context: FeatureContext): readonly Fault[] {
  const own = context.entries.flatMap((entry) =>
    findOwnFaults(entry, context)
      .filter((found) => found !== null)
      .map((found) => toFault(entry.path, found)),
  )
  return [...own, ...findNameFaults(context.entries), ...findCountFaults(context.entries)]
}

function findOwnFaults(entry: FeatureEntry, context: FeatureContext): readonly (Found | null)[] {
  switch (entry.kind) {
    case 'field':
      return fieldRules.map((rule) => rule(entry.written, context))
    case 'window':
      return windowRules.map((rule) => rule(entry, context))
    case 'unsound':
      return unsoundRules.map((rule) => rule(entry.written, context))
    default:
      return []
  }
}

function toFault(path: Path, { key, index, at, ...found }: Found): Fault {
  const place = index === undefined ? [...path, key] : [...path, key, index]
  return { ...found, path: place, at: at ?? 'value' }
}

/** What a feature with faults of shape refers to can still be looked up. */
const unsoundRules: readonly Rule<WrittenReferences>[] = [
  ({ entity }, context) => (entity === null ? null : checkEntity(entity, context)),
  ({ field }, { transactionFields }) => checkReference('field', field, transactionFields),
  ({ of }, { transactionFields }) => checkReference('of', of, transactionFields),
]

function checkReference(key: string, field: string | null, fields: KnownFields): Found | null {
  const found = field === null ? null : checkField(field, fields)
  return found && { key, ...found }
}

const fieldRules: readonly Rule<WrittenField>[] = [
  ({ field }, { transactionFields }) => checkReference('field', field, transactionFields),
  (written) =>
    written.equals === undefined || written.in === undefined
      ? null
      : { key: 'in', at: 'key', found: 'both equals and in', expected: 'one of them' },
  (written) =>
    written.scale === undefined || !isFlag(written)
      ? null
      : { key: 'scale', at: 'key', found: 'scale on a flag', expected: 'no scale: it is 1 or 0' },
  (written, { transactionFields }) => {
    const field = transactionFields.get(written.field)
    if (field === undefined || !isFlag(written) || isText(field)) return null
    const found = `the ${field.kind} field ${written.field} compared with a text`
    return { key: 'field', found, expected: 'a text field' }
  },
  (written, { transactionFields }) => {
    const field = transactionFields.get(written.field)
    if (field === undefined || isFlag(written)) return null
    if (isWhole(field) || field.kind === 'number' || field.kind === 'flag') return null
    const found = `the ${field.kind} field ${written.field}`
    const hint = fieldHints[field.kind]
    return { key: 'field', found, expected: 'a number field', ...(hint && { hint }) }
  },
]

const isFlag = (written: WrittenField): boolean =>
  written.equals !== undefined || written.in !== undefined

const fieldHints: Readonly<Record<string, string>> = {
  text: 'add equals or in to make a flag of it',
  currency: 'add equals or in to make a flag of it',
  time: 'use calendar or seconds_since_last instead',
}

/** Names are unique over all windows, and a ratio divides only what is already computed. */
function findNameFaults(entries: readonly FeatureEntry[]): readonly Fault[] {
  const all = new Set(entries.flatMap(namesOf))
  const earlier = new Set<string>()
  return entries.flatMap((entry) => {
    const ratio = entry.kind === 'ratio' ? findRatioFaults(entry, earlier, all) : []
    const names = namesOf(entry)
    const repeated = names.find((name) => name !== '' && earlier.has(name))
    for (const name of names) earlier.add(name)
    if (repeated === undefined) return ratio
    const found = `the name ${quote(repeated)} a second time`
    const path = [...entry.path, 'name']
    return [...ratio, { path, at: 'value', found, expected: 'a name of its own' } as const]
  })
}

const namesOf = (entry: FeatureEntry): readonly string[] =>
  entry.kind === 'unsound' ? entry.names : entry.features.map((feature) => feature.name)

function findRatioFaults(
  { path, written }: Extract<FeatureEntry, { kind: 'ratio' }>,
  earlier: ReadonlySet<string>,
  all: ReadonlySet<string>,
): readonly Fault[] {
  return written.ratio.flatMap((name, index): readonly Fault[] => {
    const isBelow = all.has(name)
    // A feature whose name cannot be read (it is '' here) may be the one that is meant.
    if (earlier.has(name) || (!isBelow && all.has(''))) return []
    const expected = 'the name of a feature above this one'
    const found = isBelow ? `${quote(name)}, which is not above` : `unknown feature ${quote(name)}`
    const hint = isBelow ? { hint: 'move it up' } : suggest(nearestName(name, earlier))
    return [{ path: [...path, 'ratio', index], at: 'value', found, expected, ...hint }]
  })
}

function findCountFaults(entries: readonly FeatureEntry[]): readonly Fault[] {
  const count = entries.reduce((sum, entry) => sum + entry.features.length, 0)
  if (count <= limits.featuresMax) return []
  const expected = `at most ${limits.featuresMax}`
  return [{ path: ['features'], at: 'key', found: `${count} features`, expected }]
}
