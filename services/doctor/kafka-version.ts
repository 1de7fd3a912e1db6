// Which Kafka a broker is, as far as it tells: from the requests that it takes.
//
// In: the highest version of each request. Out: the release that brought it, or null where none of
// the marks fits. Compatible servers of other makers answer as the release whose protocol they
// speak. Invariant: the newest mark that is there decides.

type Mark = { readonly release: string; readonly request: number; readonly version: number }

const PRODUCE = 0
const FETCH = 1
const LIST_OFFSETS = 2
const JOIN_GROUP = 11
const ADD_PARTITIONS = 24
const DESCRIBE_ACLS = 29

/** Newest first: a request's version that no earlier release knew. */
const marks: readonly Mark[] = [
  { release: '4.1', request: PRODUCE, version: 13 },
  { release: '4.0', request: PRODUCE, version: 12 },
  { release: '3.9', request: FETCH, version: 17 },
  { release: '3.8', request: PRODUCE, version: 11 },
  { release: '3.7', request: FETCH, version: 16 },
  { release: '3.6', request: ADD_PARTITIONS, version: 4 },
  { release: '3.5', request: FETCH, version: 15 },
  { release: '3.3', request: DESCRIBE_ACLS, version: 3 },
  { release: '3.2', request: JOIN_GROUP, version: 9 },
  { release: '3.1', request: FETCH, version: 13 },
  { release: '3.0', request: LIST_OFFSETS, version: 7 },
  { release: '2.8', request: PRODUCE, version: 9 },
  { release: '2.7', request: FETCH, version: 12 },
  { release: '2.5', request: JOIN_GROUP, version: 7 },
  { release: '2.4', request: PRODUCE, version: 8 },
  { release: '2.3', request: FETCH, version: 11 },
  { release: '2.1', request: FETCH, version: 10 },
]

/** What a transaction is made of. */
const neededRequests = {
  InitProducerId: 22,
  AddPartitionsToTxn: ADD_PARTITIONS,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const

type RequestVersions = ReadonlyMap<number, number>

/** A later release is told as the newest one that is known here. */
export function kafkaRelease(requests: RequestVersions): string | null {
  const mark = marks.find(({ request, version }) => (requests.get(request) ?? -1) >= version)
  return mark?.release ?? null
}

export const missingRequests = (requests: RequestVersions): readonly string[] =>
  Object.entries(neededRequests)
    .filter(([, request]) => !requests.has(request))
    .map(([name]) => name)
