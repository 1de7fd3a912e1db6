// Every ceiling of the system, each with its reason: memory, batch sizes, queues, retries, times.
//
// Nothing in Weir grows or waits without one of these. What a user should choose per pipeline is in
// the pipeline file instead; docs/reference/limits.md is proved against this table.

const KIB = 1024
const MIB = 1024 * KIB

export const limits = {
  /** Events of all lanes in one shared micro-batch: fewer, larger transactions under backlog. */
  batchEventsMax: 6000,
  /** Queued events that are worth a batch of their own while another one is on its way. */
  batchEventsWorthwhile: 1000,
  /**
   * Input bytes in one shared micro-batch; keeps a transaction far below the broker's request
   * limit.
   */
  batchBytesMax: 2 * MIB,
  /** What one record batch may unpack to, whatever its codec: memory stays bounded. */
  batchUnpackedBytesMax: 64 * MIB,
  /** Records of one fetched batch; kafkajs passes them as arguments, which ends at twice this. */
  batchRecordsMax: 50_000,
  /** Unpacked bytes of a partition's fetch beyond which its other batches wait. */
  fetchUnpackedBytesMax: 16 * MIB,
  /** Bytes of an original in a rejected or late record; length and hash tell the rest. */
  originalBytesMax: 1 * MIB,
  /** Of an original whose rejected record the broker refused as too large: enough to know it by. */
  refusedOriginalBytesMax: 4 * KIB,
  /** Bytes of an original's key that a rejected or late record carries. */
  originalKeyBytesMax: 64 * KIB,
  /** Bytes of a lane's scored events in one batch; the output topics take 8 MiB. */
  recordBatchBytesMax: 7 * MIB,
  /** Rows scored again for the reasons of one batch: about what scoring the batch itself costs. */
  reasonScoresMax: 6000,
  /** Micro-batches between enrich and commit: one commits while the next is enriched and scored. */
  batchesInFlightMax: 2,
  /** Lanes, two per partition number: what a record of a log can name exactly is 2^53 / 2^44. */
  lanesMax: 512,
  /** Events queued per lane before fetching from it pauses; about two fetches. */
  laneQueueEventsMax: 8000,
  /** Bytes queued per lane before fetching from it pauses. */
  laneQueueBytesMax: 8 * MIB,
  /** Ids longer than this are refused: they are keys in Redis and labels of nothing good. */
  idLengthMax: 64,
  /** Characters of any other text of an event: what is behind them is cut off. */
  textLengthMax: 256,
  /**
   * Largest amount in minor units; all kept records of an entity sum exactly in a double (2^53).
   */
  amountMinorMax: 100_000_000_000,
  /** Features in one vector; a wider table is a modelling mistake and a memory one. */
  featuresMax: 256,
  /** Entities in one pipeline; each costs a key, a cache entry and a Redis append per event. */
  entitiesMax: 8,
  /** Challengers beside the champion; each costs one ONNX run per batch. */
  challengersMax: 8,
  /**
   * Records of an entity that exact windows look back on; where older ones would count: saturated.
   */
  entityRecordsMax: 4096,
  /** Newest records that tail windows see one by one; older ones count by tile. */
  entityRecordsNewest: 64,
  /** Records kept where a lane cannot commit: beyond it a log is folded all the same. */
  entityRecordsKeptMax: 24_576,
  /**
   * Records that are left then: the ceiling, and all batches in flight that may be delivered again.
   */
  entityRecordsKeptAfterTrim: 16_384,
  /**
   * Records held at once while lost state is put back: about 400 MiB; with more, topics are read
   * again.
   */
  restoreRowsMax: 4_000_000,
  /** Bytes of decoded entity logs cached per scorer. */
  entityCacheBytesMax: 256 * MIB,
  /**
   * Attempts for one operation against Kafka, Redis or the registry before the lane is given up.
   */
  retryAttemptsMax: 8,
  /** Longest pause between two attempts. */
  retryPauseMsMax: 1000,
  /** A schema id that the registry denies is asked for again for so long: a follower may lag. */
  schemaAbsentMs: 5000,
  /**
   * Ids denied for good within ten minutes; beyond it one denial is enough: forged ids must not
   * cost time.
   */
  schemaAbsentIdsPatientMax: 100,
  /** A Redis command without an answer after this long has failed. */
  redisCommandMsMax: 5000,
  /** A Kafka request without an answer after this long has failed: a connection can fall silent. */
  kafkaRequestMsMax: 10_000,
  /**
   * Requests open and nothing heard for this long: the connection is given up; above a rebalance's
   * 10 s.
   */
  kafkaSilenceMsMax: 15_000,
  /** A connection failed and no broker answered anything for this long: Kafka is away. */
  kafkaAwayMs: 3000,
  /** Longest pause between two attempts to start while something outside is away. */
  startPauseMsMax: 5000,
  /** Connections kept to the inference server; each batch in flight uses one at a time. */
  remoteConnectionsMax: 4,
  /** Requests that fail one after the other before the inference server is left alone. */
  remoteFailuresMax: 3,
  /** Pause before an inference server that is left alone is examined again. */
  remotePauseMs: 5000,
  /** One request of an examination: the first run of a model may be slow. */
  remoteExamineMsMax: 30_000,
  /**
   * Bytes of an inference server's answer; scores of the largest request as JSON take half of it.
   */
  remoteAnswerBytesMax: 8 * MIB,
  /**
   * A transaction that stays open longer is aborted by the broker; held-back readers wait no
   * longer.
   */
  transactionMsMax: 15_000,
  /**
   * Pause before a lane in doubt is claimed again: longer than the heartbeat that tells a zombie
   * so.
   */
  reclaimPauseMs: 1500,
  /** Attempts for one request to the model registry; then the cache serves, or nothing does. */
  modelRegistryAttemptsMax: 4,
  /** A request to the model registry without a whole answer after this long has failed. */
  modelRequestMsMax: 15_000,
  /** A file of a model that is not there or away whole after this long has failed. */
  modelTransferMsMax: 300_000,
  /** A manifest or another answer of the model registry that is longer is refused. */
  modelManifestBytesMax: 8 * MIB,
  /** A file of a model that is longer is refused: each worker holds it in memory. */
  modelFileBytesMax: 1024 * MIB,
  /**
   * A file of a model that is longer fails `weir models validate`, unless --size-max says
   * otherwise.
   */
  modelGateFileBytesMax: 512 * MIB,
  /**
   * A graph on trial that has not answered after this long is stuck; the largest one here takes a
   * second.
   */
  modelTrialMsMax: 120_000,
  /**
   * Loading, warming and checking the models of a roster, downloads included; then it is refused.
   */
  modelLoadMsMax: 300_000,
  /** SIGTERM to exit. */
  drainMsMax: 10_000,
  /** Work waiting but no batch finished for this long: not ready, then exit. */
  watchdogMsMax: 60_000,
} as const
