// What a server says of its model, held against the manifest.
//
// In: the metadata of the Open Inference Protocol v2, and what is expected. Out: all faults, in
// words; empty where it fits. Versions and tensors that a server does not tell are no fault: the
// golden vectors are the proof. Invariant: nothing is believed to be of a shape before it was
// looked at.

type ExpectedModel = {
  /** As the server names it. */
  readonly name: string
  readonly version: string | null
  readonly input: string
  readonly output: string
  readonly width: number
}

type TensorMetadata = {
  readonly name?: unknown
  readonly datatype?: unknown
  readonly shape?: unknown
}

export function metadataFaults(
  metadata: Readonly<Record<string, unknown>>,
  expected: ExpectedModel,
): readonly string[] {
  const { name, version } = expected
  const faults: string[] = []
  if (metadata.name !== name) faults.push(`the server's model is ${metadata.name}`)
  const versions = listOf(metadata.versions)
  if (version !== null && versions.length > 0 && !versions.map(String).includes(version)) {
    faults.push(`versions ${versions.join(', ')}, expected ${version}`)
  }
  return [
    ...faults,
    ...inputFaults(listOf(metadata.inputs) as readonly TensorMetadata[], expected),
    ...outputFaults(listOf(metadata.outputs) as readonly TensorMetadata[], expected),
  ]
}

function inputFaults(
  inputs: readonly TensorMetadata[],
  { input, width }: ExpectedModel,
): readonly string[] {
  if (inputs.length === 0) return []
  const [first] = inputs
  if (inputs.length > 1 || first?.name !== input) {
    return [`inputs ${inputs.map((tensor) => tensor?.name).join(', ')}, the manifest says ${input}`]
  }
  const shape = listOf(first.shape)
  // A server that batches by itself may leave the rows out.
  const isWide = shape.at(-1) === width && shape.length <= 2
  if (first.datatype === 'FP32' && isWide) return []
  return [`input ${input} is ${describe(first)}, expected FP32 [-1,${width}]`]
}

function outputFaults(
  outputs: readonly TensorMetadata[],
  { output }: ExpectedModel,
): readonly string[] {
  if (outputs.length === 0) return []
  const found = outputs.find((tensor) => tensor?.name === output)
  if (found === undefined) {
    return [
      `outputs ${outputs.map((tensor) => tensor?.name).join(', ')}, the manifest says ${output}`,
    ]
  }
  if (found.datatype === 'FP32' || found.datatype === 'FP64') return []
  return [`output ${output} is ${describe(found)}, expected FP32 or FP64`]
}

const describe = ({ datatype, shape }: TensorMetadata): string =>
  `${datatype} ${JSON.stringify(shape)}`

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
