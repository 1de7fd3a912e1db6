// Keeps secrets out of log lines, wherever in a line they stand.
//
// In: a finished log line, one JSON object. Out: the same line with secrets replaced. A field is
// secret by its name, at any depth, which pino's list of paths cannot say; a text is secret where
// it holds the credentials of a URL. Working on the finished line leaves no way around it: fields,
// child bindings, message and errors all end here. Lines are rare, so the second pass costs
// nothing.

const SECRET_NAME =
  /passw(or)?d|passphrase|secret|token|api_?key|private_?key|access_?key|credential|authorization|cookie|sasl/i
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi
const REDACTED = '[redacted]'

export function redactLine(line: string): string {
  return `${JSON.stringify(JSON.parse(line, redactField))}\n`
}

function redactField(name: string, value: unknown): unknown {
  if (SECRET_NAME.test(name) && value !== null) return REDACTED
  return typeof value === 'string' ? value.replaceAll(URL_CREDENTIALS, `$1${REDACTED}@`) : value
}
