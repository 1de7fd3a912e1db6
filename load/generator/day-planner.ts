/**
 * One day of the whole world, in order of event time.
 *
 * In: the world, a day, and customers in steps of any size. Out: the day's plan, sorted; equal
 * times keep the order of the customers. Invariant: the plan is the same however it was stepped,
 * so a live run can plan tomorrow bit by bit while it sends today, and never stalls at midnight.
 */
import {
  createStreams,
  type DayPlan,
  type PlannedTransaction,
  planCardTest,
  planCustomerDay,
} from './customer-day.ts'
import { type FraudWorld, findFraudsOfDay, fraudRatesOf } from './frauds.ts'
import type { GeneratorOptions } from './options.ts'
import { createPopulation } from './population.ts'

export function createWorld(options: GeneratorOptions): FraudWorld {
  const population = createPopulation(options)
  return { options, population, fraudRates: fraudRatesOf(options, population) }
}

export function planDay(world: FraudWorld, day: number): PlannedTransaction[] {
  return new DayPlanner(world, day).finish()
}

export class DayPlanner {
  readonly day: number
  private readonly plan: DayPlan
  private customersPlanned = 0

  constructor(world: FraudWorld, day: number) {
    this.day = day
    const streams = createStreams(world.options.seed)
    this.plan = { world, day, frauds: findFraudsOfDay(world, day), streams, planned: [] }
  }

  planSome(customerCount: number): void {
    const { customers } = this.plan.world.population
    const to = Math.min(customers.length, this.customersPlanned + customerCount)
    for (; this.customersPlanned < to; this.customersPlanned++) {
      planCustomerDay(this.plan, customers[this.customersPlanned]!)
    }
  }

  finish(): PlannedTransaction[] {
    this.planSome(this.plan.world.population.customers.length)
    for (const test of this.plan.frauds.cardTests) planCardTest(this.plan, test)
    return this.plan.planned.sort((left, right) => left.eventTimeMs - right.eventTimeMs)
  }
}
