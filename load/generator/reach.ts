/**
 * Which terminals each customer has around.
 *
 * In: the customers' places and the terminals in the street. Out: per customer the indices of up to
 * 24 of the nearest terminals, in an order of preference that is the order of distance.
 * Invariant: nobody is left without a terminal; the work is a few cells per customer, not the
 * product of customers and terminals.
 */

import type { Place, Terminal } from './terminals.ts'

export const worldSize = 100

const reachMax = 24
const terminalsPerCell = 8

interface Grid {
  readonly width: number
  readonly cells: readonly (readonly Terminal[])[]
}

export function findReaches(customers: readonly Place[], terminals: readonly Terminal[]) {
  const grid = createGrid(terminals)
  const wanted = Math.min(reachMax, terminals.length)
  return customers.map((customer) => nearest(grid, customer, wanted))
}

function createGrid(terminals: readonly Terminal[]): Grid {
  const width = Math.max(1, Math.floor(Math.sqrt(terminals.length / terminalsPerCell)))
  const cells: Terminal[][] = Array.from({ length: width * width }, () => [])
  for (const terminal of terminals) {
    cells[cellOf(terminal.y, width) * width + cellOf(terminal.x, width)]!.push(terminal)
  }
  return { width, cells }
}

/** Looks at the rings of cells around the customer until enough terminals were seen. */
function nearest(grid: Grid, customer: Place, wanted: number): Int32Array {
  let found: Terminal[] = []
  for (let radius = 1; found.length < wanted; radius++) found = within(grid, customer, radius)
  const distance = (terminal: Place) =>
    (terminal.x - customer.x) ** 2 + (terminal.y - customer.y) ** 2
  found.sort((left, right) => distance(left) - distance(right) || left.index - right.index)
  return Int32Array.from(found.slice(0, wanted), (terminal) => terminal.index)
}

function within(grid: Grid, customer: Place, radius: number): Terminal[] {
  const column = cellOf(customer.x, grid.width)
  const row = cellOf(customer.y, grid.width)
  const last = grid.width - 1
  const found: Terminal[] = []
  for (let y = Math.max(0, row - radius); y <= Math.min(last, row + radius); y++) {
    for (let x = Math.max(0, column - radius); x <= Math.min(last, column + radius); x++) {
      found.push(...grid.cells[y * grid.width + x]!)
    }
  }
  return found
}

function cellOf(coordinate: number, width: number): number {
  return Math.min(width - 1, Math.floor((coordinate / worldSize) * width))
}
