// How the tests run.
//
// Two workers, because the build machine has two cores and shares them with the broker; processes
// instead of threads, because ONNX Runtime and kafkajs keep native handles and module state.
// Deadlines are generous: no test measures time, so a slow machine must not fail one. The hooks'
// deadline is longer still, as the first one to ask for the stack may wait for downloads. The longest
// files go first: one that begins last keeps a single worker busy while the other has nothing to do.

import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const longest = [
  'test/promises/chaos.test.ts',
  'test/replay/shared-replay.test.ts',
  'test/training/run-training.test.ts',
  'test/adapters/models/mlflow-login.test.ts',
  'test/promises/remote-champion.test.ts',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = longest.findIndex((name) => moduleId.endsWith(name))
      return rank < 0 ? longest.length : rank
    }
    return (await super.sort(files)).sort((a, b) => rankOf(a) - rankOf(b))
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/shared-stack.ts'],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 600_000,
    teardownTimeout: 90_000,
  },
})
