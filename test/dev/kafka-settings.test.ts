// The broker in containers has the settings of the native one.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { kafkaVersion, registryVersion } from '../../dev/stack/artifacts.ts'
import { containerVariable, kafkaSettings } from '../../dev/stack/kafka-settings.ts'
import { repositoryFolder } from '../../dev/stack/repository.ts'

const compose = parse(readFileSync(join(repositoryFolder, 'docker-compose.yml'), 'utf8'))

test('kafka settings - docker-compose.yml has each of them, with the same value', () => {
  const wanted = Object.entries(kafkaSettings).map(([name, value]) => [
    containerVariable(name),
    value,
  ])
  expect(compose.services.kafka.environment).toMatchObject(Object.fromEntries(wanted))
})

test('kafka settings - docker-compose.yml has the versions of the native servers', () => {
  expect(compose.services.kafka.image).toBe(`apache/kafka:${kafkaVersion}`)
  expect(compose.services.registry.image).toBe(`apicurio/apicurio-registry:${registryVersion}`)
})

test('kafka settings - docker-compose.yml opens ports on this machine only', () => {
  for (const { ports } of Object.values<{ ports: string[] }>(compose.services)) {
    expect(ports).toHaveLength(1)
    expect(ports[0]).toMatch(/^127\.0\.0\.1:/)
  }
})
