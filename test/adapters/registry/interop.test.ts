// Bytes against the stock serde and a real registry: what either writes, the other reads.

import {
  AvroDeserializer,
  AvroSerializer,
  type AvroSerializerConfig,
  SchemaRegistryClient,
  SerdeType,
  SubjectNameStrategyType,
} from '@confluentinc/schemaregistry'
import { beforeAll, expect, test } from 'vitest'
import { createDecoder, createEncoder } from '../../../services/adapters/registry/avro-codec.ts'
import { parseSchema } from '../../../services/adapters/registry/avro-types.ts'
import { readSchema, schemaFiles } from '../../../services/adapters/registry/schema-files.ts'
import {
  connectRegistry,
  type Registry,
  subjectOf,
} from '../../../services/adapters/registry/schema-registry.ts'
import { limits } from '../../../services/core/limits.ts'
import { DecodeFault } from '../../../services/pipeline/decode/message-decoder.ts'
import { testStack, uniqueName } from '../../support/stack.ts'

let registry: Registry
let stockClient: SchemaRegistryClient

beforeAll(async () => {
  const { registryUrl } = await testStack()
  registry = connectRegistry(registryUrl)
  stockClient = new SchemaRegistryClient({ baseURLs: [registryUrl] })
  return async () => {
    await registry.close()
    await stockClient.close()
  }
})

test.each(schemaFiles)('avro codec - %s is byte for byte that of the stock serde', async (file) => {
  const topic = uniqueName(file)
  const schemaText = readSchema(file)
  const id = await registry.register(subjectOf(topic), schemaText)
  const config: AvroSerializerConfig = {
    autoRegisterSchemas: false,
    useLatestVersion: true,
    subjectNameStrategyType: SubjectNameStrategyType.TOPIC,
  }
  const serializer = new AvroSerializer(stockClient, SerdeType.VALUE, config)
  const deserializer = new AvroDeserializer(stockClient, SerdeType.VALUE, {
    subjectNameStrategyType: SubjectNameStrategyType.TOPIC,
  })
  const encode = createEncoder<unknown>(schemaText, id)
  const decoder = createDecoder(schemaText, (asked) => registry.schemaById(asked, subjectOf(topic)))
  for (let round = 0; round < 20; round++) {
    const value = parseSchema(schemaText).random()
    const stockBytes = await serializer.serialize(topic, value)
    expect(encode(value).toString('hex')).toBe(stockBytes.toString('hex'))
    const readByStock = await deserializer.deserialize(topic, encode(value))
    if (round === 0) {
      expect(decoder.decode(stockBytes)).toMatchObject({ missingId: id })
      await decoder.learn(id)
    }
    const readByWeir = decoder.decode(stockBytes)
    expect(readByWeir).not.toBeInstanceOf(DecodeFault)
    expect(JSON.stringify(readByWeir)).toBe(JSON.stringify(readByStock))
  }
})

test('avro codec - an id that the real registry does not have is a fault', async () => {
  const schemaText = readSchema('transaction')
  let nowMs = 0
  const decoder = createDecoder(schemaText, (id) => registry.schemaById(id, 'any-value'), {
    nowMs: () => nowMs,
  })
  const bytes = Buffer.from([0, 0x7f, 0xff, 0xff, 0xfe, 1, 2, 3])
  expect(decoder.decode(bytes)).toMatchObject({ missingId: 0x7ffffffe })
  await expect(decoder.learn(0x7ffffffe)).rejects.toMatchObject({ code: 'WEIR_REGISTRY_BEHIND' })
  nowMs = limits.schemaAbsentMs
  await decoder.learn(0x7ffffffe)
  const fault = decoder.decode(bytes)
  expect(fault).toMatchObject({ code: 'WEIR_DECODE_UNKNOWN_SCHEMA', missingId: null })
})
