// The rules of window features, as a table.
//
// Comes in: a window feature with its expanded windows, and what it may refer to. Goes out: at most
// one fault per rule. What is refused: entities and fields that do not exist, fields whose type the
// op cannot aggregate exactly, windows out of range or missing, tails that the op or the window
// does not allow, labels that are not there. The op's own needs stand as data in feature-table.ts.

import { nearestName } from '../../core/nearest-name.ts'
import { looksAtLabels } from '../../core/pipeline-definition.ts'
import { dayMs, formatDuration, parseDuration } from './duration.ts'
import type { FeatureContext, Found, Rule } from './feature-rule.ts'
import { opRules, type WindowEntry, writtenWindows } from './feature-table.ts'
import { checkField, isText, isWhole } from './known-fields.ts'
import { quote, suggest } from './pipeline-fault.ts'

const windowMsMin = 60_000
const windowMsMax = 400 * dayMs
const windowRange = 'a window from 1m to 400d'
const minuteMs = 60_000

/** Shorter steps would be finer than what transactions of one entity need, and cost a tile each. */
export const tailMsMin = 1000
/** Stored tiles keep times within a tile in 32 bits. */
export const tailMsMax = 30 * dayMs
/**
 * Tiles that a window with its delay may span: each costs bytes per entity and a look per event.
 */
export const windowTilesMax = 1000

export const windowRules: readonly Rule<WindowEntry>[] = [
  ({ written }, context) => checkEntity(written.entity, context),
  ({ written: { op, of } }) => {
    const wanted = opRules[op].of
    if (wanted === 'nothing' && of !== undefined) {
      return {
        key: 'of',
        at: 'key',
        found: `of with the op ${op}`,
        expected: `no of: ${op} takes no field`,
      }
    }
    if (wanted === 'nothing' || of !== undefined) return null
    return { key: 'op', found: `${op} without of`, expected: `of: ${wanted} for ${op} to look at` }
  },
  ({ written: { of, op } }, { transactionFields }) => {
    const found =
      of === undefined || opRules[op].of === 'nothing' ? null : checkField(of, transactionFields)
    return found && { key: 'of', ...found }
  },
  checkAggregatedType,
  ({ written }) =>
    written.window === undefined || written.windows === undefined
      ? null
      : { key: 'windows', at: 'key', found: 'both window and windows', expected: 'one of them' },
  checkNameTemplate,
  checkWindowGiven,
  ({ written }) => {
    const windows = writtenWindows(written)
    const index = windows.findIndex((window) => !isWithinRange(window, windowMsMin))
    if (index === -1) return null
    const place = written.windows === undefined ? { key: 'window' } : { key: 'windows', index }
    return { ...place, found: quote(windows[index]!), expected: windowRange }
  },
  ({ written: { delay } }) =>
    delay === undefined || isWithinRange(delay, 0)
      ? null
      : { key: 'delay', found: quote(delay), expected: 'a delay up to 400d' },
  ({ written: { current, op } }) =>
    current !== true || opRules[op].current === 'chosen'
      ? null
      : {
          key: 'current',
          found: `true with the op ${op}`,
          expected: 'false: it never looks at the transaction itself',
        },
  ({ written: { op, tail = '0s' } }) =>
    parseDuration(tail) === 0 || opRules[op].tail === 'chosen'
      ? null
      : {
          key: 'tail',
          at: 'key',
          found: `tail with the op ${op}`,
          expected: `no tail: ${op} looks at single transactions`,
        },
  ({ written: { tail = '0s' } }) =>
    parseDuration(tail) === 0 || isWithinTails(parseDuration(tail))
      ? null
      : { key: 'tail', found: quote(tail), expected: 'a tail from 1s to 30d' },
  checkTailWithinWindow,
  checkTileCount,
  checkLabels,
]

export function checkEntity(entity: string, { entities }: FeatureContext): Found | null {
  if (entities === null || entities.has(entity)) return null
  const names = [...entities.keys()]
  return {
    key: 'entity',
    found: `unknown entity ${quote(entity)}`,
    expected: `one of ${names.join(', ')}`,
    ...suggest(nearestName(entity, names)),
  }
}

function checkAggregatedType({ written }: WindowEntry, context: FeatureContext): Found | null {
  const { of, op } = written
  const field = of === undefined ? undefined : context.transactionFields.get(of)
  const wanted = opRules[op].of
  if (field === undefined || wanted === 'nothing') return null
  const found = `${op} of the ${field.kind} field ${of}`
  if (field.kind === 'number') {
    const expected = 'a money or integer field, because window arithmetic is over whole numbers'
    return { key: 'of', found, expected, hint: 'declare it as money or integer' }
  }
  if (wanted === 'any field') return null
  const expected = 'a money or integer field'
  if (!isWhole(field)) return { key: 'of', found, expected, ...suggestDistinct(isText(field)) }
  if (!field.isOptional) return null
  return {
    key: 'of',
    found: `${found}, which may be absent`,
    expected: `${expected} that is required`,
  }
}

const suggestDistinct = (isOfText: boolean) =>
  isOfText ? { hint: 'op: distinct counts texts' } : {}

function checkNameTemplate({ written }: WindowEntry): Found | null {
  const hasTemplate = written.name.includes('{window}')
  const count = writtenWindows(written).length
  if (hasTemplate && count === 0) {
    return { key: 'name', found: '{window} without a window', expected: 'window or windows' }
  }
  if (hasTemplate || written.windows === undefined) return null
  const found = `${quote(written.name)} for ${count} windows`
  const hint = `such as "${written.name}_{window}"`
  return { key: 'name', found, expected: 'a name with {window}', hint }
}

function checkWindowGiven(
  { written, features }: WindowEntry,
  context: FeatureContext,
): Found | null {
  if (writtenWindows(written).length > 0) return null
  const found = `${written.op} without a window`
  if (opRules[written.op].window === 'written') {
    return { key: 'op', found, expected: 'window or windows' }
  }
  // A feature with faults may be the one that has the window.
  const isUnsure = context.entries.some((entry) => entry.kind === 'unsound')
  if (isUnsure || (features[0]?.windowMs ?? 0) > 0) return null
  const expected = `window, as no other feature of ${written.entity} has one to take over`
  return { key: 'op', found, expected }
}

const isWithinRange = (duration: string, minMs: number): boolean => {
  const ms = parseDuration(duration)
  return ms >= minMs && ms <= windowMsMax
}

const isWithinTails = (tailMs: number): boolean => tailMs >= tailMsMin && tailMs <= tailMsMax

/** Windows and delays out of range have a fault of their own and are no measure for the tail. */
const soundWindows = ({ features }: WindowEntry) =>
  features.filter(
    ({ windowMs, delayMs }) =>
      windowMs >= windowMsMin && windowMs <= windowMsMax && delayMs <= windowMsMax,
  )

function checkTailWithinWindow(entry: WindowEntry): Found | null {
  const short = soundWindows(entry).find(
    ({ windowMs, tailMs }) => tailMs > windowMs && isWithinTails(tailMs),
  )
  if (short === undefined) return null
  const window = formatDuration(short.windowMs)
  const found = `${quote(entry.written.tail!)}, longer than the window ${window}`
  const isOneOfMany = entry.features.length > 1
  const hint = isOneOfMany ? { hint: `write ${window} as a feature of its own` } : {}
  return { key: 'tail', found, expected: 'a tail up to the length of the window', ...hint }
}

function checkTileCount(entry: WindowEntry): Found | null {
  const { tail = '0s' } = entry.written
  const tailMs = parseDuration(tail)
  const reachMs = Math.max(0, ...soundWindows(entry).map((f) => f.windowMs + f.delayMs))
  if (!isWithinTails(tailMs) || reachMs <= windowTilesMax * tailMs) return null
  const count = Math.ceil(reachMs / tailMs)
  const found = `${quote(tail)}: ${count} tiles for a window with delay of ${formatDuration(reachMs)}`
  const enoughMs = Math.ceil(reachMs / windowTilesMax / minuteMs) * minuteMs
  const hint = `${formatDuration(enoughMs)} is enough`
  return { key: 'tail', found, expected: `at most ${windowTilesMax} tiles`, hint }
}

/** Labels carry only some of the transaction's fields: their logs need every part of the key. */
function checkLabels({ written, features }: WindowEntry, context: FeatureContext): Found | null {
  if (!features.some(looksAtLabels)) return null
  if (!context.hasLabels) {
    const hint = 'name the topic under topics.labels'
    return {
      key: 'op',
      found: `${written.op} with topics.labels none`,
      expected: 'a labels topic',
      hint,
    }
  }
  if (context.isLookup) return null
  const key = context.entities?.get(written.entity) ?? []
  const missing = key.filter(
    (field) => context.transactionFields.has(field) && !context.labelFields.has(field),
  )
  if (missing.length === 0) return null
  const found = `${written.op} by ${missing.join(', ')}, which labels do not carry`
  const known = [...context.labelFields.keys()].join(', ')
  return { key: 'op', found, expected: `an entity whose key is among ${known}` }
}
