// Kafka, Redis and the registry, from wherever they can be had.
//
// In: options and the environment. Out: a Stack of three servers that answer, by the first way that
// is open: endpoints given in the environment, containers, native processes. Refused: half-given
// endpoints, a forced way that is not open. Invariant: what was started here ends with stop(), and
// with this process, however that ends; what was given is left alone.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chooseStack } from './choice.ts'
import { findContainers, startContainerStack } from './container-stack.ts'
import { startEndpointStack } from './endpoint-stack.ts'
import type { Say } from './machine-packages.ts'
import type { RedisOptions } from './native-servers.ts'
import { startNativeStack } from './native-stack.ts'
import { pruneOldStacks } from './old-stacks.ts'
import { type Environment, stacksFolder } from './repository.ts'
import type { Stack } from './stack-types.ts'

export type { ServerControl, ServerName, Stack, StackKind } from './stack-types.ts'

type StackOptions = {
  /** Says what it is for, in the name of its folder: demo, test, bench. */
  readonly name?: string
  readonly redis?: RedisOptions
  /** Hears one line for each thing a person may wait for. */
  readonly say?: Say
  readonly environment?: Environment
}

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const environment = options.environment ?? process.env
  const say = options.say ?? ((line) => console.error(line))
  const choice = chooseStack(environment, () => findContainers(say))
  if (choice.kind === 'endpoints') return startEndpointStack(choice.endpoints)

  pruneOldStacks(stacksFolder)
  const folder = join(stacksFolder, `${options.name ?? 'stack'}-${process.pid}-${startCount}`)
  startCount += 1
  mkdirSync(folder, { recursive: true })
  const redis = options.redis ?? {}
  return choice.kind === 'containers'
    ? startContainerStack({ folder, redis })
    : startNativeStack({ folder, redis, say, environment })
}

let startCount = 0
