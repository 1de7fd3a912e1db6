// How the tests run.
//
// Two workers, because the build machine has two cores and shares them with the broker; processes
// instead of threads, because ONNX Runtime and kafkajs keep native handles and module state.
// Deadlines are generous: no test measures time, so a slow machine must not fail one. The hooks'
// deadline is longer still, as the first one to ask for the stack may wait for downloads.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/shared-stack.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 600_000,
    teardownTimeout: 90_000,
  },
})
