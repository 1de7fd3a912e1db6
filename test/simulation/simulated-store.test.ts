// The simulated store under the contract of all log stores: worlds are judged on what real ones do.

import { foldWhenWorthwhile } from '../../services/pipeline/enrich/fold-log.ts'
import { describeLogStore } from '../contract/log-store-contract.ts'
import { testKinds } from '../support/log-requests.ts'
import { SimulatedStore } from './simulated-store.ts'
import { createStoreClient } from './store-client.ts'
import { createVirtualTime } from './virtual-time.ts'
import type { Call } from './wire.ts'

/** Nothing comes between a call and its answer. */
const callAtOnce: Call = () => async (act) => act()

describeLogStore('simulated store', () => {
  const time = createVirtualTime(Date.now(), Math.random)
  const servers = new SimulatedStore(testKinds, 4, foldWhenWorthwhile, time)
  return { open: async () => createStoreClient(servers, callAtOnce, time) }
})
