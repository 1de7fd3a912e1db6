// Where the fields of CSV records stand in a text (RFC 4180).
//
//   1,"a ""b"", c",x⏎      fields [0,1) [3,14) [16,17), the second with doubled quotes
//
// In: text that grows chunk by chunk, a dialect. Out: record after record, as places in the text;
// a record that the text does not have to its end is left for the next chunk. Empty lines are no
// records. A quote inside a field that does not begin with one is a character like any other;
// text behind a closing quote is a fault of its record. Invariants: each character is looked at
// a few times at most, by indexOf; nothing is cut out that is not asked for.

export type CsvMarks = {
  readonly delimiter: string
  /** One character, or empty where nothing is quoted. */
  readonly quote: string
  /** CR only in files that have no LF; a CR before an LF belongs to the line break. */
  readonly lineBreak: '\n' | '\r'
}

export class CsvScanner {
  readonly #marks: CsvMarks
  readonly #quoteCode: number
  #text = ''
  #position = 0
  #start = 0
  /** Next places of both from where they were last looked for, or the text's length. */
  #nextDelimiter = -1
  #nextBreak = -1
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  readonly #isDoubled: boolean[] = []
  fieldCount = 0
  /** Whether text stands behind a closing quote of the record. */
  isTorn = false

  constructor(marks: CsvMarks) {
    this.#marks = marks
    this.#quoteCode = marks.quote === '' ? -1 : marks.quote.charCodeAt(0)
  }

  /** What was not read yet, with more behind it. */
  add(chunk: string): void {
    this.#text = this.#text.slice(this.#position) + chunk
    this.#goTo(0)
  }

  get restLength(): number {
    return this.#text.length - this.#position
  }

  /**
   * Goes on to the next record; false where the text has no whole one.
   *
   * @param isLast the text ends here, and its last record with it.
   */
  next(isLast: boolean): boolean {
    const start = this.#skipEmptyLines(isLast)
    this.isTorn = false
    this.fieldCount = 0
    if (start === this.#text.length) return false
    this.#start = start
    let at = start
    for (;;) {
      const after = this.#readField(at, isLast)
      if (after === -1) return false
      this.fieldCount++
      if (after === this.#nextBreak) {
        this.#position = Math.min(after + 1, this.#text.length)
        return true
      }
      at = after + this.#marks.delimiter.length
    }
  }

  /** As next, but the record will be read again. */
  peek(isLast: boolean): boolean {
    const isThere = this.next(isLast)
    if (isThere) this.#goTo(this.#start)
    return isThere
  }

  field(index: number): string {
    const text = this.#text.slice(this.#starts[index]!, this.#ends[index]!)
    const { quote } = this.#marks
    return this.#isDoubled[index] ? text.replaceAll(quote + quote, quote) : text
  }

  isEmpty(index: number): boolean {
    return this.#starts[index] === this.#ends[index]
  }

  /** The place of the delimiter or line break behind the field; -1 where the text goes on. */
  #readField(at: number, isLast: boolean): number {
    this.#isDoubled[this.fieldCount] = false
    if (this.#text.charCodeAt(at) === this.#quoteCode) return this.#readQuoted(at, isLast)
    const after = this.#findEnd(at, isLast)
    if (after === -1) return -1
    this.#starts[this.fieldCount] = at
    this.#ends[this.fieldCount] = after === this.#nextBreak ? this.#withoutCr(at, after) : after
    return after
  }

  #readQuoted(at: number, isLast: boolean): number {
    const close = this.#findClose(at + 1, isLast)
    if (close === -1) return -1
    const after = this.#findEnd(close + 1, isLast)
    if (after === -1) return -1
    this.#starts[this.fieldCount] = at + 1
    this.#ends[this.fieldCount] = close
    const end = after === this.#nextBreak ? this.#withoutCr(close + 1, after) : after
    if (end !== close + 1) this.isTorn = true
    return after
  }

  #findClose(from: number, isLast: boolean): number {
    const text = this.#text
    const { quote } = this.#marks
    let close = text.indexOf(quote, from)
    while (close !== -1 && text.charCodeAt(close + 1) === this.#quoteCode) {
      this.#isDoubled[this.fieldCount] = true
      close = text.indexOf(quote, close + 2)
    }
    // A quote at the end of the text may be the first of two.
    return close === text.length - 1 && !isLast ? -1 : close
  }

  #findEnd(from: number, isLast: boolean): number {
    const text = this.#text
    if (this.#nextBreak < from) this.#nextBreak = placeOf(text, this.#marks.lineBreak, from)
    if (this.#nextBreak === text.length && !isLast) return -1
    if (this.#nextDelimiter < from) this.#nextDelimiter = placeOf(text, this.#marks.delimiter, from)
    return Math.min(this.#nextDelimiter, this.#nextBreak)
  }

  #withoutCr(from: number, end: number): number {
    return end > from && this.#text.charCodeAt(end - 1) === carriageReturn ? end - 1 : end
  }

  #skipEmptyLines(isLast: boolean): number {
    const text = this.#text
    for (;;) {
      const code = text.charCodeAt(this.#position)
      if (code === lineFeed) this.#position++
      else if (code === carriageReturn && this.#isBreakBehind(isLast)) this.#position++
      else return this.#position
    }
  }

  #goTo(position: number): void {
    this.#position = position
    this.#nextDelimiter = -1
    this.#nextBreak = -1
  }

  #isBreakBehind(isLast: boolean): boolean {
    const behind = this.#position + 1
    if (this.#marks.lineBreak === '\r') return true
    return this.#text.charCodeAt(behind) === lineFeed || (isLast && behind === this.#text.length)
  }
}

const lineFeed = 10
const carriageReturn = 13

const placeOf = (text: string, mark: string, from: number): number => {
  const place = text.indexOf(mark, from)
  return place === -1 ? text.length : place
}
