// Runs the tests and says how it went in one line.
//
// In: vitest's own arguments (filters, -t, --reporter, ...). Out: vitest's report, and as the last
// line, alone on it, `N passed, N failed`, with `, N skipped` where there are any. A file that
// fails to load, a hook that fails and an error outside of every test count as one failure each;
// tests that began and never ended, because their process died, are named. The exit code is 0 only
// when at least one test passed and nothing failed.

import type { TestModule, TestSuite, Vitest } from 'vitest/node'
import { parseCLI, startVitest } from 'vitest/node'

type Counts = { passed: number; failed: number; skipped: number }

function describeCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

function countResults(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): Counts {
  const counts: Counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
  for (const module of modules) {
    for (const group of [module, ...module.children.allSuites()]) countOwnErrors(group, counts)
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      // A test still pending at the end never ran, because its file or a hook failed before it.
      counts[state === 'pending' ? 'skipped' : state] += 1
    }
  }
  return counts
}

/** Tests without a result that no error in their file explains: their process died under them. */
function findUnended(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) => {
    const groups = [module, ...module.children.allSuites()]
    if (groups.some((group) => group.errors().length > 0)) return []
    const unended = [...module.children.allTests()].filter(
      (test) => test.result().state === 'pending',
    )
    return unended.map(({ fullName }) => `${module.relativeModuleId} > ${fullName}`)
  })
}

function countOwnErrors(group: TestModule | TestSuite, counts: Counts): void {
  if (group.errors().length > 0) counts.failed += 1
}

async function run(vitestArguments: readonly string[]): Promise<Counts> {
  const { filter, options } = parseCLI(['vitest', 'run', ...vitestArguments])
  // A run of everything needs the stack anyway; a chosen few tests start it only if they ask.
  if (vitestArguments.length === 0) process.env.WEIR_TEST_STACK ??= 'eager'
  let vitest: Vitest | undefined
  try {
    vitest = await startVitest('test', filter, { ...options, watch: false })
    const modules = vitest.state.getTestModules()
    for (const test of findUnended(modules)) console.log(`did not end: ${test}`)
    return countResults(modules, vitest.state.getUnhandledErrors())
  } catch (error) {
    console.error(error)
    return { passed: 0, failed: 1, skipped: 0 }
  } finally {
    await vitest?.close()
  }
}

if (import.meta.main) {
  const counts = await run(process.argv.slice(2))
  console.log(describeCounts(counts))
  // Some libraries keep sockets open in this process; the result is known, so nothing is waited
  // for.
  process.exit(counts.failed === 0 && counts.passed > 0 ? 0 : 1)
}
