#!lua name=weir_v1
-- Weir's Redis Functions. All of a bucket's keys share one hash tag; KEYS[1] is always its fence.
--
-- A log     string: header, then fixed-size records in arrival order. Little endian throughout.
--           header (16): version u8 | 0 u8 | values u16 | generation u32 | base ordinal f64
--           record     : event time f64 | source f64 (lane * 2^44 + offset) | values f64 ...
-- The fence hash: lane id -> epoch f64 | applied offset f64 | frontier f64 | idle f64 | touched f64 |
--           committed f64 (offset of the next event to commit)
--
-- weir_claim   KEYS fence           ARGV lane, epoch wanted at least, '1' = exactly that one
--              reply {epoch, applied, committed} as text, or {-1, stored epoch, 0} when a later epoch is stored
-- weir_advance KEYS fence, log ...  ARGV request (layout below)
--              reply {'OK', fence entries or '', applied offset f64 per lane as it was before this
--                     call (or '' where it delivers nothing again),
--                     [place u32 | generation u32 | from f64, bytes of the records from there on] ...}
--                 or {'FENCED'|'LOST', lane, stored epoch, stored applied}
-- weir_frontiers KEYS fence         ARGV per own lane: id f64 | epoch f64 | frontier f64 | idle f64
--              reply: per lane id f64 | frontier f64 | idle f64 | touched f64
--
-- Invariant: a record is appended once: offsets that the fence holds as applied are skipped, and the
-- caller learns the log's true end instead. A call applies all of a bucket's records or none.

local HEADER_SIZE = 16
local LAYOUT_VERSION = 1
local FENCE_FORMAT = '<dddddd'
local SOURCE_LANE = 2 ^ 44

local function read_fence(value)
  return struct.unpack(FENCE_FORMAT, value)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function claim(keys, args)
  local lane, wanted, exactly = args[1], tonumber(args[2]), args[3] == '1'
  local stored = redis.call('HGET', keys[1], lane)
  local epoch, applied, frontier, committed, _ = 0, -1, -1, 0, nil
  if stored then
    epoch, applied, frontier, _, _, committed = read_fence(stored)
  end
  if exactly and epoch >= wanted then
    return { '-1', string.format('%.0f', epoch), '0' }
  end
  epoch = exactly and wanted or math.max(epoch + 1, wanted)
  redis.call('HSET', keys[1], lane,
    struct.pack(FENCE_FORMAT, epoch, applied, frontier, 0, now_ms(), committed))
  return { string.format('%.0f', epoch), string.format('%.0f', applied),
    string.format('%.0f', committed) }
end

local function pack_frontiers(keys)
  local all = redis.call('HGETALL', keys[1])
  local packed = {}
  for i = 1, #all, 2 do
    local _, _, frontier, idle, touched = read_fence(all[i + 1])
    packed[#packed + 1] = struct.pack('<dddd', tonumber(all[i]), frontier, idle, touched)
  end
  return table.concat(packed)
end

-- A lane that somebody else has claimed meanwhile is not the caller's to move.
local function frontiers(keys, args)
  for at = 1, #args[1], 32 do
    local lane, epoch, frontier, idle = struct.unpack('<dddd', args[1], at)
    local name = string.format('%.0f', lane)
    local stored = redis.call('HGET', keys[1], name)
    if stored then
      local held, applied, before, _, _, committed = read_fence(stored)
      if held == epoch then
        redis.call('HSET', keys[1], name, struct.pack(FENCE_FORMAT, epoch, applied,
          math.max(before, frontier), idle, now_ms(), committed))
      end
    end
  end
  return pack_frontiers(keys)
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

-- Request: nonce u32 | retention ms f64 | kept max u32 | kept after trim u32 | wants all lanes u8 |
--   lanes u16 | keys u32, then per lane: lane u16 | epoch f64 | applied before f64 | first f64 |
--   last f64 | frontier f64 | idle f64 | committed f64, then per key: known generation u32 | known end f64 |
--   record size u16 | flags u8 (1 = refresh expiry) | records u16, then its records.
local function advance(keys, args)
  -- Locals are found much faster than fields of global tables, and these are used per log. They
  -- cannot stand outside: the tables are not there yet while the library is loaded.
  local call, unpack_bytes, sub = redis.call, struct.unpack, string.sub
  local request = args[1]
  local nonce, retention, kept_max, kept_after, wants_lanes, lane_count, key_count, pos =
    unpack_bytes('<I4dI4I4BI2I4', request)
  local fence = keys[1]

  local lanes, names = {}, {}
  for i = 1, lane_count do
    local lane = {}
    lane.id, lane.epoch, lane.before, lane.first, lane.last, lane.frontier, lane.idle,
      lane.committed, pos = unpack_bytes('<I2ddddddd', request, pos)
    lanes[i] = lane
    names[i] = tostring(lane.id)
  end
  local stored = call('HMGET', fence, unpack(names))
  local applied, is_redelivered = {}, false
  for i = 1, lane_count do
    local lane = lanes[i]
    if not stored[i] then
      return { 'LOST', names[i], '0', '-1' }
    end
    local epoch, offset, frontier, _, _, committed = read_fence(stored[i])
    if epoch > lane.epoch then
      return { 'FENCED', names[i], string.format('%.0f', epoch), string.format('%.0f', offset) }
    end
    if epoch < lane.epoch or offset < lane.before then
      return { 'LOST', names[i], string.format('%.0f', epoch), string.format('%.0f', offset) }
    end
    applied[lane.id] = offset
    lane.frontier = math.max(lane.frontier, frontier)
    lane.committed = math.max(lane.committed, committed)
    if lane.first <= offset then is_redelivered = true end
  end

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
    local blob = sub(request, pos, pos + records * size - 1)
    pos = pos + records * size
    local is_as_sent = true
    if is_redelivered and records > 0 then
      local kept = skip_applied(blob, size, applied)
      is_as_sent = #kept == #blob
      blob = kept
    end

    -- Bounds as text: Redis would print numbers first, which costs more than the look-up.
    local header = call('GETRANGE', key, '0', '15')
    if #header == 0 then
      -- With records the key is made now; without, the caller must know nothing.
      local made = 0
      if #blob > 0 then
        made = (nonce + i) % 4294967296
        call('SET', key,
          struct.pack('<BBI2I4d', LAYOUT_VERSION, 0, (size - 16) / 8, made, 0) .. blob,
          'PX', string.format('%.0f', retention))
      end
      if known_end > 0 or generation > 0 or not is_as_sent then
        reply[#reply + 1] = struct.pack('<I4I4d', i - 1, made, 0)
        reply[#reply + 1] = blob
      end
    else
      local version, _, _, now, base = unpack_bytes('<BBI2I4d', header)
      if version ~= LAYOUT_VERSION then
        return redis.error_reply('WEIR layout version ' .. version .. ' in ' .. key)
      end
      local length = #blob > 0 and call('APPEND', key, blob) or call('STRLEN', key)
      local log_end = base + (length - HEADER_SIZE) / size
      if flags == 1 then
        call('PEXPIRE', key, string.format('%.0f', retention))
      end
      if now ~= generation or log_end ~= known_end + records or not is_as_sent then
        local from = base
        if now == generation and known_end >= base and known_end <= log_end then
          from = known_end
        end
        reply[#reply + 1] = struct.pack('<I4I4d', i - 1, now, from)
        reply[#reply + 1] =
          call('GETRANGE', key, HEADER_SIZE + (from - base) * size, -1)
      end
      if log_end - base > kept_max then
        local kept = call('GETRANGE', key, -kept_after * size, -1)
        call('SET', key,
          struct.pack('<BBI2I4d', LAYOUT_VERSION, 0, (size - 16) / 8, now, log_end - kept_after) ..
          kept, 'KEEPTTL')
      end
    end
  end

  local touched, entries = now_ms(), {}
  for i = 1, lane_count do
    local lane = lanes[i]
    entries[#entries + 1] = names[i]
    entries[#entries + 1] = struct.pack(FENCE_FORMAT, lane.epoch,
      math.max(applied[lane.id], lane.last), lane.frontier, lane.idle, touched, lane.committed)
  end
  call('HSET', fence, unpack(entries))
  if wants_lanes == 1 then
    reply[2] = pack_frontiers(keys)
  end
  return reply
end

redis.register_function('weir_claim', claim)
redis.register_function('weir_advance', advance)
redis.register_function('weir_frontiers', frontiers)
