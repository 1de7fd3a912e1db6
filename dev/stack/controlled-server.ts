// A native server under control: started, signalled, killed and started again on its port and data.
//
// In: what to run and how to ask whether it answers. Out: the control, once it answers. Refused: a
// server that ends or stays silent; the error then carries the end of its log. Invariant: the
// process belongs to the supervision, and ends with it.

import { existsSync, readFileSync } from 'node:fs'
import { waitForAnswer } from './answers.ts'
import type { NativeServer } from './native-servers.ts'
import type { ServerControl } from './stack-types.ts'
import type { RunningServer, Supervision } from './supervision.ts'

export type ControlledServer = ServerControl & {
  /** SIGTERM; resolves with the reason in words when it is gone. */
  terminate(): Promise<string>
}

const answerDeadlineMs = 90_000
const logTailLines = 25

export async function startControlled(
  server: NativeServer,
  supervision: Supervision,
): Promise<ControlledServer> {
  let running = await startAndWait(server, supervision)
  return {
    pid: () => running.pid,
    signal: async (signal) => {
      process.kill(running.pid, signal)
    },
    terminate: async () => {
      process.kill(running.pid, 'SIGTERM')
      return running.ended
    },
    kill: async () => {
      process.kill(running.pid, 'SIGKILL')
      await running.ended
    },
    start: async () => {
      running = await startAndWait(server, supervision)
    },
  }
}

async function startAndWait(
  server: NativeServer,
  supervision: Supervision,
): Promise<RunningServer> {
  const { name, logFile } = server.command
  const running = await supervision.run(server.command)
  let ending: string | undefined
  running.ended.then((how) => {
    ending = how
  })
  const ask = async () => (ending === undefined ? server.ask() : undefined)
  try {
    await waitForAnswer(ask, answerDeadlineMs)
  } catch (error) {
    const seconds = answerDeadlineMs / 1_000
    throw new Error(`${name} did not answer in ${seconds} s${readLogTail(logFile)}`, {
      cause: error,
    })
  }
  if (ending !== undefined) throw new Error(`${name} ${ending}${readLogTail(logFile)}`)
  return running
}

function readLogTail(logFile: string): string {
  if (!existsSync(logFile)) return ''
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n')
  return `; the end of ${logFile}:\n${lines.slice(-logTailLines).join('\n')}`
}
