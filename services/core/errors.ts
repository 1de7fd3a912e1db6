// The one table of codes, and the one error class.
//
// Three kinds of trouble, three treatments. Bad data is a value (a Rejection that carries one of
// these codes) and is never thrown. Trouble outside is thrown by an adapter as a WeirError and may
// be retried. Our own mistake is an assertion: it ends the process, and the restart resumes from
// the last commit. Codes are few, because they serve as metric labels; the reference page
// docs/reference/errors.md is proved against this table.

type ErrorKind = 'bad_data' | 'outside' | 'ours'

export type ErrorEntry = {
  readonly kind: ErrorKind
  readonly sentence: string
  readonly canRetry: boolean
  readonly action: string
  /** What a program ends with that this stops: 2 = a restart does not help. */
  readonly exitCode: 1 | 2
}

const badData = (sentence: string, action: string): ErrorEntry => ({
  kind: 'bad_data',
  sentence,
  canRetry: false,
  action,
  exitCode: 1,
})

/** @param exitCode 2 where somebody has to change something before a start can go well. */
const outside = (
  ...[sentence, canRetry, action, exitCode = 1]: [string, boolean, string, (1 | 2)?]
): ErrorEntry => ({ kind: 'outside', sentence, canRetry, action, exitCode })

const ours = (sentence: string, action: string): ErrorEntry => ({
  kind: 'ours',
  sentence,
  canRetry: false,
  action,
  exitCode: 1,
})

const askProducer = 'Show the rejected event to the team that produces the topic.'

export const errorTable = {
  WEIR_DECODE_EMPTY: badData('The message has no value.', askProducer),
  WEIR_DECODE_NOT_AVRO: badData(
    'The value is not Avro in the Confluent wire format (magic byte 0, 4-byte schema id).',
    askProducer,
  ),
  WEIR_DECODE_GUID_PREFIX: badData(
    'The value uses the 16-byte schema GUID prefix (magic byte 1), which is not supported.',
    'Configure the producer to write schema ids, not GUIDs.',
  ),
  WEIR_DECODE_UNKNOWN_SCHEMA: badData(
    'The registry does not know the schema id in the value.',
    'Check that producer and scorer use the same registry.',
  ),
  WEIR_DECODE_BAD_BODY: badData(
    'The body does not decode with its schema, or bytes are left over.',
    askProducer,
  ),
  WEIR_DECODE_FIELD: badData(
    'A field of the mapping is missing, or is not what the pipeline file says it is.',
    'Compare the detail with input.transactions.fields (or labels) of the pipeline file; `absent` gives a missing field a value.',
  ),
  WEIR_DECODE_NO_TRANSACTION: badData(
    'A label names a transaction that is not there, or too long ago.',
    'Give the transactions that the labels are about; a label beyond every window changes nothing.',
  ),
  WEIR_DECODE_SKIPPED: badData(
    'Not picked by `where`, or a label without a verdict: counted, and published nowhere.',
    'Nothing, where that is meant; else look at `where` and `yes`, `no` in the input section.',
  ),
  WEIR_DECODE_ROW: badData(
    'A line of a file cannot be taken apart.',
    'Mend the line, or write the file anew with a tool that knows the format.',
  ),
  WEIR_DECODE_BATCH_UNREADABLE: badData(
    'A whole record batch cannot be unpacked or taken apart; the record holds its first 1 MiB.',
    "Check the producer's compression and batch.size against the detail; its events must be sent again.",
  ),
  WEIR_VALIDATE_ID: badData('A required id is empty or longer than the limit.', askProducer),
  WEIR_VALIDATE_AMOUNT: badData('The amount is negative or above the limit.', askProducer),
  WEIR_VALIDATE_CURRENCY: badData('The currency is not an ISO 4217 code.', askProducer),
  WEIR_VALIDATE_TOO_OLD: badData(
    'The event time is older than the pipeline accepts (validate.ageMax).',
    'Replay history with `weir replay`, or raise validate.ageMax in the pipeline file.',
  ),
  WEIR_VALIDATE_FUTURE: badData(
    "The event time is ahead of the broker's clock by more than validate.futureMax.",
    "Check the producer's clock.",
  ),
  WEIR_ENRICH_LATE: badData(
    'The event is later than late.allowed and the pipeline diverts such events.',
    'Look for a stalled producer; raise late.allowed or choose `then: score_only`.',
  ),
  WEIR_ENRICH_FENCED: outside(
    'Another scorer has claimed this lane.',
    false,
    'Nothing: the lane stops here and goes on at its new owner.',
  ),
  WEIR_ENRICH_STORE_UNSURE: outside(
    'The store may lack what was applied: its server is new, was emptied, or fell back.',
    true,
    'Nothing: lanes say what they committed, and what is missing is put back from the topics.',
  ),
  WEIR_ENRICH_STATE_LOST: outside(
    'The store has lost state that the topics cannot give back.',
    false,
    'Follow the detail; `weir rebuild --accept-short` goes on with what the topics still have.',
    2,
  ),
  WEIR_ENRICH_STORE_AWAY: outside(
    'The feature store did not answer.',
    true,
    'Check Redis; lanes wait, and Kafka holds the data.',
  ),
  WEIR_ENRICH_STORE_FULL: outside(
    'The feature store is at its maxmemory and does not let logs grow.',
    true,
    'Raise maxmemory, or move to a larger server; lanes wait, and Kafka holds the data.',
  ),
  WEIR_ENRICH_STORE_FOREIGN: outside(
    'The feature store holds a key that this version did not write, or failed in a function.',
    false,
    'Look at the key in the detail: give this pipeline a WEIR_KEY_PREFIX of its own, or remove the key.',
    2,
  ),
  WEIR_ENRICH_STORE_UNFIT: outside(
    'The feature store is set up in a way that loses state.',
    false,
    'Change the Redis setting in the detail; docs/operating/redis.md has them all.',
    2,
  ),
  WEIR_CLASSIFY_MODEL_REFUSED: outside(
    'The model was refused: files, hash, feature set or golden scores do not match its manifest.',
    false,
    'Publish the model again with the manifest that training wrote.',
    2,
  ),
  WEIR_CLASSIFY_EXTERNAL_DATA: outside(
    'The graph keeps tensors in other files, which no hash and no signature covers.',
    false,
    'Export the model into one file (external data off), write its manifest anew and publish it.',
    2,
  ),
  WEIR_CLASSIFY_SIGNATURE_REFUSED: outside(
    'The model is not signed by a key that is trusted here, or was changed after it was signed.',
    false,
    'Have its owner sign it (`weir models sign`) and publish it; never widen the keys in a hurry.',
    2,
  ),
  WEIR_CLASSIFY_REGISTRY_AWAY: outside(
    'The model registry did not answer, and the model is not in the cache.',
    true,
    'Check the server, WEIR_MLFLOW_URL and WEIR_MLFLOW_CA; models that were fetched once start without it.',
  ),
  WEIR_CLASSIFY_REGISTRY_REFUSED: outside(
    'The model registry does not have the model, or does not give it.',
    false,
    'Check name, version or alias in the pipeline file, and the WEIR_MLFLOW_ credentials.',
    2,
  ),
  WEIR_CLASSIFY_PROVIDER_REFUSED: outside(
    'The required execution provider did not run the model.',
    false,
    'Install the provider, or set execution.require to false in the pipeline file.',
    2,
  ),
  WEIR_CLASSIFY_BAD_SCORE: badData(
    'The champion gave no probability for the event: NaN, or a number outside 0 to 1.',
    'Look at the features in the record; mend the model or roll it back, and decide on the event by hand.',
  ),
  WEIR_CLASSIFY_RUN_FAILED: outside(
    'ONNX Runtime failed while scoring a batch.',
    true,
    'See the log for the runtime message; roll back to the previous model.',
  ),
  WEIR_CLASSIFY_REMOTE_AWAY: outside(
    'The inference server did not answer a request.',
    true,
    'Check the server and WEIR_INFERENCE_URL; meanwhile the local model scores, marked degraded.',
  ),
  WEIR_CLASSIFY_REMOTE_WRONG: outside(
    "The inference server's answer is not that of this model.",
    true,
    'Deploy the version that the manifest describes; meanwhile the local model scores, marked degraded.',
    2,
  ),
  WEIR_PUBLISH_TOO_LARGE: badData(
    'The broker refuses what was made of the event as too large for an output topic.',
    "Raise max.message.bytes of the output topics to the plan (`weir topics check`); the event's state is kept.",
  ),
  WEIR_PUBLISH_IN_DOUBT: outside(
    'The outcome of a Kafka transaction is unknown.',
    true,
    'Nothing: the producer is made anew and the lane resumes from the committed offset.',
  ),
  WEIR_KAFKA_AWAY: outside(
    'Kafka did not answer.',
    true,
    'Check the brokers and WEIR_KAFKA_BROKERS.',
  ),
  WEIR_KAFKA_OFFSET_OUT_OF_RANGE: outside(
    'The committed offset is no longer in the topic: events expired before they were scored.',
    false,
    'Raise retention.ms of the topic; decide about the lost events, then reset the group.',
    2,
  ),
  WEIR_KAFKA_OFFSETS_GONE: outside(
    "The group's committed offset is gone or was moved back: the store remembers a later one.",
    false,
    'Set the group to the offset in the detail (kafka-consumer-groups --reset-offsets), or choose ' +
      'another WEIR_KEY_PREFIX to score everything again; offsets.retention.minutes was too short.',
    2,
  ),
  WEIR_REGISTRY_AWAY: outside(
    'The schema registry did not answer.',
    true,
    'Check the registry and WEIR_REGISTRY_URL; schema ids already known keep working.',
  ),
  WEIR_REGISTRY_BEHIND: outside(
    'The schema registry denies a schema id that it may learn in a moment.',
    true,
    'Nothing at first: it is asked again, and a follower catches up. If it stays, check which node answers.',
  ),
  WEIR_REGISTRY_INCOMPATIBLE: outside(
    'A schema cannot follow the one that is registered.',
    false,
    'Change the schema compatibly, as the reason says; `weir topics apply` that says so has changed nothing.',
    2,
  ),
  WEIR_ROSTER_REFUSED: outside(
    'The change of the roster is refused; nothing was changed.',
    false,
    'Follow the detail; `weir models list` shows the roster in force.',
    2,
  ),
  WEIR_ROSTER_CONFLICT: outside(
    'Somebody else changed the roster, or is changing it; nothing was changed by this command.',
    false,
    'Look at `weir models history`, then decide again.',
  ),
  WEIR_ROSTER_IN_DOUBT: outside(
    'Whether the change of the roster was made is unknown.',
    false,
    'Look at `weir models history` before the change is made again.',
  ),
  WEIR_ROSTER_UNREADABLE: outside(
    'A record of the roster cannot be read, or not be written so that scorers read it.',
    false,
    'Use the version of Weir that wrote it; after a first change with the registry, it may be away.',
  ),
  WEIR_TOPICS_DIFFER: outside(
    'A topic differs from the plan in a way that is not changed by itself.',
    false,
    'Follow the detail, then run `weir topics apply` again; `--dry-run` shows what it would do.',
    2,
  ),
  WEIR_ENVIRONMENT_UNFIT: outside(
    'The place is set up in a way that loses events or stops them.',
    false,
    'Change the settings in the detail; `weir doctor` shows all.',
    2,
  ),
  WEIR_PIPELINE_INVALID: outside(
    'The pipeline file has faults.',
    false,
    'Mend the lines that are listed.',
    2,
  ),
  WEIR_SETTINGS_INVALID: outside(
    'A setting in the environment or on the command line is wrong.',
    false,
    'Mend the settings that are listed; docs/reference/settings.md has them all.',
    2,
  ),
  WEIR_FILE_INVALID: outside(
    'An input file cannot be read as transactions or labels.',
    false,
    'Mend the file, or the input section of the pipeline file.',
    2,
  ),
  WEIR_INTERNAL_CONSERVATION: ours(
    'passed + rejected + diverted differs from received.',
    'Report it with the log: this is a defect in Weir.',
  ),
  WEIR_INTERNAL_INVARIANT: ours(
    'An invariant of the code does not hold.',
    'Report it with the log: this is a defect in Weir.',
  ),
  WEIR_LANE_POISON: badData(
    'Every batch with this event failed, down to the event alone.',
    'Read the code in the detail; the original is in the record, and the lane went on.',
  ),
  WEIR_LANE_LIMIT: outside(
    'A topic has more partitions than a record of the logs can name.',
    false,
    'Use fewer partitions; more scorers do not need more than one partition each.',
    2,
  ),
  WEIR_LANE_STUCK: ours(
    'A lane has work but finished no batch within the watchdog time.',
    'The process ends and is started again; report it if it comes back.',
  ),
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorTable

/** A code whose kind is bad data: the only ones that a Rejection may carry. */
export type RejectionCode = Extract<
  ErrorCode,
  | `WEIR_DECODE_${string}`
  | `WEIR_VALIDATE_${string}`
  | 'WEIR_ENRICH_LATE'
  | 'WEIR_CLASSIFY_BAD_SCORE'
  | 'WEIR_PUBLISH_TOO_LARGE'
  | 'WEIR_LANE_POISON'
>

export class WeirError extends Error {
  readonly code: ErrorCode
  readonly canRetry: boolean

  /** @param detail the found value, the expected value and the setting to change; no card data. */
  constructor(code: ErrorCode, detail: string, options: { cause?: unknown } = {}) {
    super(`${code}: ${errorTable[code].sentence} ${detail}`.trim(), options)
    this.name = 'WeirError'
    this.code = code
    this.canRetry = errorTable[code].canRetry
  }
}

/** Asserts our own invariants; what fails here is a defect of Weir and ends the process. */
export function assertInvariant(holds: boolean, detail: string): asserts holds {
  if (!holds) throw new WeirError('WEIR_INTERNAL_INVARIANT', detail)
}
