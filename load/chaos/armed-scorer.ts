// `weir score`, with a switch: SIGUSR2 arms it with the order in CHAOS_ORDER_FILE.
//
// The scorer is the real one, through its own entry point; only its signals are overheard, and
// kafkajs' transactions, to know when to die or to freeze. Exit codes are those of `weir score`.

import { kafkajs } from '../../services/adapters/kafka/client/kafka-client.ts'
import { WeirError } from '../../services/core/errors.ts'
import { runScorer } from '../../services/scorer/main.ts'
import { createFailSwitch } from './fail-points.ts'
import { watchTransactions } from './watch-transactions.ts'

const { CHAOS_ORDER_FILE: orderFile, CHAOS_SESSION_MS: sessionMs } = process.env
const [flag, pipelineFile] = process.argv.slice(2)
if (orderFile === undefined || sessionMs === undefined || flag !== '--pipeline' || !pipelineFile) {
  throw new Error('expected CHAOS_ORDER_FILE, CHAOS_SESSION_MS and --pipeline <file>')
}
const failSwitch = createFailSwitch(orderFile, (signal) => process.kill(process.pid, signal))
watchTransactions(kafkajs.Kafka, failSwitch.pass, Number(sessionMs))
process.on('SIGUSR2', failSwitch.arm)
try {
  await runScorer(pipelineFile, { watch: failSwitch.watch })
} catch (error) {
  if (!(error instanceof WeirError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
