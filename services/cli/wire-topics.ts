// Wires `weir topics` to the settings of the place: brokers, registry, names from the pipeline file.

import type { Command } from 'commander'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { readSettings } from '../core/settings.ts'
import { openKafka, openRegistry } from '../environment/open-environment.ts'
import { addTopicsCommand } from './topics-command.ts'

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
    readTopicNames: async (pipelineFile) =>
      loadPipelineFile(pipelineFile, { topicPrefix: settings().topicPrefix }).topics,
    print: (line) => process.stdout.write(`${line}\n`),
  })
}
