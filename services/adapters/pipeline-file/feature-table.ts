// The window ops as data, and the features of the file expanded to one per window.
//
// Comes in: the sound part of the file. Goes out: for each feature as written, the definitions that
// it stands for, in the vector's order. Durations are milliseconds and defaults are filled in.
// Nothing is refused here: what makes no sense still expands, and feature-rules.ts reports it.

import type {
  CalendarFeature,
  FieldFeature,
  RatioFeature,
  WindowFeature,
  WindowOp,
} from '../../core/pipeline-definition.ts'
import { parseDuration } from './duration.ts'
import type { Path } from './pipeline-fault.ts'
import type { SoundValue } from './sound-value.ts'

type OpRule = {
  /** What `of` has to name. */
  readonly of: 'nothing' | 'an integer field' | 'any field'
  /** Whether a window must be written, or defaults to the longest one of the entity. */
  readonly window: 'written' | 'longest'
  /** Whether the file may choose if the transaction itself is in its window. */
  readonly current: 'chosen' | 'never'
  /**
   * Whether the window's older edge may move in steps: not where a tile cannot stand for its rows.
   */
  readonly tail: 'chosen' | 'never'
}

const aggregate: OpRule = {
  of: 'an integer field',
  window: 'written',
  current: 'chosen',
  tail: 'chosen',
}
const sinceFraud: OpRule = { ...aggregate, of: 'nothing', window: 'longest', current: 'never' }
const previous: OpRule = { ...aggregate, window: 'longest', current: 'never', tail: 'never' }

export const opRules: Readonly<Record<WindowOp, OpRule>> = {
  count: { ...aggregate, of: 'nothing' },
  sum: aggregate,
  mean: aggregate,
  min: aggregate,
  max: aggregate,
  stddev: { ...aggregate, tail: 'never' },
  distinct: { ...aggregate, of: 'any field', tail: 'never' },
  seconds_since_last: { ...previous, of: 'nothing' },
  seconds_since_first: { ...aggregate, of: 'nothing', window: 'longest' },
  last: previous,
  fraud_rate: { ...aggregate, of: 'nothing' },
  fraud_count: { ...aggregate, of: 'nothing', current: 'never' },
  seconds_since_last_fraud: sinceFraud,
  seconds_since_first_fraud: sinceFraud,
}

export type WrittenField = {
  readonly name: string
  readonly field: string
  readonly scale?: number
  readonly equals?: string
  readonly in?: readonly string[]
  readonly absent?: number
}

type WrittenCalendar = {
  readonly name: string
  readonly calendar:
    | Exclude<CalendarFeature['calendar'], 'hours'>
    | { readonly hours: readonly [number, number] }
}

type WrittenWindow = {
  readonly name: string
  readonly entity: string
  readonly op: WindowOp
  readonly of?: string
  readonly window?: string
  readonly windows?: readonly string[]
  readonly delay?: string
  readonly tail?: string
  readonly current?: boolean
  readonly scale?: number
  readonly absent?: number
}

type WrittenRatio = {
  readonly name: string
  readonly ratio: readonly [string, string]
  readonly absent?: number
}

/** What a feature that has faults still refers to; null where that has a fault or is not there. */
export type WrittenReferences = {
  readonly entity: string | null
  readonly field: string | null
  readonly of: string | null
}

/** One item of the file's list of features with the features that it stands for. */
export type FeatureEntry = { readonly path: Path } & (
  | { readonly kind: 'field'; readonly written: WrittenField; readonly features: [FieldFeature] }
  | {
      readonly kind: 'calendar'
      readonly written: WrittenCalendar
      readonly features: [CalendarFeature]
    }
  | { readonly kind: 'window'; readonly written: WrittenWindow; readonly features: WindowFeature[] }
  | { readonly kind: 'ratio'; readonly written: WrittenRatio; readonly features: [RatioFeature] }
  /** Has faults of shape: only its names are known, so that ratios can still refer to them. */
  | {
      readonly kind: 'unsound'
      readonly written: WrittenReferences
      readonly names: readonly string[]
      readonly features: []
    }
)

export type WindowEntry = Extract<FeatureEntry, { kind: 'window' }>

type Written = WrittenField | WrittenCalendar | WrittenWindow | WrittenRatio

export function expandFeatures(file: SoundValue): readonly FeatureEntry[] {
  const count = file.listLengthAt(['features'])
  const items = Array.from({ length: count }, (_, index) => {
    const path: Path = ['features', index]
    return { path, written: file.read<Written | null>(path, null) }
  })
  const longestMs = findLongestWindows(items.map((item) => item.written))
  return items.map(({ path, written }) =>
    written === null ? readUnsound(file, path) : expandOne(path, written, longestMs),
  )
}

function expandOne(
  path: Path,
  written: Written,
  longestMs: ReadonlyMap<string, number>,
): FeatureEntry {
  if ('ratio' in written) return { kind: 'ratio', path, written, features: [toRatio(written)] }
  if ('calendar' in written) {
    return { kind: 'calendar', path, written, features: [toCalendar(written)] }
  }
  if ('field' in written) return { kind: 'field', path, written, features: [toField(written)] }
  const spans = spansOf(written, longestMs.get(written.entity) ?? 0)
  return { kind: 'window', path, written, features: spans.map((span) => toWindow(written, span)) }
}

const toRatio = (written: WrittenRatio): RatioFeature => ({
  kind: 'ratio',
  name: written.name,
  numerator: written.ratio[0],
  denominator: written.ratio[1],
  absent: written.absent ?? 0,
})

function toCalendar({ name, calendar }: WrittenCalendar): CalendarFeature {
  if (typeof calendar === 'string') {
    return { kind: 'calendar', name, calendar, fromHour: 0, toHour: 23 }
  }
  const [fromHour, toHour] = calendar.hours
  return { kind: 'calendar', name, calendar: 'hours', fromHour, toHour }
}

const toField = (written: WrittenField): FieldFeature => ({
  kind: 'field',
  name: written.name,
  field: written.field,
  scale: written.scale ?? 1,
  equals: written.in ?? (written.equals === undefined ? null : [written.equals]),
  absent: written.absent ?? 0,
})

type Span = { readonly name: string; readonly windowMs: number }

const toWindow = (written: WrittenWindow, { name, windowMs }: Span): WindowFeature => ({
  kind: 'window',
  name,
  entity: written.entity,
  op: written.op,
  of: written.of ?? null,
  windowMs,
  delayMs: parseDuration(written.delay ?? '0s'),
  tailMs: parseDuration(written.tail ?? '0s'),
  current: opRules[written.op].current === 'never' ? false : (written.current ?? true),
  scale: written.scale ?? 1,
  absent: written.absent ?? 0,
})

function spansOf(written: WrittenWindow, longestMs: number): readonly Span[] {
  const windows = writtenWindows(written)
  if (windows.length === 0) return [{ name: written.name, windowMs: longestMs }]
  return windows.map((window) => ({
    name: written.name.replaceAll('{window}', window),
    windowMs: parseDuration(window),
  }))
}

/** The windows that stand in the file, in their order: none, one or several. */
export const writtenWindows = (written: WrittenWindow): readonly string[] =>
  written.windows ?? (written.window === undefined ? [] : [written.window])

/** The longest window written for each entity: the default of ops that need not write one. */
function findLongestWindows(items: readonly (Written | null)[]): ReadonlyMap<string, number> {
  const longestMs = new Map<string, number>()
  for (const written of items) {
    if (written === null || !('op' in written)) continue
    const windowsMs = writtenWindows(written).map(parseDuration)
    const known = longestMs.get(written.entity) ?? 0
    if (windowsMs.length > 0) longestMs.set(written.entity, Math.max(known, ...windowsMs))
  }
  return longestMs
}

function readUnsound(file: SoundValue, path: Path): FeatureEntry {
  const text = (key: string): string | null => file.read<string | null>([...path, key], null)
  const windows = file.read<readonly string[]>([...path, 'windows'], [])
  const spans = windows.length > 0 ? windows : [text('window') ?? '']
  const names = spans.map((span) => (text('name') ?? '').replaceAll('{window}', span))
  const written = { entity: text('entity'), field: text('field'), of: text('of') }
  return { kind: 'unsound', path, written, names, features: [] }
}
