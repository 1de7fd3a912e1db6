// The memory store under the contract of all log stores.

import { createMemoryLogStore } from '../../../services/adapters/memory/memory-log-store.ts'
import { describeLogStore } from '../../contract/log-store-contract.ts'
import { testKinds } from '../../support/log-requests.ts'

describeLogStore('memory store', () => {
  const store = createMemoryLogStore(testKinds)
  return { open: async () => store }
})
