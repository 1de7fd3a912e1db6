// Rosters and their changes as the records of model.control and model.audit, both ways.
//
// In and out: Roster and RosterStep of core, and the values that schemas/model-control.avsc and
// schemas/model-audit.avsc describe. Nothing is refused. Invariant: read(write(x)) equals x.

import type { Roster, RosterModel } from '../../../roster/roster.ts'
import type { RosterAction, RosterStep } from '../../../roster/roster-change.ts'

type RosterFields = Omit<Roster, 'pipeline' | 'whenMs'> & { readonly when: number }

export type ControlRecord = RosterFields & { readonly pipeline: string }

export type AuditRecord = Pick<ControlRecord, 'pipeline' | 'epoch' | 'who' | 'why' | 'when'> & {
  readonly action: string
  readonly before: RosterFields
  readonly after: RosterFields
}

export const writeControl = (roster: Roster): ControlRecord => ({
  pipeline: roster.pipeline,
  ...writeFields(roster),
})

export const readControl = (record: ControlRecord): Roster => readFields(record.pipeline, record)

export function writeAudit({ action, before, after }: RosterStep): AuditRecord {
  const { pipeline, epoch, who, why, whenMs: when } = after
  const states = { before: writeFields(before), after: writeFields(after) }
  return { pipeline, epoch, action, who, why, when, ...states }
}

export const readAudit = ({ pipeline, action, before, after }: AuditRecord): RosterStep => ({
  // What a later version calls otherwise is shown as it stands; only rollback has a meaning here.
  action: action as RosterAction,
  before: readFields(pipeline, before),
  after: readFields(pipeline, after),
})

const writeFields = ({ pipeline: _key, whenMs, ...fields }: Roster): RosterFields => ({
  ...fields,
  when: whenMs,
})

/** Plain objects: what a codec gives back are instances of its records. */
function readFields(pipeline: string, fields: RosterFields): Roster {
  const { epoch, champion, challengers, canary, who, why, when } = fields
  return {
    pipeline,
    epoch,
    champion: plainModel(champion),
    challengers: challengers.map(plainModel),
    canary: canary === null ? null : { ...canary },
    who,
    why,
    whenMs: when,
  }
}

const plainModel = ({ name, version }: RosterModel): RosterModel => ({ name, version })
