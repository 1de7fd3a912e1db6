// What a field of the input section may say; a type only. Its shape: schemas/pipeline.schema.json.

import type { FieldType, TimeUnit } from '../../core/input-mapping.ts'

/** A field as the file writes it, beyond the short form of a path alone. */
export type WrittenField = {
  readonly path?: string
  readonly from?: string
  readonly of?: readonly string[]
  readonly expression?: string
  readonly type?: FieldType['kind']
  readonly unit?: TimeUnit | 'minor' | 'major'
  readonly zone?: string
  readonly pattern?: string
  readonly step?: string
  readonly origin?: string
  readonly currency?: string
  readonly negative?: boolean
  readonly yes?: readonly string[]
  readonly no?: readonly string[]
  readonly absent?: string | number | boolean
  readonly required?: boolean
}
