// Reads only what is sound out of a value that may have faults.
//
// Comes in: the file's value and the faults of its shape. Goes out: `read(path, fallback)`, the
// value at a path, or the fallback where the file says nothing or where the place, or anything
// below it, has a fault. This is what lets the later rules run on a file that already has faults:
// each fault is reported once, and none because of another.

import type { Fault, Path } from './pipeline-fault.ts'

export type SoundValue = {
  /** The caller names the type that the JSON Schema guarantees for the path. */
  readonly read: <T>(path: Path, fallback: T) => T
  /** Names of the keys at a path, sound or not; null where there is no map. */
  readonly keysAt: (path: Path) => readonly string[] | null
  /** Length of the list at a path, sound or not; 0 where there is no list. */
  readonly listLengthAt: (path: Path) => number
}

export function readSoundly(value: unknown, faults: readonly Fault[]): SoundValue {
  const faultyPaths = faults.map((fault) => fault.path)
  const isSound = (path: Path): boolean => !faultyPaths.some((faulty) => isWithin(faulty, path))
  return {
    read: <T>(path: Path, fallback: T) => {
      const found = valueAt(value, path)
      return found === undefined || !isSound(path) ? fallback : (found as T)
    },
    keysAt: (path) => {
      const found = valueAt(value, path)
      return isMap(found) ? Object.keys(found) : null
    },
    listLengthAt: (path) => {
      const found = valueAt(value, path)
      return Array.isArray(found) ? found.length : 0
    },
  }
}

const isWithin = (inner: Path, outer: Path): boolean =>
  inner.length >= outer.length && outer.every((step, depth) => inner[depth] === step)

const isMap = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function valueAt(value: unknown, path: Path): unknown {
  let place = value
  for (const step of path) {
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, step)) return undefined
    place = (place as Record<string | number, unknown>)[step]
  }
  return place
}
