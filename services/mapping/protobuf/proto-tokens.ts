// The words of a .proto text, one after another.
//
// In: text of proto2, proto3 or an edition. Out: names, numbers, quoted texts and single signs,
// without comments. Refused (thrown): signs that the language has not, and a word that is not the
// one expected. Invariant: every question about the next word also says where the text ends.

const word =
  /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*(?:("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\.?\d[\w.]*|\w+|[{}[\]()<>=;:,.+\-/])|$)/y

export class ProtoTokens {
  readonly #words: readonly string[]
  #at = 0

  constructor(text: string) {
    this.#words = splitWords(text)
  }

  /** '' at the end. */
  peek(ahead = 0): string {
    return this.#words[this.#at + ahead] ?? ''
  }

  take(): string {
    const next = this.#words[this.#at++]
    if (next === undefined) throw new Error('the .proto text ends too early')
    return next
  }

  /** Takes the next word if it is this one. */
  takeIf(expected: string): boolean {
    if (this.peek() !== expected) return false
    this.#at++
    return true
  }

  expect(expected: string): void {
    const found = this.take()
    if (found !== expected) throw new Error(`found "${found}", expected "${expected}"`)
  }

  takeName(): string {
    const name = this.take()
    if (!/^[A-Za-z_]/.test(name)) throw new Error(`found "${name}", expected a name`)
    return name
  }

  /** `a.b.C` or `.a.b.C`. */
  takeDottedName(): string {
    let name = this.takeIf('.') ? '.' : ''
    name += this.takeName()
    while (this.takeIf('.')) name += `.${this.takeName()}`
    return name
  }

  takeInteger(): number {
    const sign = this.takeIf('-') ? -1 : 1
    const digits = this.take()
    const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)
    if (!Number.isInteger(value)) throw new Error(`found "${digits}", expected a whole number`)
    return sign * value
  }

  takeQuoted(): string {
    const quoted = this.take()
    if (!/^["']/.test(quoted)) throw new Error(`found "${quoted}", expected a quoted text`)
    return quoted.slice(1, -1)
  }

  /** To the end of a statement: its `;`, or the `}` of its block. */
  skipStatement(): void {
    for (let depth = 0; ; ) {
      const next = this.take()
      if (next === '{' || next === '[') depth++
      if (next === '}' || next === ']') depth--
      if (depth < 0) throw new Error(`found "${next}" that nothing opened`)
      if (depth === 0 && next === ';') return
    }
  }

  /** Up to and with the block that comes next. */
  skipBlock(): void {
    while (this.peek() !== '{') this.take()
    this.skipBraces()
  }

  skipBraces(): void {
    let depth = 0
    do {
      const next = this.take()
      if (next === '{') depth++
      if (next === '}') depth--
    } while (depth > 0)
  }
}

function splitWords(text: string): string[] {
  const words: string[] = []
  word.lastIndex = text.startsWith('\ufeff') ? 1 : 0
  while (word.lastIndex < text.length) {
    const match = word.exec(text)
    if (match === null) throw new Error('the .proto text has signs that do not belong there')
    if (match[1] !== undefined) words.push(match[1])
  }
  return words
}
