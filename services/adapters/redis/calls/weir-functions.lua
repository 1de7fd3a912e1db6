#!lua name=weir_VERSION
-- Weir's Redis Functions. All of a bucket's keys share one hash tag; KEYS[1] is always its fence.
-- VERSION is replaced by a hash of this file, so that two versions can stand beside each other.
--
-- A log     string: header, folded part if there is one, then fixed-size records in arrival order.
--           Little endian throughout.
--           header (16): version u8 | folded u8 | values u16 | generation u32 | base ordinal f64
--           folded part: length u32 | bytes that only the scorers read (log-layout.ts)
--           record     : event time f64 | source f64 (lane * 2^44 + offset) | values f64 ...
-- The fence hash: lane id -> epoch f64 | applied offset f64 | frontier f64 | idle f64 | touched f64
-- |
--           committed f64 (offset of the next event to commit)
--           restore -> deadline ms, blank, token of who is putting the bucket back together
--           whole   -> token of the time when the bucket was last found whole
--
-- claim   KEYS fence          ARGV lane, epoch wanted at least, '1' = exactly that one
--                 reply {epoch, applied, committed} as text, or {-1, stored epoch, 0} when a later epoch is stored
-- confirm KEYS fence          ARGV lane, epoch, committed, all lanes' ids joined by commas
--                 reply {'READY'|'WAITING'|'LOST'|'FENCED', applied}
-- advance KEYS fence, log ... ARGV request (layout below)
--                 reply {'OK', fence entries or '', applied offset f64 per lane as it was before this
--                        call (or '' where it delivers nothing again),
--                        [place u32 | generation u32 | from f64 | folded bytes u32 or 2^32-1 for none told,
--                         folded part and records from there on] ...}
--                    or {'FENCED'|'LOST'|'UNSURE', lane, stored epoch, stored applied}
--                    or {'FOREIGN', key, layout version}
-- touch   KEYS fence          ARGV per own lane: id f64 | epoch f64 | frontier f64 | idle f64 | committed f64
--                 reply {'OK'|'UNSURE', per lane id f64 | frontier f64 | idle f64 | touched f64 | committed f64}
-- restore KEYS fence, log ... ARGV verb, token, ...: see below
--
-- Invariant: a record is appended once: offsets that the fence holds as applied are skipped, and
-- the caller learns the log's true end instead. A call applies all of a bucket's records or none:
-- what can fail is looked at before anything is written.

local HEADER_SIZE = 16
local LAYOUT_VERSION = 2
local FENCE_FORMAT = '<dddddd'
local SOURCE_LANE = 2 ^ 44
local NOTHING_FOLDED = 4294967295
local RESTORE, WHOLE = 'restore', 'whole'

-- What this server process knows, and no replica, snapshot or successor of it: which buckets have
-- been found whole since it began to answer, and which lanes have said what they committed. A
-- server that was restarted or promoted starts without, so it trusts nothing that it holds until
-- all lanes have spoken. A server that was demoted and is promoted again may have kept its memory:
-- its replication id tells. A slot that moved away in a cluster and came back: the token in the
-- fence tells.
local ready, confirmed = {}, {}
-- Fences of pipelines and layouts that nobody uses any more are forgotten, so that neither table
-- grows for ever: once there are many, those that were not heard of for FORGET_MS. Who does come
-- back finds nothing known of it, as with a server that is new.
local FORGET_MS, FORGET_FROM = 3600000, 1024
local heard, heard_count, forget_at = {}, 0, FORGET_FROM

local function hear(fence, time_ms)
  if heard[fence] == nil then heard_count = heard_count + 1 end
  heard[fence] = time_ms
  if heard_count <= forget_at then return end
  for other, last_ms in pairs(heard) do
    if other ~= fence and time_ms - last_ms >= FORGET_MS then
      heard[other], ready[other], confirmed[other] = nil, nil, nil
      heard_count = heard_count - 1
    end
  end
  forget_at = math.max(FORGET_FROM, 2 * heard_count)
end

local function replication_id()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

local function is_whole(fence, token)
  local known = ready[fence]
  return known and known.token == token and known.reign == replication_id()
end

-- Fields that are not lanes.
local function is_lane(field)
  return field ~= RESTORE and field ~= WHOLE
end

local function read_fence(value)
  return struct.unpack(FENCE_FORMAT, value)
end

local function as_text(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function claim(keys, args)
  local fence, lane, wanted, exactly = keys[1], args[1], tonumber(args[2]), args[3] == '1'
  local stored = redis.call('HGET', fence, lane)
  local epoch, applied, frontier, committed, _ = 0, -1, -1, 0, nil
  if stored then
    epoch, applied, frontier, _, _, committed = read_fence(stored)
  end
  if exactly and epoch >= wanted then
    return { '-1', as_text(epoch), '0' }
  end
  epoch = exactly and wanted or math.max(epoch + 1, wanted)
  redis.call('HSET', fence, lane,
    struct.pack(FENCE_FORMAT, epoch, applied, frontier, 0, now_ms(), committed))
  return { as_text(epoch), as_text(applied), as_text(committed) }
end

-- Whether all lanes have spoken since this server began, and nothing is missing.
local function judge(fence, ids)
  local restoring = redis.call('HGET', fence, RESTORE)
  if restoring then
    local deadline = tonumber(string.match(restoring, '^%d+'))
    return deadline > now_ms() and 'WAITING' or 'LOST'
  end
  local is_lost = false
  for id in string.gmatch(ids, '%d+') do
    local stored = redis.call('HGET', fence, id)
    if not stored then return 'WAITING' end
    local epoch, applied, _, _, _, committed = read_fence(stored)
    -- A lane that was claimed again since has to speak again.
    if confirmed[fence].epochs[id] ~= epoch then return 'WAITING' end
    is_lost = is_lost or applied < committed - 1
  end
  return is_lost and 'LOST' or 'READY'
end

local function confirm(keys, args)
  local fence, lane, epoch, told = keys[1], args[1], tonumber(args[2]), tonumber(args[3])
  local stored = redis.call('HGET', fence, lane)
  if not stored then return { 'FENCED', '-1' } end
  local held, applied, frontier, idle, _, committed = read_fence(stored)
  if held ~= epoch then return { 'FENCED', as_text(applied) } end
  committed = math.max(committed, told)
  redis.call('HSET', fence, lane,
    struct.pack(FENCE_FORMAT, epoch, applied, frontier, idle, now_ms(), committed))
  local reign = replication_id()
  hear(fence, now_ms())
  if not confirmed[fence] or confirmed[fence].reign ~= reign then
    confirmed[fence] = { reign = reign, epochs = {} }
  end
  confirmed[fence].epochs[lane] = epoch
  if applied >= committed - 1 and is_whole(fence, redis.call('HGET', fence, WHOLE)) then
    return { 'READY', as_text(applied) }
  end
  ready[fence] = nil
  local status = judge(fence, args[4])
  if status == 'READY' then
    local time = redis.call('TIME')
    local token = reign .. ' ' .. time[1] .. ' ' .. time[2]
    redis.call('HSET', fence, WHOLE, token)
    ready[fence] = { token = token, reign = reign }
  end
  return { status, as_text(applied) }
end

local function pack_frontiers(fence)
  local all = redis.call('HGETALL', fence)
  local packed = {}
  for i = 1, #all, 2 do
    if is_lane(all[i]) then
      local _, _, frontier, idle, touched, committed = read_fence(all[i + 1])
      packed[#packed + 1] =
        struct.pack('<ddddd', tonumber(all[i]), frontier, idle, touched, committed)
    end
  end
  return table.concat(packed)
end

-- A lane that somebody else has claimed meanwhile is not the caller's to move.
local function touch(keys, args)
  local fence = keys[1]
  if confirmed[fence] then hear(fence, now_ms()) end
  for at = 1, #args[1], 40 do
    local lane, epoch, frontier, idle, committed = struct.unpack('<ddddd', args[1], at)
    local name = as_text(lane)
    local stored = redis.call('HGET', fence, name)
    if stored then
      local held, applied, before, _, _, known = read_fence(stored)
      if held == epoch then
        redis.call('HSET', fence, name, struct.pack(FENCE_FORMAT, epoch, applied,
          math.max(before, frontier), idle, now_ms(), math.max(known, committed)))
      end
    end
  end
  local is_ready = is_whole(fence, redis.call('HGET', fence, WHOLE))
  return { is_ready and 'OK' or 'UNSURE', pack_frontiers(fence) }
end

-- Records whose offset their lane has applied before are left out.
local function skip_applied(blob, size, applied)
  local kept = {}
  for at = 1, #blob, size do
    local source = struct.unpack('<d', blob, at + 8)
    local lane = math.floor(source / SOURCE_LANE)
    if source % SOURCE_LANE > applied[lane] then
      kept[#kept + 1] = string.sub(blob, at, at + size - 1)
    end
  end
  return table.concat(kept)
end

-- Request: nonce u32 | retention ms f64 | wants all lanes u8 | lanes u16 | keys u32, then per lane:
--   lane u16 | epoch f64 | applied before f64 | first f64 | last f64 | frontier f64 | idle f64 | committed f64,
--   then per key: known generation u32 | known end f64 | record size u16 | flags u8 (1 = refresh expiry,
--   2 = fold) | records u16, if it folds: base f64 that it knows | base f64 from then on | length u32 |
--   folded part, then its records.
--
-- The headers of all logs, read before any of them is written: the place of the first that another
-- layout has, with its version. A key that is no log at all fails here as well.
local function read_headers(keys, request, key_count, pos)
  local call, unpack_bytes, byte = redis.call, struct.unpack, string.byte
  local headers = {}
  for i = 1, key_count do
    -- Behind the 12 bytes of generation and end.
    local size, flags, records
    size, flags, records, pos = unpack_bytes('<I2BI2', request, pos + 12)
    if flags >= 2 then
      -- Behind two bases.
      local folded_size
      folded_size, pos = unpack_bytes('<I4', request, pos + 16)
      pos = pos + folded_size
    end
    pos = pos + records * size
    -- Bounds as text: Redis would print numbers first, which costs more than the look-up.
    local header = call('GETRANGE', keys[i + 1], '0', '19')
    if #header > 0 and (byte(header) ~= LAYOUT_VERSION or #header < HEADER_SIZE) then
      return headers, i, byte(header)
    end
    headers[i] = header
  end
  return headers
end

local function advance(keys, args)
  -- Locals are found much faster than fields of global tables, and these are used per log. They
  -- cannot stand outside: the tables are not there yet while the library is loaded.
  local call, unpack_bytes, sub = redis.call, struct.unpack, string.sub
  local request = args[1]
  local nonce, retention, wants_lanes, lane_count, key_count, pos =
    unpack_bytes('<I4dBI2I4', request)
  local fence = keys[1]

  local lanes, names = {}, {}
  for i = 1, lane_count do
    local lane = {}
    lane.id, lane.epoch, lane.before, lane.first, lane.last, lane.frontier, lane.idle,
      lane.committed, pos = unpack_bytes('<I2ddddddd', request, pos)
    lanes[i] = lane
    names[i] = tostring(lane.id)
  end
  names[lane_count + 1] = WHOLE
  local stored = call('HMGET', fence, unpack(names))
  if not is_whole(fence, stored[lane_count + 1]) then return { 'UNSURE', '0', '0', '-1' } end
  local applied, is_redelivered = {}, false
  for i = 1, lane_count do
    local lane = lanes[i]
    if not stored[i] then
      ready[fence] = nil
      return { 'LOST', names[i], '0', '-1' }
    end
    local epoch, offset, frontier, _, _, committed = read_fence(stored[i])
    if epoch > lane.epoch then
      return { 'FENCED', names[i], as_text(epoch), as_text(offset) }
    end
    if epoch < lane.epoch or offset < lane.before then
      ready[fence] = nil
      return { 'LOST', names[i], as_text(epoch), as_text(offset) }
    end
    applied[lane.id] = offset
    lane.frontier = math.max(lane.frontier, frontier)
    lane.committed = math.max(lane.committed, committed)
    if lane.first <= offset then is_redelivered = true end
  end

  local headers, foreign, version = read_headers(keys, request, key_count, pos)
  if foreign then return { 'FOREIGN', keys[foreign + 1], as_text(version) } end
  local reply = { 'OK', '', '' }
  if is_redelivered then
    local before = {}
    for i = 1, lane_count do before[i] = struct.pack('<d', applied[lanes[i].id]) end
    reply[3] = table.concat(before)
  end
  for i = 1, key_count do
    local generation, known_end, size, flags, records
    generation, known_end, size, flags, records, pos = unpack_bytes('<I4dI2BI2', request, pos)
    local key = keys[i + 1]
    local folds, known_base, next_base, folded = flags >= 2, 0, 0, ''
    if folds then
      local folded_size
      known_base, next_base, folded_size, pos = unpack_bytes('<ddI4', request, pos)
      folded = sub(request, pos, pos + folded_size - 1)
      pos = pos + folded_size
    end
    local blob = sub(request, pos, pos + records * size - 1)
    pos = pos + records * size
    local is_as_sent = true
    if is_redelivered and records > 0 then
      local kept = skip_applied(blob, size, applied)
      is_as_sent = #kept == #blob
      blob = kept
    end

    local header = headers[i]
    if #header == 0 then
      -- With records the key is made now; without, the caller must know nothing.
      local made = 0
      if #blob > 0 then
        made = (nonce + i) % 4294967296
        call('SET', key,
          struct.pack('<BBI2I4d', LAYOUT_VERSION, 0, (size - 16) / 8, made, 0) .. blob,
          'PX', as_text(retention))
      end
      if known_end > 0 or generation > 0 or not is_as_sent then
        reply[#reply + 1] = struct.pack('<I4I4dI4', i - 1, made, 0, 0)
        reply[#reply + 1] = blob
      end
    else
      local _, has_folded, values, now, base = unpack_bytes('<BBI2I4d', header)
      local folded_size = has_folded == 1 and unpack_bytes('<I4', header, 17) or 0
      local data_from = HEADER_SIZE + (has_folded == 1 and 4 + folded_size or 0)
      local length
      -- Somebody else has folded meanwhile: the caller's fold does not fit, it gets the log anew.
      local is_stale = folds and (now ~= generation or base ~= known_base)
      if folds and not is_stale then
        local kept = call('GETRANGE', key, as_text(data_from + (next_base - base) * size), '-1')
        local whole = struct.pack('<BBI2I4dI4', LAYOUT_VERSION, 1, values, now, next_base, #folded) ..
          folded .. kept .. blob
        call('SET', key, whole, 'KEEPTTL')
        base, folded_size, data_from = next_base, #folded, HEADER_SIZE + 4 + #folded
        has_folded, length = 1, #whole
      else
        length = #blob > 0 and call('APPEND', key, blob) or call('STRLEN', key)
      end
      local log_end = base + (length - data_from) / size
      if flags % 2 == 1 then
        call('PEXPIRE', key, as_text(retention))
      end
      if now ~= generation or log_end ~= known_end + records or not is_as_sent or is_stale then
        local from, told_from, told_folded = base, HEADER_SIZE, folded_size
        if has_folded == 1 then told_from = told_from + 4 end
        if now == generation and known_end >= base and known_end <= log_end and not is_stale then
          from, told_folded = known_end, NOTHING_FOLDED
          told_from = data_from + (from - base) * size
        end
        reply[#reply + 1] = struct.pack('<I4I4dI4', i - 1, now, from, told_folded)
        reply[#reply + 1] = call('GETRANGE', key, as_text(told_from), '-1')
      end
    end
  end

  local touched, entries = now_ms(), {}
  hear(fence, touched)
  for i = 1, lane_count do
    local lane = lanes[i]
    entries[#entries + 1] = names[i]
    entries[#entries + 1] = struct.pack(FENCE_FORMAT, lane.epoch,
      math.max(applied[lane.id], lane.last), lane.frontier, lane.idle, touched, lane.committed)
  end
  call('HSET', fence, unpack(entries))
  if wants_lanes == 1 then
    reply[2] = pack_frontiers(fence)
  end
  return reply
end

-- Putting a bucket back together, by one caller at a time, who holds it by a token with a lease:
--   begin  token, lease ms                    -> {'OK', per lane id f64 | epoch f64 | applied f64 | committed f64}
--                                                or {'BUSY'}; nobody advances until the bucket is found whole again
--   read   token, lease ms                    -> {'OK', the logs as they are stored, '' where there is none ...}
--   write  token, lease ms, retention ms, log ... -> {'OK'}: each log replaced by what is given
--   finish token, per lane id f64 | applied f64   -> {'OK'}: the bucket is whole up to these offsets
--   leave  token                              -> {'OK'}: nothing was changed, or what was is whole
-- Every verb but begin is refused with {'LEASE_GONE'} when somebody else holds the bucket
-- meanwhile.
local function restore(keys, args)
  local fence, verb, token = keys[1], args[1], args[2]
  local held = redis.call('HGET', fence, RESTORE)
  local is_mine = held and string.match(held, '^%d+ (.*)$') == token
  if verb == 'begin' then
    if held and not is_mine and tonumber(string.match(held, '^%d+')) > now_ms() then
      return { 'BUSY' }
    end
    ready[fence] = nil
    redis.call('HSET', fence, RESTORE, as_text(now_ms() + tonumber(args[3])) .. ' ' .. token)
    local all, packed = redis.call('HGETALL', fence), {}
    for i = 1, #all, 2 do
      if is_lane(all[i]) then
        local epoch, applied, _, _, _, committed = read_fence(all[i + 1])
        packed[#packed + 1] = struct.pack('<dddd', tonumber(all[i]), epoch, applied, committed)
      end
    end
    return { 'OK', table.concat(packed) }
  end
  if not is_mine then return { 'LEASE_GONE' } end
  if verb == 'read' or verb == 'write' then
    redis.call('HSET', fence, RESTORE, as_text(now_ms() + tonumber(args[3])) .. ' ' .. token)
  end
  if verb == 'read' then
    local logs = {}
    for i = 2, #keys do logs[#logs + 1] = redis.call('GET', keys[i]) or '' end
    return { 'OK', unpack(logs) }
  end
  if verb == 'write' then
    for i = 2, #keys do
      redis.call('SET', keys[i], args[i + 3], 'PX', args[4])
    end
    return { 'OK' }
  end
  if verb == 'finish' then
    for at = 1, #args[3], 16 do
      local lane, offset = struct.unpack('<dd', args[3], at)
      local name = as_text(lane)
      local stored = redis.call('HGET', fence, name)
      local epoch, applied, frontier, idle, touched, committed = 0, -1, -1, 0, 0, 0
      if stored then
        epoch, applied, frontier, idle, touched, committed = read_fence(stored)
      end
      redis.call('HSET', fence, name, struct.pack(FENCE_FORMAT, epoch, math.max(applied, offset),
        frontier, idle, touched, committed))
    end
  end
  redis.call('HDEL', fence, RESTORE)
  return { 'OK' }
end

-- At maxmemory only what makes logs longer is refused: a fence has one small field per lane, so
-- lanes can still be claimed, confirmed and given back, and all of them hear how far the others
-- are.
local function register(name, callback, flags)
  redis.register_function({
    function_name = 'weir_VERSION_' .. name,
    callback = callback,
    flags = flags,
  })
end

register('claim', claim, { 'allow-oom' })
register('confirm', confirm, { 'allow-oom' })
register('advance', advance, {})
register('touch', touch, { 'allow-oom' })
register('restore', restore, {})
