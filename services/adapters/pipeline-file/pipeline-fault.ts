// One fault of a pipeline file: where it is, what was found, what was expected, what to do.
//
// Every check of the loader gives back faults as values and never throws, so that all of them are
// reported together; pipeline-file.ts adds line and column and throws once. Comes in: a path into
// the file (keys and list indexes). Goes out: one line of text per fault. Invariant: a fault names
// both what was found and what was expected.

export type Path = readonly (string | number)[]

export type Fault = {
  readonly path: Path
  /** Whether the fault lies in the key at the end of the path or in its value. */
  readonly at: 'key' | 'value'
  readonly found: string
  readonly expected: string
  readonly hint?: string
}

export type Position = { readonly line: number; readonly column: number }

/** `features[3].op`; the file itself where the path is empty. */
function formatPath(path: Path): string {
  if (path.length === 0) return '(file)'
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

/** The line of a fault without its place in a file. */
export function formatFault(fault: Fault): string {
  const hint = fault.hint === undefined ? '' : `, ${fault.hint}`
  return `${formatPath(fault.path)}  found ${fault.found}, expected ${fault.expected}${hint}`
}

/** A value as a message shows it: short, and with its type where that is the point. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty map' : 'a map'
  if (typeof value === 'string') return quote(value)
  return `the ${typeof value} ${value}`
}

/** A text in quotes, cut at 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

/** "did you mean x", as the spread of a fault; nothing where no name is near. */
export function suggest(nearest: string | null): { readonly hint?: string } {
  return nearest === null ? {} : { hint: `did you mean ${nearest}` }
}
