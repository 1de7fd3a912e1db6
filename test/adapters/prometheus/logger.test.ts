// The logger: shape of a line, and no secret in any part of one.

import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLogger } from '../../../services/adapters/prometheus/logger.ts'
import { WeirError } from '../../../services/core/errors.ts'

function openLogger(level: 'info' | 'debug' = 'debug') {
  const lines: string[] = []
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  return { logger: createLogger({ level, name: 'scorer', instance: 'one', output }), lines }
}

describe('logger', () => {
  it('writes one JSON object with name, instance, level and ISO time', () => {
    const { logger, lines } = openLogger()
    logger.info({ partition: 3 }, 'lane claimed')
    const line = JSON.parse(lines[0]!)
    expect(line).toMatchObject({ level: 'info', name: 'scorer', instance: 'one', partition: 3 })
    expect(line.msg).toBe('lane claimed')
    expect(new Date(line.time).toISOString()).toBe(line.time)
  })

  it('keeps the code and the cause of an error as fields', () => {
    const { logger, lines } = openLogger()
    const cause = new Error('connect ECONNREFUSED redis://weir:hunter2@redis:6379')
    logger.error({ err: new WeirError('WEIR_ENRICH_STORE_AWAY', 'no answer', { cause }) }, 'failed')
    const { err } = JSON.parse(lines[0]!)
    expect(err).toMatchObject({ code: 'WEIR_ENRICH_STORE_AWAY', type: 'WeirError' })
    expect(err.stack).toContain('logger.test')
    expect(err.cause.message).toBe('connect ECONNREFUSED redis://[redacted]@redis:6379')
  })

  it.each<[string, (logger: ReturnType<typeof openLogger>['logger']) => void]>([
    ['a field', (logger) => logger.info({ password: 'hunter2' })],
    ['a deep field', (logger) => logger.info({ a: { b: [{ c: { saslPassword: 'hunter2' } }] } })],
    ['a group of fields', (logger) => logger.info({ sasl: { username: 'u', pass: 'hunter2' } })],
    ['a token', (logger) => logger.info({ headers: { authorization: 'Bearer hunter2' } })],
    ['an environment name', (logger) => logger.info({ env: { WEIR_API_KEY: 'hunter2' } })],
    ['a URL', (logger) => logger.info({ redis: 'rediss://:hunter2@host:6379/0' })],
    ['the text', (logger) => logger.info('connecting to https://me:hunter2@registry')],
    ['an argument of the text', (logger) => logger.info('to %s', 'http://me:hunter2@host')],
    ['an error given alone', (logger) => logger.error(new Error('http://me:hunter2@host'))],
    ['a child', (logger) => logger.child({ token: 'hunter2' }).info('hello')],
  ])('takes a secret out of %s', (_where, write) => {
    const { logger, lines } = openLogger()
    write(logger)
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('hunter2')
  })

  it('leaves what is no secret and does not change its input', () => {
    const { logger, lines } = openLogger()
    const fields = { url: 'http://host:8081/a', password: null, keys: ['a@b.c'], sasl: { a: 1 } }
    const copy = structuredClone(fields)
    logger.info(fields, 'to http://host:8081 as a@b.c')
    const line = JSON.parse(lines[0]!)
    expect(line).toMatchObject({ url: 'http://host:8081/a', password: null, keys: ['a@b.c'] })
    expect(line.msg).toBe('to http://host:8081 as a@b.c')
    expect(fields).toEqual(copy)
  })

  it('ends on circles and keeps levels', () => {
    const { logger, lines } = openLogger('info')
    const circle: { self?: unknown } = {}
    circle.self = circle
    logger.info(circle, 'round')
    logger.debug('unseen')
    expect(lines).toHaveLength(1)
  })
})
