// The shape of a pipeline's own events, as its file declares it: one mapping for every source.
//
//   message or row ─path─► raw value ─type─► field of the event ─► features, rules, outputs
//
// In: nothing; types only, and the words of the pipeline file. `transactionId` and `eventTime` are
// the two fields that every pipeline has; all others are the user's. Invariant: a field's value is
// a text, a number that is exact, true or false, or null where it is absent; nothing else reaches
// a stage.

/** null = absent. Times are ms since the epoch, money is whole minor units of its currency. */
export type FieldValue = string | number | boolean | null

/** One step into a raw value. `json` reads the text that stands there as JSON. */
export type PathStep =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'json' }

/** Where a field's raw value is found. */
export type FieldSource =
  | { readonly from: 'value'; readonly path: readonly PathStep[] }
  | { readonly from: 'key' }
  | { readonly from: 'header'; readonly name: string }
  | { readonly from: 'brokerTime' | 'partition' | 'offset' }
  /** An id for events without one: where the message stands, or what some fields hold. */
  | { readonly from: 'position' }
  | { readonly from: 'hash'; readonly fields: readonly string[] }
  /** CEL over the fields that stand before it (services/expressions). */
  | { readonly from: 'expression'; readonly text: string }

export const timeUnits = ['s', 'ms', 'us', 'ns'] as const
export type TimeUnit = (typeof timeUnits)[number]

/**
 * How a time is written where the source's own type does not say (timestamps of Avro and Parquet
 * say it themselves). `zone` is an IANA name for times without a zone of their own; null = such
 * times are refused, never read in the machine's zone.
 */
export type TimeFormat =
  | { readonly format: 'iso'; readonly zone: string | null }
  | { readonly format: 'epoch'; readonly unit: TimeUnit }
  /** Of the letters y M d H h m s S a Z X and quoted text, as in Java's DateTimeFormatter. */
  | { readonly format: 'pattern'; readonly pattern: string; readonly zone: string | null }
  /** `step` times a duration, from an origin. */
  | { readonly format: 'step'; readonly stepMs: number; readonly originMs: number }

export type FieldType =
  /** Text, or a whole number, whose digits are kept; empty text and NaN are absent. */
  | { readonly kind: 'text' }
  /** A whole number that a double holds exactly. */
  | { readonly kind: 'integer' }
  | { readonly kind: 'number' }
  | {
      readonly kind: 'flag'
      /** Values that mean true and false, as text; all else is absent. */
      readonly yes: readonly string[]
      readonly no: readonly string[]
    }
  | ({ readonly kind: 'time' } & TimeFormat)
  | {
      readonly kind: 'money'
      /** `minor`: whole minor units as they are; `major`: decimal, by the currency's exponent. */
      readonly unit: 'minor' | 'major'
      /** ISO 4217 code of all amounts, or the field that has each one's. */
      readonly currency: { readonly code: string } | { readonly field: string }
      readonly canBeNegative: boolean
    }
  /** ISO 4217, alphabetic (any case) or numeric; the value is the alphabetic code in capitals. */
  | { readonly kind: 'currency' }

export type FieldDefinition = {
  readonly name: string
  readonly source: FieldSource
  readonly type: FieldType
  /** An event without it is rejected; a field with `absent` is never required. */
  readonly isRequired: boolean
  /** The value where the source has none. */
  readonly absent: FieldValue
}

/** How the messages of a topic are written; files tell by their names. */
export type MessageFormat = 'avro' | 'json' | 'json_schema' | 'protobuf'

/** How CSV files are written, as far as they do not tell themselves. */
export type CsvDialect = {
  /** Guessed where it is not said. */
  readonly delimiter?: string
  /** `"` where it is not said; empty where nothing is quoted. */
  readonly quote?: string
  /**
   * true (the default): the first record has the names. false: the columns are called column1,
   * column2 and so on. Names: those of the columns of a file without a header.
   */
  readonly header?: boolean | readonly string[]
  /** Of files without a byte order mark; UTF-8 where it is not said. */
  readonly encoding?: 'utf-8' | 'latin1' | 'utf-16le'
}

export type InputMapping = {
  readonly format: MessageFormat
  /** File with the writer's schema, for topics without a registry; null = ids of a registry. */
  readonly schemaFile: string | null
  readonly csv: CsvDialect
  /** The pipeline file names the fields: they are not those of the shipped schemas. */
  readonly isDeclared: boolean
  readonly fields: readonly FieldDefinition[]
  /** CEL: which messages count; the others are skipped. null = all. */
  readonly where: string | null
}

export type LabelMapping = InputMapping & {
  /** Time and keys of the transaction are looked up by its id: the labels do not have them. */
  readonly isLookup: boolean
  /**
   * Labels stand in the transactions' own files and become known so long after the event, ms; null
   * =
   * labels come by themselves.
   */
  readonly delayMs: number | null
}

/** The field that sums of money are told of: the first of its kind; null where there is none. */
export const moneyFieldOf = ({ fields }: InputMapping): FieldDefinition | null =>
  fields.find(({ type }) => type.kind === 'money') ?? null

/**
 * Name of the field that has the currency of that money; null where all has one, or there is none.
 */
export function currencyFieldOf(mapping: InputMapping): string | null {
  const money = moneyFieldOf(mapping)
  if (money?.type.kind !== 'money') return null
  const { currency } = money.type
  return 'field' in currency ? currency.field : null
}

/** Of a message, as kafkajs gives them: a name that comes twice has a list. */
export type MessageHeaders = Readonly<
  Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>
>
