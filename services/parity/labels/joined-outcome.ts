// A scored event beside the message that it came from.

import type { ScoredTransactionRecord } from '../../pipeline/publish/output-records.ts'
import type { Received } from '../topics/received-lanes.ts'

export type JoinedOutcome = Received & { readonly record: ScoredTransactionRecord }
