// What a rule about one feature looks at, and what it gives back.
//
// Comes in: a feature as written, and what it may refer to. Goes out: a fault whose path is that of
// the feature, so that a rule only names the key (and the index in its list); or null. Rules are
// values in tables: window-rules.ts for windows, feature-rules.ts for all others.

import type { FeatureEntry } from './feature-table.ts'
import type { KnownFields } from './known-fields.ts'
import type { Fault } from './pipeline-fault.ts'

export type FeatureContext = {
  readonly entries: readonly FeatureEntry[]
  /**
   * Key fields by entity (null = the entity itself has faults); null where there are no entities.
   */
  readonly entities: ReadonlyMap<string, readonly string[] | null> | null
  readonly transactionFields: KnownFields
  readonly labelFields: KnownFields
  readonly hasLabels: boolean
  /** Labels take their entities' keys from the transaction. */
  readonly isLookup: boolean
}

export type Found = Omit<Fault, 'path' | 'at'> & {
  readonly key: string
  /** Place in the list under the key. */
  readonly index?: number
  readonly at?: 'key'
}

export type Rule<Entry> = (entry: Entry, context: FeatureContext) => Found | null
