// Wires `weir topics` to the settings of the environment: brokers, registry, names and retention
// from the pipeline file, and the terminal that is asked. Invariant: only somebody at a terminal is
// asked; where input or output is a pipe or a file there is nobody.

import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { readSettings } from '../core/settings.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import { addTopicsCommand } from './topics-command.ts'

async function askAtTerminal(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    // Ctrl-C and the end of the input reject, which is no.
    const answer = await terminal.question(`${question} [y/N] `).catch(() => '')
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}

export function addTopics(program: Command): void {
  const settings = () => readSettings(process.env)
  addTopicsCommand(program, {
    openKafka: (brokers) => {
      const here = settings()
      const name = 'weir-topics'
      const logger = createLogger({ level: 'error', name, instance: here.instanceId })
      const kafka = { ...here.kafka, brokers: brokers ?? here.kafka.brokers }
      return openKafka({ ...here, kafka }, logger, 'topics')
    },
    openRegistry: (url) => {
      const { registry } = settings()
      return openRegistry({ registry: { ...registry, url: url ?? registry.url } })
    },
    readPipeline: async (pipelineFile) =>
      loadPipelineFile(pipelineFile, { topicPrefix: settings().topicPrefix }),
    print: (line) => process.stdout.write(`${line}\n`),
    ask: process.stdin.isTTY && process.stdout.isTTY ? askAtTerminal : null,
  })
}
