// What an Avro value means: logical types, and the names that Kafka Connect and Debezium write.
//
// In: a schema's own attributes beside its base type. Out: a function from the base's value to a
// raw value, or null where the base's value is meant as it is. As in Java, a logical type that does
// not fit its base (a decimal without a scale that makes sense, a date on a string) is ignored, and
// so are names that nobody here knows.

import {
  decimalOf,
  instantOf,
  localDateOf,
  localTimeOf,
  msOf,
  uuidText,
  type Whole,
} from '../source-times.ts'

export type Convert = (value: never) => unknown

const microsPerMs = 1000
const nanosPerMs = 1_000_000
const scaleMax = 10_000

const toInstant = (perMs: number) => (value: Whole) => instantOf(value, perMs)
const toLocalTime = (perMs: number) => (value: Whole) => localTimeOf(value, perMs)
const toMidnightMs = (perMs: number) => (value: Whole) => msOf(value, perMs)

/** `<base>:<name>`; the name is a logicalType or a connect.name. */
const conversions: Readonly<Record<string, Convert>> = {
  'long:timestamp-millis': toInstant(1),
  'long:timestamp-micros': toInstant(microsPerMs),
  'long:timestamp-nanos': toInstant(nanosPerMs),
  'long:local-timestamp-millis': toLocalTime(1),
  'long:local-timestamp-micros': toLocalTime(microsPerMs),
  'long:local-timestamp-nanos': toLocalTime(nanosPerMs),
  'int:date': localDateOf,
  'int:time-millis': toMidnightMs(1),
  'long:time-micros': toMidnightMs(microsPerMs),
  'fixed:uuid': uuidText,
  'long:org.apache.kafka.connect.data.Timestamp': toInstant(1),
  'int:org.apache.kafka.connect.data.Date': localDateOf,
  'int:org.apache.kafka.connect.data.Time': toMidnightMs(1),
  'long:io.debezium.time.Timestamp': toInstant(1),
  'long:io.debezium.time.MicroTimestamp': toInstant(microsPerMs),
  'long:io.debezium.time.NanoTimestamp': toInstant(nanosPerMs),
  'int:io.debezium.time.Date': localDateOf,
  'int:io.debezium.time.Time': toMidnightMs(1),
  'long:io.debezium.time.MicroTime': toMidnightMs(microsPerMs),
  'long:io.debezium.time.NanoTime': toMidnightMs(nanosPerMs),
}

type Attributes = Readonly<Record<string, unknown>>

/** `size` is a fixed's. */
export function conversionOf(base: string, attributes: Attributes, size = 16): Convert | null {
  const names = [attributes.logicalType, attributes['connect.name']]
  for (const name of names) {
    if (typeof name !== 'string') continue
    // Iceberg has no local timestamps, but this.
    const isLocal = attributes['adjust-to-utc'] === false && name.startsWith('timestamp-')
    const key = `${base}:${isLocal ? `local-${name}` : name}`
    if (isDecimal(base, name)) return decimalConversion(attributes)
    if (!Object.hasOwn(conversions, key) || (key === 'fixed:uuid' && size !== 16)) continue
    return conversions[key]!
  }
  return null
}

const isDecimal = (base: string, name: string): boolean =>
  (base === 'bytes' || base === 'fixed') &&
  (name === 'decimal' || name === 'org.apache.kafka.connect.data.Decimal')

/** Connect writes the scale twice, as a text among its parameters too. */
function decimalConversion(attributes: Attributes): Convert | null {
  const parameters = attributes['connect.parameters'] as Attributes | null | undefined
  const scale = Number(attributes.scale ?? parameters?.scale ?? 0)
  if (!Number.isInteger(scale) || Math.abs(scale) > scaleMax) return null
  return (bytes: Buffer) => decimalOf(bytes, scale)
}
