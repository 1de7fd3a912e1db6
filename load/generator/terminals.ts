// Where people pay.

export interface Terminal extends Place {
  readonly index: number
  readonly id: string
  readonly mcc: string
  readonly channel: string
  readonly country: string
  readonly currency: string
  /** What people spend here, as a multiple of what they usually spend. */
  readonly amountFactor: number
}

export interface Place {
  readonly x: number
  readonly y: number
}
