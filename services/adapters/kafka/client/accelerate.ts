// Puts faster functions in the place of kafkajs' slow ones, in the module cache, before kafkajs is
// loaded. In: nothing but the installed kafkajs. Out: whether it was done, and why not if it
// wasn't.
//
// Guard: only for the exact version that the replacements were written against, only if kafkajs is
// not loaded yet, and not when WEIR_KAFKAJS_STOCK=1. Otherwise kafkajs stays as it is, and works.
// Invariant: what goes over the wire and what the consumer is handed are the same, byte for byte
// and field for field; test/adapters/kafka/client/accelerate.test.ts compares both with the stock
// code. One exception: records of aborted transactions that kafkajs hands out (aborted-filter.ts).
// Anything unusual (headers, huge timestamps, values of odd types) is passed on to the stock code.

import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { replaceAbortedFilter } from './acceleration/aborted-filter.ts'
import { replaceConsumerBatch } from './acceleration/consumer-batch.ts'
import { replaceCrc32c } from './acceleration/crc32c.ts'
import { replaceEosManager } from './acceleration/eos-manager.ts'
import { replaceGroupMessages } from './acceleration/group-messages.ts'
import { replaceProduceRequest } from './acceleration/produce-request.ts'
import { replaceRecordBatchDecoder } from './acceleration/record-batch-decoder.ts'
import { replaceRequestFrame } from './acceleration/request-frame.ts'
import { replaceRequestQueue } from './acceleration/request-queue.ts'
import type { LoadStock } from './acceleration/stock-modules.ts'

export type Acceleration = { readonly isAccelerated: boolean; readonly reason: string }

const expectedVersion = '2.2.4'

/**
 * Module below kafkajs/src -> what makes its replacement from the stock exports. Order matters:
 * a module is listed after those it requires, because loading it binds their exports for good.
 */
const replacements: Readonly<Record<string, (load: LoadStock) => unknown>> = {
  'protocol/recordBatch/crc32C/index.js': replaceCrc32c,
  'protocol/request.js': replaceRequestFrame,
  'protocol/requests/produce/v3/request.js': replaceProduceRequest,
  'protocol/recordBatch/v0/decoder.js': replaceRecordBatchDecoder,
  'consumer/filterAbortedMessages.js': replaceAbortedFilter,
  'consumer/batch.js': replaceConsumerBatch,
  'producer/groupMessagesPerPartition.js': replaceGroupMessages,
  'producer/eosManager/index.js': replaceEosManager,
  'network/requestQueue/index.js': replaceRequestQueue,
}

let outcome: Acceleration | undefined

/** To be called before kafkajs is loaded; calling it again changes nothing and answers the same. */
export function accelerateKafkajs(): Acceleration {
  outcome ??= accelerateFrom(createRequire(import.meta.url), process.env)
  return outcome
}

/**
 * The same for the kafkajs that `require` finds. WEIR_KAFKAJS_STOCK is read here and not with the
 * other settings, because the choice comes before the modules that the settings configure.
 */
export function accelerateFrom(
  require: NodeJS.Require,
  environment: Readonly<Record<string, string | undefined>>,
): Acceleration {
  if (environment.WEIR_KAFKAJS_STOCK === '1') return stock('WEIR_KAFKAJS_STOCK=1')
  const manifestPath = require.resolve('kafkajs/package.json')
  const { version } = require(manifestPath) as { version: string }
  if (version !== expectedVersion) {
    return stock(`kafkajs ${version} is installed, the replacements are for ${expectedVersion}`)
  }
  const sourceFolder = join(dirname(manifestPath), 'src')
  if (loadedBelow(require, sourceFolder).length > 0) {
    return stock('kafkajs was loaded before accelerateKafkajs() was called')
  }
  return replaceAll(require, sourceFolder)
}

function replaceAll(require: NodeJS.Require, sourceFolder: string): Acceleration {
  const load: LoadStock = (path) => require(join(sourceFolder, path))
  try {
    for (const [path, replace] of Object.entries(replacements)) {
      load(path)
      require.cache[join(sourceFolder, path)]!.exports = replace(load)
    }
  } catch (cause) {
    for (const path of loadedBelow(require, sourceFolder)) delete require.cache[path]
    return stock(`a replacement could not be made: ${String(cause)}`)
  }
  return { isAccelerated: true, reason: `kafkajs ${expectedVersion}` }
}

const loadedBelow = (require: NodeJS.Require, folder: string): readonly string[] =>
  Object.keys(require.cache).filter((path) => path.startsWith(folder + sep))

const stock = (reason: string): Acceleration => ({ isAccelerated: false, reason })
