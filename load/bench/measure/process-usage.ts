// What a process has used, read from /proc: CPU time and peak memory.
//
// In: process ids, or undefined where the process is not ours to look at (a container, a given
// endpoint). Out: microseconds of CPU, MB at the peak; null where there is nothing to read: not
// Linux, not our process, gone. Nothing is refused. Invariant: threads are included, children not.

import { readFileSync } from 'node:fs'
import type { Stack } from '../../../dev/stack/stack-types.ts'

export type Usage = {
  /** null where the process is not ours to look at. */
  readonly cpuMicrosPerEvent: Readonly<Record<'scorer' | 'broker' | 'redis', number | null>>
  /** Of the scorer that held the most. */
  readonly rssMaxMb: number | null
}

type Readings = Readonly<Record<'scorer' | 'broker' | 'redis' | 'rssMaxMb', number | null>>

/** USER_HZ: the unit of /proc/<pid>/stat is 1/100 s on every platform that Node runs on. */
const tickMicros = 10_000
const kibPerMb = 1_000_000 / 1_024
/** Fields of the stat line behind the program's name, which may itself hold spaces and brackets. */
const userTicksField = 11
const systemTicksField = 12

/** What scorers, broker and redis have used by now. */
export function readProcesses(
  { servers }: { readonly servers?: Stack['servers'] },
  scorers: readonly { readonly pid: number }[],
): Readings {
  const peaksMb = scorers.map(({ pid }) => readPeakMemoryMb(pid))
  const micros = scorers.map(({ pid }) => readCpuMicros(pid))
  return {
    scorer: combine(micros, (a, b) => a + b),
    broker: readCpuMicros(servers?.kafka.pid()),
    redis: readCpuMicros(servers?.redis.pid()),
    rssMaxMb: combine(peaksMb, Math.max),
  }
}

export function compareReadings(before: Readings, after: Readings, events: number): Usage {
  const each = (name: keyof Usage['cpuMicrosPerEvent']) => {
    const [from, to] = [before[name], after[name]]
    return from === null || to === null ? null : (to - from) / events
  }
  const cpuMicrosPerEvent = { scorer: each('scorer'), broker: each('broker'), redis: each('redis') }
  return { cpuMicrosPerEvent, rssMaxMb: after.rssMaxMb }
}

const combine = (
  values: readonly (number | null)[],
  add: (a: number, b: number) => number,
): number | null => values.reduce((a, b) => (a === null || b === null ? null : add(a, b)), 0)

export function readCpuMicros(pid: number | undefined): number | null {
  const text = readProc(pid, 'stat')
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[userTicksField]) + Number(fields[systemTicksField])) * tickMicros
}

/** What the process holds now (VmRSS). */
export function readMemoryMb(pid: number | undefined): number | null {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status') ?? '')?.[1]
  return kib === undefined ? null : Number(kib) / kibPerMb
}

/** The most memory that the process ever held (VmHWM). */
export function readPeakMemoryMb(pid: number | undefined): number | null {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(pid, 'status') ?? '')?.[1]
  return kib === undefined ? null : Number(kib) / kibPerMb
}

function readProc(pid: number | undefined, name: string): string | null {
  if (pid === undefined) return null
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return null
  }
}
