import { describe, expect, it } from 'vitest'
import { attest, missedProvider } from '../../../services/adapters/onnx/attestation.ts'

const kernel = (operator: string, provider: string) => ({
  cat: 'Node',
  name: `${operator}_0_kernel_time`,
  args: { op_name: operator, provider: `${provider}ExecutionProvider` },
})

const session = { cat: 'Session', name: 'model_run', args: {} }
const copy = kernel('MemcpyFromHost', 'WebGpu')

describe('attestation', () => {
  it('attest - names the providers of the kernels, accelerators first', () => {
    const profile = [session, kernel('Gather', 'CPU'), copy, kernel('MatMul', 'WebGpu')]
    expect(attest(profile).provider).toBe('webgpu+cpu')
    expect(attest([kernel('MatMul', 'CUDA')]).provider).toBe('cuda')
    expect(attest([kernel('MatMul', 'Odd')]).provider).toBe('OddExecutionProvider')
  })

  it('attest - does not count copies between devices', () => {
    expect(attest([copy, kernel('TreeEnsembleRegressor', 'CPU')]).provider).toBe('cpu')
  })

  it('attest - counts each node once, by its kernel', () => {
    const fence = { ...kernel('MatMul', 'WebGpu'), name: 'MatMul_0_fence_before' }
    expect(attest([fence, kernel('MatMul', 'WebGpu')]).operators.get('webgpu')).toEqual(['MatMul'])
  })

  it('missedProvider - lets a required provider miss no node', () => {
    const mixed = attest([
      kernel('MatMul', 'WebGpu'),
      kernel('Relu', 'WebGpu'),
      kernel('Where', 'CPU'),
    ])
    expect(missedProvider(mixed, 'webgpu', true)).toBe('webgpu ran 2 of 3 nodes; cpu ran Where')
    expect(missedProvider(mixed, 'webgpu', false)).toBeNull()
    expect(missedProvider(attest([kernel('MatMul', 'WebGpu')]), 'webgpu', true)).toBeNull()
  })

  it('missedProvider - takes half of the nodes or none for a fallback', () => {
    const half = attest([kernel('TreeEnsembleRegressor', 'CPU'), kernel('Sigmoid', 'WebGpu')])
    expect(missedProvider(half, 'webgpu', false)).toContain('webgpu ran 1 of 2 nodes')
    expect(missedProvider(attest([]), 'cpu', true)).toContain('cpu ran 0 of 0 nodes')
  })
})
