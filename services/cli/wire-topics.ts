// Wires `weir topics` to the settings of the place: brokers, registry, names from the pipeline file.

import type { Command } from 'commander'
import { loadPipelineFile } from '../adapters/file/pipeline-file.ts'
import { createKafka } from '../adapters/kafka/kafka-client.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { connectRegistry } from '../adapters/registry/schema-registry.ts'
import { readSettings } from '../core/settings.ts'
import { addTopicsCommand } from './topics-command.ts'

export function addTopics(program: Command): void {
  addTopicsCommand(program, {
    openKafka: (brokers) => {
      const settings = readSettings(process.env)
      const logger = createLogger({
        level: 'error',
        name: 'weir-topics',
        instance: settings.instanceId,
      })
      const { ssl, sasl } = settings.kafka
      return createKafka({
        brokers: brokers ?? settings.kafka.brokers,
        clientId: 'weir-topics',
        logger,
        ssl,
        ...(sasl === null ? {} : { sasl: { ...sasl } as never }),
      })
    },
    openRegistry: (url) => connectRegistry(url ?? readSettings(process.env).registry.url),
    readTopicNames: async (pipelineFile) => loadPipelineFile(pipelineFile).topics,
    print: (line) => process.stdout.write(`${line}\n`),
  })
}
