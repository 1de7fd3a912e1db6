// Which way the stack comes up, decided before anything is started.
//
// In: the environment, and a question (asked only when its answer matters) whether containers can
// be used. Out: the way, with the endpoints where they were given. Refused: some but not all of the
// three endpoints, an unknown WEIR_STACK, containers demanded where there are none.

import type { Environment } from './repository.ts'

export type Endpoints = {
  readonly kafkaBrokers: readonly string[]
  readonly redisUrl: string
  readonly registryUrl: string
}

type Choice =
  | { readonly kind: 'endpoints'; readonly endpoints: Endpoints }
  | { readonly kind: 'containers' }
  | { readonly kind: 'native' }

/** The reason why containers cannot be used, or undefined when they can. */
type FindContainers = () => string | undefined

const endpointVariables = ['WEIR_KAFKA_BROKERS', 'WEIR_REDIS_URL', 'WEIR_REGISTRY_URL'] as const

export function chooseStack(environment: Environment, findContainers: FindContainers): Choice {
  const endpoints = readEndpoints(environment)
  if (endpoints) return { kind: 'endpoints', endpoints }
  switch (environment.WEIR_STACK || 'auto') {
    case 'native':
      return { kind: 'native' }
    case 'containers': {
      const reason = findContainers()
      if (reason === undefined) return { kind: 'containers' }
      throw new Error(`WEIR_STACK=containers, but ${reason}. Unset it to run without containers.`)
    }
    case 'auto':
      return { kind: findContainers() === undefined ? 'containers' : 'native' }
    default:
      throw new Error(
        `found WEIR_STACK=${environment.WEIR_STACK}, expected containers, native or nothing`,
      )
  }
}

function readEndpoints(environment: Environment): Endpoints | undefined {
  const missing = endpointVariables.filter((name) => !environment[name])
  if (missing.length === endpointVariables.length) return undefined
  if (missing.length > 0) {
    throw new Error(
      `${missing.join(' and ')} missing: set all of ${endpointVariables.join(', ')}, or none`,
    )
  }
  return {
    kafkaBrokers: environment.WEIR_KAFKA_BROKERS!.split(',').map((broker) => broker.trim()),
    redisUrl: environment.WEIR_REDIS_URL!,
    registryUrl: environment.WEIR_REGISTRY_URL!.replace(/\/+$/, ''),
  }
}
