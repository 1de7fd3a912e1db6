// Which way the stack comes up, for every state of the environment.

import { expect, test } from 'vitest'
import { chooseStack } from '../../dev/stack/choice.ts'

const endpoints = {
  WEIR_KAFKA_BROKERS: 'one:9092, two:9092',
  WEIR_REDIS_URL: 'redis://three:6379',
  WEIR_REGISTRY_URL: 'http://four:8081/apis/ccompat/v7/',
}
const haveContainers = () => undefined
const haveNone = () => 'no Docker daemon answers'
const mustNotAsk = () => {
  throw new Error('asked for containers although the answer does not matter')
}

test('choice - takes given endpoints before anything else, and tidies them', () => {
  const environment = { ...endpoints, WEIR_STACK: 'containers' }
  expect(chooseStack(environment, mustNotAsk)).toEqual({
    kind: 'endpoints',
    endpoints: {
      kafkaBrokers: ['one:9092', 'two:9092'],
      redisUrl: 'redis://three:6379',
      registryUrl: 'http://four:8081/apis/ccompat/v7',
    },
  })
})

test.each(Object.keys(endpoints))('choice - refuses endpoints without %s, and names it', (name) => {
  const environment = { ...endpoints, [name]: '' }
  expect(() => chooseStack(environment, mustNotAsk)).toThrow(new RegExp(`^${name} missing`))
})

test('choice - prefers containers, and goes native without them', () => {
  expect(chooseStack({}, haveContainers)).toEqual({ kind: 'containers' })
  expect(chooseStack({}, haveNone)).toEqual({ kind: 'native' })
})

test('choice - obeys WEIR_STACK', () => {
  expect(chooseStack({ WEIR_STACK: 'native' }, mustNotAsk)).toEqual({ kind: 'native' })
  expect(chooseStack({ WEIR_STACK: 'containers' }, haveContainers)).toEqual({ kind: 'containers' })
})

test('choice - refuses containers where there are none, with the reason', () => {
  const choose = () => chooseStack({ WEIR_STACK: 'containers' }, haveNone)
  expect(choose).toThrow('WEIR_STACK=containers, but no Docker daemon answers')
})

test('choice - refuses an unknown WEIR_STACK', () => {
  expect(() => chooseStack({ WEIR_STACK: 'docker' }, mustNotAsk)).toThrow('found WEIR_STACK=docker')
})
