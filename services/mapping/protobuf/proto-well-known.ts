// Messages that every registry and every protoc knows without being told, and what they mean.
//
// In: nothing, and later fields of such a message by name. Out: their definitions as .proto text
// (packages follow each other in one text), and raw values: a moment, an exact decimal, what a
// wrapper wraps. Invariant: fields have the numbers of Google's and Confluent's own files.

import { type ExactDecimal, Instant, LocalTime } from '../../core/raw-values.ts'
import { decimalOf } from '../source-times.ts'

const wrapped = {
  ...{ DoubleValue: 'double', FloatValue: 'float', Int64Value: 'int64', UInt64Value: 'uint64' },
  ...{ Int32Value: 'int32', UInt32Value: 'uint32', BoolValue: 'bool', StringValue: 'string' },
  BytesValue: 'bytes',
} as const

export const wellKnownProtos = `
syntax = "proto3";
package google.protobuf;
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
message Empty {}
message Any { string type_url = 1; bytes value = 2; }
message FieldMask { repeated string paths = 1; }
message Struct { map<string, Value> fields = 1; }
message ListValue { repeated Value values = 1; }
enum NullValue { NULL_VALUE = 0; }
message Value { oneof kind { NullValue null_value = 1; double number_value = 2;
  string string_value = 3; bool bool_value = 4; Struct struct_value = 5; ListValue list_value = 6; } }
${Object.entries(wrapped)
  .map(([name, type]) => `message ${name} { ${type} value = 1; }`)
  .join('\n')}
package google.type;
message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }
message Decimal { string value = 1; }
message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
message LatLng { double latitude = 1; double longitude = 2; }
package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
`

type Parts = Readonly<Record<string, unknown>>
const nanosPerMs = 1_000_000

function momentOf({ seconds, nanos }: Parts): Instant {
  return new Instant(Number(seconds) * 1000 + Math.floor(Number(nanos) / nanosPerMs))
}

/** A year, month or day of 0 means that it does not count: such a date is no day. */
function dayOf(parts: Parts): unknown {
  const { year, month, day } = parts as Record<string, number>
  if (!(year! > 0 && year! <= 9999 && month! > 0 && day! > 0)) return parts
  const pad = (value: number, size: number): string => String(value).padStart(size, '0')
  return new LocalTime(`${pad(year!, 4)}-${pad(month!, 2)}-${pad(day!, 2)}`)
}

function decimalOfParts({ value, scale }: Parts): ExactDecimal {
  return decimalOf(value as Buffer, scale as number)
}

/** By full name: what a whole message stands for. google.type.Money is left as its parts. */
export const meanings: ReadonlyMap<string, (parts: Parts) => unknown> = new Map([
  ['google.protobuf.Timestamp', momentOf],
  ['google.type.Date', dayOf],
  ['google.type.Decimal', ({ value }: Parts) => value],
  ['confluent.type.Decimal', decimalOfParts],
  ...Object.keys(wrapped).map(
    (name) => [`google.protobuf.${name}`, ({ value }: Parts) => value] as const,
  ),
])
