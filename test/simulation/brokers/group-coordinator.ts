// A consumer group as its coordinator keeps it: members, generations, sessions, committed offsets.
//
//   join (all of them, or the rebalance timeout) ─► sync (the leader's assignment) ─► stable ─► join ...
//
// In: the requests of members. Out: their answers, some of which wait for other members. Refused:
// what Kafka refuses, with its errors. Invariant: at most one generation is in force; a member that
// is not heard of for its session timeout is gone.

import type { Timer, VirtualTime } from '../virtual-time.ts'
import { protocolError } from './protocol-error.ts'

export type JoinRequest = {
  readonly memberId: string
  readonly sessionTimeout: number
  readonly rebalanceTimeout: number
  readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[]
}

export type SyncRequest = {
  readonly memberId: string
  readonly generationId: number
  readonly groupAssignment: readonly {
    readonly memberId: string
    readonly memberAssignment: Buffer
  }[]
}

type Waiting<T> = { readonly resolve: (value: T) => void; readonly reject: (error: Error) => void }
type Joined = {
  readonly generationId: number
  readonly leaderId: string
  readonly memberId: string
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[]
  readonly groupProtocol: string
}
type Synced = { readonly memberAssignment: Buffer }

type Member = {
  readonly id: string
  request: JoinRequest
  joining: Waiting<Joined> | null
  syncing: Waiting<Synced> | null
  /** Has asked for its share of this generation. */
  hasSynced: boolean
  session: Timer | null
}

export type Committed = { readonly offset: number; readonly metadata: string }

export class GroupCoordinator {
  readonly offsets = new Map<string, Committed>()
  generation = 0
  readonly #time: VirtualTime
  /** Kafka waits so long for more members when a group is new. */
  readonly #firstJoinMs: number
  readonly #members = new Map<string, Member>()
  #state: 'empty' | 'joining' | 'syncing' | 'stable' = 'empty'
  #leaderId = ''
  #assignments = new Map<string, Buffer>()
  #deadline: Timer | null = null
  #waitsOut = false
  #names = 0

  constructor(time: VirtualTime, firstJoinMs: number) {
    this.#time = time
    this.#firstJoinMs = firstJoinMs
  }

  get memberCount(): number {
    return this.#members.size
  }

  join(request: JoinRequest): Promise<Joined> {
    const id = request.memberId === '' ? `member-${++this.#names}` : request.memberId
    const known = this.#members.get(id)
    if (known === undefined && request.memberId !== '') throw protocolError('UNKNOWN_MEMBER_ID')
    const member = known ?? {
      id,
      request,
      joining: null,
      syncing: null,
      hasSynced: false,
      session: null,
    }
    member.request = request
    this.#members.set(id, member)
    member.syncing?.reject(protocolError('REBALANCE_IN_PROGRESS'))
    member.syncing = null
    const isFirst = this.#state === 'empty'
    return new Promise((resolve, reject) => {
      member.joining = { resolve, reject }
      this.#hear(member)
      this.#beginJoining(isFirst)
    })
  }

  sync({ memberId, generationId, groupAssignment }: SyncRequest): Promise<Synced> {
    const member = this.#demand(memberId, generationId)
    if (this.#state === 'joining') throw protocolError('REBALANCE_IN_PROGRESS')
    this.#hear(member)
    return new Promise((resolve, reject) => {
      member.syncing = { resolve, reject }
      member.hasSynced = true
      if (this.#state === 'syncing' && memberId === this.#leaderId) {
        this.#assignments = new Map(
          groupAssignment.map((each) => [each.memberId, each.memberAssignment]),
        )
        this.#state = 'stable'
      }
      if (this.#state === 'stable') this.#answerSyncs()
    })
  }

  heartbeat(memberId: string, generationId: number): void {
    const member = this.#demand(memberId, generationId)
    this.#hear(member)
    if (this.#state === 'joining') throw protocolError('REBALANCE_IN_PROGRESS')
  }

  leave(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) throw protocolError('UNKNOWN_MEMBER_ID')
    this.#remove(member)
  }

  /** As when an operator restarts something or a partition is added. */
  rebalance(): void {
    if (this.#state !== 'empty') this.#beginJoining(false)
  }

  #demand(memberId: string, generationId: number): Member {
    const member = this.#members.get(memberId)
    if (member === undefined) throw protocolError('UNKNOWN_MEMBER_ID')
    if (generationId !== this.generation) throw protocolError('ILLEGAL_GENERATION')
    return member
  }

  #hear(member: Member): void {
    if (member.session !== null) this.#time.cancel(member.session)
    const expire = (): void => {
      // Whoever waits for the others is not silent.
      if (member.joining !== null) this.#hear(member)
      else this.#remove(member)
    }
    member.session = this.#time.after(member.request.sessionTimeout, expire, null)
  }

  #remove(member: Member): void {
    if (member.session !== null) this.#time.cancel(member.session)
    this.#members.delete(member.id)
    member.joining?.reject(protocolError('UNKNOWN_MEMBER_ID'))
    member.syncing?.reject(protocolError('UNKNOWN_MEMBER_ID'))
    if (this.#members.size === 0) {
      this.#state = 'empty'
      this.generation++
      if (this.#deadline !== null) this.#time.cancel(this.#deadline)
      this.#deadline = null
    } else this.#beginJoining(false)
  }

  /** A group that begins waits out its time; later all members are waited for, up to a deadline. */
  #beginJoining(isFirst: boolean): void {
    if (this.#state !== 'joining') {
      this.#state = 'joining'
      this.#waitsOut = isFirst
      const members = [...this.#members.values()]
      for (const member of members) {
        member.syncing?.reject(protocolError('REBALANCE_IN_PROGRESS'))
        member.syncing = null
      }
      const longestMs = Math.max(...members.map(({ request }) => request.rebalanceTimeout))
      const waitMs = isFirst ? this.#firstJoinMs : longestMs
      this.#deadline = this.#time.after(waitMs, () => this.#endJoining(), null)
    }
    const hasAll = [...this.#members.values()].every(({ joining }) => joining !== null)
    if (hasAll && !this.#waitsOut) this.#endJoining()
  }

  #endJoining(): void {
    if (this.#deadline !== null) this.#time.cancel(this.#deadline)
    this.#deadline = null
    for (const member of [...this.#members.values()]) {
      if (member.joining !== null) continue
      if (member.session !== null) this.#time.cancel(member.session)
      this.#members.delete(member.id)
    }
    const members = [...this.#members.values()]
    if (members.length === 0) {
      this.#state = 'empty'
      return
    }
    this.generation++
    this.#state = 'syncing'
    if (!this.#members.has(this.#leaderId)) this.#leaderId = members[0]!.id
    this.#assignments = new Map()
    this.#expectSyncs(members)
    const all = members.map(({ id, request }) => ({
      memberId: id,
      memberMetadata: request.groupProtocols[0]!.metadata,
    }))
    for (const member of members) {
      const { joining, id } = member
      member.joining = null
      member.hasSynced = false
      joining!.resolve({
        generationId: this.generation,
        leaderId: this.#leaderId,
        memberId: id,
        members: id === this.#leaderId ? all : [],
        groupProtocol: member.request.groupProtocols[0]!.name,
      })
    }
  }

  /** Whoever has joined and does not ask for its share in time is gone. */
  #expectSyncs(members: readonly Member[]): void {
    const { generation } = this
    const waitMs = Math.max(...members.map(({ request }) => request.rebalanceTimeout))
    const expire = (): void => {
      if (this.generation !== generation || this.#state === 'joining') return
      for (const member of members) {
        if (!member.hasSynced && this.#members.get(member.id) === member) this.#remove(member)
      }
    }
    this.#time.after(waitMs, expire, null)
  }

  #answerSyncs(): void {
    for (const member of this.#members.values()) {
      const { syncing } = member
      member.syncing = null
      syncing?.resolve({ memberAssignment: this.#assignments.get(member.id) ?? Buffer.alloc(0) })
    }
  }
}
