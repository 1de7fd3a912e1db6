// What an alert costs and a missed fraud loses: the user's figures, all in minor units.
//
// The defaults stand for a card issuer and are only there so that a report can be read; a decision
// about thresholds is made with one's own. adapters/event-files/cost-file.ts reads them from a
// file.

export type CostTable = {
  /** An analyst looks at one event. */
  readonly reviewMinor: number
  /** A genuine customer is turned away. */
  readonly falseBlockMinor: number
  /** Share of a fraud's amount that is lost when nobody stops it. */
  readonly lostShare: number
}

export const defaultCosts: CostTable = { reviewMinor: 300, falseBlockMinor: 1500, lostShare: 1 }
