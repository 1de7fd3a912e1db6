// What a process has used, read from /proc: CPU time and peak memory.
//
// In: a process id, or undefined where the process is not ours to look at (a container, a given
// endpoint). Out: microseconds of CPU, MB at the peak; null where there is nothing to read: not
// Linux, not our process, gone. Nothing is refused. Invariant: threads are included, children not.

import { readFileSync } from 'node:fs'

/** USER_HZ: the unit of /proc/<pid>/stat is 1/100 s on every platform that Node runs on. */
const tickMicros = 10_000
const kibPerMb = 1_000_000 / 1_024
/** Fields of the stat line behind the program's name, which may itself hold spaces and brackets. */
const userTicksField = 11
const systemTicksField = 12

export function readCpuMicros(pid: number | undefined): number | null {
  const text = readProc(pid, 'stat')
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[userTicksField]) + Number(fields[systemTicksField])) * tickMicros
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
