// What `node --cpu-prof` wrote, summed up: where each thread's own time goes while it works.
//
// In: the .cpuprofile files of one process, one per thread, and how many events were scored. Out:
// per thread the functions and files by self time, and of the main thread the parts of the
// pipeline. The window is that of the work: from the first sample inside the files of the work to
// the last, so start-up and the wait for the end are left out. Refused: profiles without such a
// sample. Invariant: places are relative to the repository or to Node.

import { fileURLToPath } from 'node:url'
import { repositoryFolder } from '../../../dev/stack/repository.ts'

export type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      readonly lineNumber: number
    }
    readonly children?: readonly number[]
  }[]
  /** Microseconds on a clock that all threads of the process share. */
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

type FunctionShare = {
  readonly function: string
  /** Of a native function, the file that called it: what the time was spent for. */
  readonly file: string
  readonly line: number
  /** Of the thread's busy time. */
  readonly share: number
  readonly microsPerEvent: number
}

type FileShare = {
  readonly file: string
  readonly share: number
  readonly microsPerEvent: number
}

export type ThreadProfile = {
  readonly thread: string
  /** Of the window; the rest is idle. */
  readonly busyShare: number
  readonly busyMicrosPerEvent: number
  readonly functions: readonly FunctionShare[]
  readonly files: readonly FileShare[]
}

export type PartShare = {
  readonly part: string
  readonly share: number
  readonly microsPerEvent: number
}

/** What a thread's own time is summed up by: frames whose place begins with one of these. */
export type Part = { readonly part: string; readonly places: readonly string[] }

/** Files and folders where the work is done; with them begins and ends what counts. */
export type Work = readonly string[]

const functionsShown = 25
const filesShown = 15
const idle = '(idle)'
const collector = '(garbage collector)'

export function summarizeProfiles(
  profiles: readonly CpuProfile[],
  events: number,
  work: Work,
): readonly ThreadProfile[] {
  const { main, window } = findMain(profiles, work)
  const others = profiles.filter((profile) => profile !== main)
  const threads = [summarize(main, window, { name: 'main', events })]
  for (const [i, profile] of others.entries()) {
    threads.push(summarize(profile, window, { name: `worker ${i + 1}`, events }))
  }
  return threads
}

/**
 * The main thread's own time by parts. A sample counts for the innermost frame that has a part:
 * what a stage calls outside of all parts, such as its port, counts for the stage.
 */
export function summarizeParts(
  profiles: readonly CpuProfile[],
  { events, work, parts }: { events: number; work: Work; parts: readonly Part[] },
): readonly PartShare[] {
  const { main, window } = findMain(profiles, work)
  const selfMicros = sumSelfTimes(main, window)
  const partOf = createPartNames(main, parts)
  const microsByPart = new Map<string, number>()
  let busyMicros = 0
  for (const { id, callFrame } of main.nodes) {
    const micros = selfMicros.get(id) ?? 0
    if (micros === 0 || callFrame.functionName === idle) continue
    const part = callFrame.functionName === collector ? 'garbage collection' : partOf(id)
    microsByPart.set(part, micros + (microsByPart.get(part) ?? 0))
    busyMicros += micros
  }
  const sorted = [...microsByPart].sort(([, a], [, b]) => b - a)
  return sorted.map(([part, micros]) => ({
    part,
    share: micros / busyMicros,
    microsPerEvent: micros / events,
  }))
}

function createPartNames({ nodes }: CpuProfile, parts: readonly Part[]) {
  const parentOf = findParents(nodes)
  const ownPart = new Map(
    nodes.map(({ id, callFrame }) => {
      const place = placeOf(callFrame.url)
      return [id, parts.find(({ places }) => places.some((start) => place.startsWith(start)))?.part]
    }),
  )
  return (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parentOf.get(at)) {
      const part = ownPart.get(at)
      if (part !== undefined) return part
    }
    return 'the rest'
  }
}

const findParents = (nodes: CpuProfile['nodes']): ReadonlyMap<number, number> =>
  new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))

function findMain(profiles: readonly CpuProfile[], work: Work) {
  for (const main of profiles) {
    const window = findWindow(main, work)
    if (window !== null) return { main, window }
  }
  throw new Error(`found no sample inside ${work.join(', ')}, expected a profile of it at work`)
}

type Window = { readonly fromMicros: number; readonly toMicros: number }

function findWindow(profile: CpuProfile, work: Work): Window | null {
  const working = findWorkingNodes(profile, work)
  let window: Window | null = null
  forEachSample(profile, (id, atMicros) => {
    if (working.has(id)) {
      window = { fromMicros: (window ?? { fromMicros: atMicros }).fromMicros, toMicros: atMicros }
    }
  })
  return window
}

/**
 * Nodes of the work's places and all that they called; a module's own body is start-up, not work.
 */
function findWorkingNodes({ nodes }: CpuProfile, work: Work): ReadonlySet<number> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const working = new Set<number>()
  const add = (id: number): void => {
    working.add(id)
    for (const child of byId.get(id)?.children ?? []) add(child)
  }
  for (const { id, callFrame } of nodes) {
    const isBody = callFrame.functionName === '' && callFrame.lineNumber === 0
    const place = placeOf(callFrame.url)
    if (!isBody && work.some((start) => place.startsWith(start))) add(id)
  }
  return working
}

function forEachSample(
  { startTime, samples, timeDeltas }: CpuProfile,
  visit: (id: number, atMicros: number, lastsMicros: number) => void,
): void {
  let atMicros = startTime
  for (let i = 0; i < samples.length; i++) {
    atMicros += timeDeltas[i]!
    // A sample stands for the time up to the next one.
    visit(samples[i]!, atMicros, timeDeltas[i + 1] ?? 0)
  }
}

function sumSelfTimes(profile: CpuProfile, { fromMicros, toMicros }: Window) {
  const micros = new Map<number, number>()
  forEachSample(profile, (id, atMicros, lastsMicros) => {
    if (atMicros < fromMicros || atMicros > toMicros) return
    micros.set(id, (micros.get(id) ?? 0) + lastsMicros)
  })
  return micros
}

function summarize(
  profile: CpuProfile,
  window: Window,
  { name, events }: { readonly name: string; readonly events: number },
): ThreadProfile {
  const selfMicros = sumSelfTimes(profile, window)
  const nameFrame = createFrameNames(profile)
  const byFunction = new Map<string, { micros: number; frame: FrameName }>()
  const byFile = new Map<string, number>()
  let busyMicros = 0
  for (const { id, callFrame } of profile.nodes) {
    const micros = selfMicros.get(id) ?? 0
    if (micros === 0 || callFrame.functionName === idle) continue
    busyMicros += micros
    const frame = nameFrame(id, callFrame)
    const key = `${frame.file}:${frame.line}:${frame.function}`
    const known = byFunction.get(key)
    byFunction.set(key, { micros: micros + (known?.micros ?? 0), frame })
    byFile.set(frame.file, micros + (byFile.get(frame.file) ?? 0))
  }
  const figures = (micros: number) => ({
    share: micros / busyMicros,
    microsPerEvent: micros / events,
  })
  const functions = [...byFunction.values()].sort((a, b) => b.micros - a.micros)
  const files = [...byFile].sort(([, a], [, b]) => b - a)
  return {
    thread: name,
    busyShare: busyMicros / (window.toMicros - window.fromMicros),
    busyMicrosPerEvent: busyMicros / events,
    functions: functions
      .slice(0, functionsShown)
      .map(({ micros, frame }) => ({ ...frame, ...figures(micros) })),
    files: files.slice(0, filesShown).map(([file, micros]) => ({ file, ...figures(micros) })),
  }
}

type FrameName = { readonly function: string; readonly file: string; readonly line: number }
type CallFrame = CpuProfile['nodes'][number]['callFrame']

/**
 * Native code and Node's own count for the file that called them: a socket's write is somebody's.
 */
function createFrameNames({ nodes }: CpuProfile) {
  const parentOf = findParents(nodes)
  const frameOf = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const isForeign = (url: string): boolean => url === '' || url.startsWith('node:')
  return (id: number, { functionName, url, lineNumber }: CallFrame): FrameName => {
    const name = functionName === '' ? '(anonymous)' : functionName
    if (!isForeign(url)) return { function: name, file: placeOf(url), line: lineNumber + 1 }
    let caller = parentOf.get(id)
    while (caller !== undefined && isForeign(frameOf.get(caller)!.url))
      caller = parentOf.get(caller)
    if (caller === undefined) return { function: name, file: placeOf(url), line: 0 }
    return { function: `${name} (native)`, file: placeOf(frameOf.get(caller)!.url), line: 0 }
  }
}

function placeOf(url: string): string {
  if (url === '') return '(native)'
  const path = url.startsWith('file://') ? fileURLToPath(url) : url
  // Dependencies may lie elsewhere, behind a link.
  const dependency = path.lastIndexOf('/node_modules/')
  if (dependency >= 0) return path.slice(dependency + 1)
  return path.startsWith(repositoryFolder) ? path.slice(repositoryFolder.length) : path
}
