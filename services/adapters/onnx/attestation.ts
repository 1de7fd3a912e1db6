// A profile of one run in, who really executed it out.
//
// ONNX Runtime runs nodes that a provider has no kernel for on the CPU, silently; only the profile
// says so, node by node. Copies between devices are left out: they compute nothing.
// Refused: nothing here; model-session.ts decides what an attestation is good for.
// Invariant: a node counts for the provider that its kernel ran on, never for the one asked for.

import type { ExecutionProvider } from '../../core/pipeline-definition.ts'

type Attestation = {
  /** Providers that executed nodes, accelerators first: `cpu`, `webgpu`, `webgpu+cpu`. */
  readonly provider: string
  /** Names of the operators by provider, one for each node. */
  readonly operators: ReadonlyMap<string, readonly string[]>
}

type ProfileEvent = {
  readonly cat?: string
  readonly name?: string
  readonly args?: { readonly op_name?: string; readonly provider?: string }
}

const shortNames: Readonly<Record<string, ExecutionProvider>> = {
  CPUExecutionProvider: 'cpu',
  WebGpuExecutionProvider: 'webgpu',
  CUDAExecutionProvider: 'cuda',
}

export const attest = (profile: readonly ProfileEvent[]): Attestation => {
  const operators = new Map<string, string[]>()
  for (const { cat, name, args } of profile) {
    const isKernel = cat === 'Node' && name?.endsWith('_kernel_time') === true
    if (!isKernel || args?.provider === undefined || args.op_name === undefined) continue
    if (args.op_name.startsWith('Memcpy')) continue
    const provider = shortNames[args.provider] ?? args.provider
    operators.set(provider, [...(operators.get(provider) ?? []), args.op_name])
  }
  const names = [...operators.keys()].sort(
    (a, b) => Number(a === 'cpu') - Number(b === 'cpu') || a.localeCompare(b),
  )
  return { provider: names.join('+'), operators }
}

/**
 * Null where the provider executed the model, else what it did instead. Required means every node;
 * otherwise more than half of them, so that one odd operator does not cost a network its GPU, while
 * a tree ensemble whose closing Sigmoid alone ran on the GPU counts as what it is.
 */
export const missedProvider = (
  attestation: Attestation,
  wanted: ExecutionProvider,
  isRequired: boolean,
): string | null => {
  const all = [...attestation.operators.values()].flat().length
  const own = attestation.operators.get(wanted)?.length ?? 0
  const isExecuted = isRequired ? own === all && all > 0 : own > all / 2
  if (isExecuted) return null
  const others = [...attestation.operators]
    .filter(([provider]) => provider !== wanted)
    .map(([provider, names]) => `${provider} ran ${[...new Set(names)].join(', ')}`)
  return `${wanted} ran ${own} of ${all} nodes; ${others.join('; ')}`
}
