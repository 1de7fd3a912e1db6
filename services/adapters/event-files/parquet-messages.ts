// What a replay's feature file and the thread that writes it say to each other.

export type FeatureColumns = {
  readonly features: readonly string[]
  /** Empty where nothing is scored; then there is no decision either. */
  readonly scores: readonly string[]
}

/** What the thread is started with. */
export type ThreadStart = { readonly path: string; readonly names: FeatureColumns }

/** One row group as it goes to the thread: columns of `count` rows and room behind them. */
export type RowGroup = {
  transactionIds: string[]
  readonly eventTimesMs: BigInt64Array<ArrayBuffer>
  readonly features: readonly Float32Array<ArrayBuffer>[]
  readonly scores: readonly Float32Array<ArrayBuffer>[]
  /** Indexes into `decisions`. */
  readonly decisions: Uint8Array<ArrayBuffer>
  /** 1 and 0; UNKNOWN where there is no label. */
  readonly isFraud: Uint8Array<ArrayBuffer>
  count: number
}

export const UNKNOWN = 2

/** 30 features make 8 MB of it; large enough to compress well and to read fast. */
export const rowGroupSize = 65_536
