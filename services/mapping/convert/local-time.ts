// A date, or a date and a time, that has no zone: a reader knows its parts, not its instant.
//
// In: ISO 8601 text without a zone, made by a reader of Avro (local-timestamp, date) or Parquet
// (timestamps not adjusted to UTC). Out: the same; a converter with a declared zone makes it an
// instant. Refuses nothing. Invariant: never read in the machine's zone.

export class LocalTime {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}
