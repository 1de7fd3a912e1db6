// Ids and bodies of the roster's records: what is proved by the registry, and what without it.

import { describe, expect, it } from 'vitest'
import {
  askWhileThere,
  createRosterCodec,
  type RosterRegistry,
} from '../../../../services/adapters/kafka/roster/roster-codec.ts'
import type { ControlRecord } from '../../../../services/adapters/kafka/roster/roster-records.ts'
import { createEncoder } from '../../../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../../../services/adapters/registry/schema-files.ts'
import { WeirError } from '../../../../services/core/errors.ts'

const schema = readSchema('model-control')
const record: ControlRecord = {
  pipeline: 'cards',
  epoch: 1,
  champion: { name: 'card', version: '1' },
  challengers: [{ name: 'card', version: '2' }],
  canary: { version: '2', share: 0.25, salt: 'cards-1' },
  who: 'ana',
  why: 'because',
  when: 5,
}
const written = createEncoder<ControlRecord>(schema, 77)(record)

const away = () => Promise.reject(new WeirError('WEIR_REGISTRY_AWAY', 'Tried.'))
const nobody: RosterRegistry = { lookUp: away, schemaById: away }
const codecOf = (registry: RosterRegistry) =>
  createRosterCodec<ControlRecord>('model-control', 'model.control', registry)

/** A later version's record: one field more, at the end. */
const widerSchema = JSON.stringify({
  ...JSON.parse(schema),
  fields: [...JSON.parse(schema).fields, { name: 'ticket', type: 'string', default: '' }],
})
const wider = createEncoder(widerSchema, 78)({ ...record, ticket: 'A-1' })

describe('roster codec', () => {
  it('reads what a later version has written, by the id that the registry knows', async () => {
    const codec = codecOf({ ...nobody, schemaById: async (id) => (id === 78 ? widerSchema : null) })
    expect(await codec.decode(wider)).toEqual(record)
  })

  it('refuses an id that the registry does not know', async () => {
    const codec = codecOf({ ...nobody, schemaById: async () => null })
    await expect(codec.decode(written)).rejects.toMatchObject({ code: 'WEIR_ROSTER_UNREADABLE' })
  })

  it('writes with the id that the registry has for this schema', async () => {
    const codec = codecOf({ ...nobody, lookUp: async () => 9 })
    const encode = await codec.openEncoder(written)
    expect(encode(record).readInt32BE(1)).toBe(9)
  })

  it('names the command where the schema is not registered', async () => {
    const codec = codecOf({ ...nobody, lookUp: async () => null })
    await expect(codec.openEncoder(written)).rejects.toMatchObject({
      code: 'WEIR_TOPICS_DIFFER',
      message: expect.stringContaining('weir topics apply'),
    })
  })
})

describe('roster codec, the registry is away', () => {
  const codec = codecOf(nobody)

  it('reads and writes as the newest record was written', async () => {
    expect(await codec.decode(written)).toEqual(record)
    const encode = await codec.openEncoder(written)
    expect(encode(record)).toEqual(written)
  })

  it('refuses what has another schema than this version', async () => {
    await expect(codec.decode(wider)).rejects.toMatchObject({ code: 'WEIR_ROSTER_UNREADABLE' })
    await expect(codec.openEncoder(wider)).rejects.toMatchObject({ code: 'WEIR_ROSTER_UNREADABLE' })
  })

  it('refuses to write after a record whose bytes it would have written otherwise', async () => {
    // Readable, but epoch 1 takes two bytes in place of one.
    const epochAt = 5 + 1 + record.pipeline.length
    expect(written[epochAt]).toBe(2)
    const parts = [written.subarray(0, epochAt), Buffer.of(0x82, 0), written.subarray(epochAt + 1)]
    const odd = Buffer.concat(parts)
    expect(await codec.decode(odd)).toEqual(record)
    await expect(codec.openEncoder(odd)).rejects.toMatchObject({ code: 'WEIR_ROSTER_UNREADABLE' })
  })

  it('has nothing to prove an id of a first record by', async () => {
    await expect(codec.openEncoder(null)).rejects.toMatchObject({ code: 'WEIR_REGISTRY_AWAY' })
  })

  it('is asked once', async () => {
    let asked = 0
    const counting = () => {
      asked++
      return away()
    }
    const registry = askWhileThere({ lookUp: counting, schemaById: counting })
    await expect(registry.schemaById(1, 'a-value')).rejects.toThrow('WEIR_REGISTRY_AWAY')
    await expect(registry.lookUp('a-value', schema)).rejects.toThrow('WEIR_REGISTRY_AWAY')
    expect(asked).toBe(1)
  })
})
