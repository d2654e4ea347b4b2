-- A sliding window over fine buckets: KEYS[1] is a hash of counts by bucket number,
-- and `grain`, their width in microseconds.
-- ARGV: limit, grain_us, grains, need, want, length_us, give_back, mark, debt
-- Answers: granted, life_us, retry_after_us, room, mark
local limit, grain, grains = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local need, want = tonumber(ARGV[4]), tonumber(ARGV[5])
local give_back, mark, debt = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local number = math.floor(now / grain)
local stored = redis.call('HGETALL', KEYS[1])
local counts, kept_grain = {}, grain
for i = 1, #stored, 2 do
  if stored[i] == 'grain' then
    kept_grain = tonumber(stored[i + 1])
  else
    counts[#counts + 1] = {tonumber(stored[i]), tonumber(stored[i + 1])}
  end
end
-- Counts that have left the window are deleted, whatever their width.
local sum, kept, first = 0, {}, math.floor(now / kept_grain) - grains
for _, count in ipairs(counts) do
  if count[1] < first then
    redis.call('HDEL', KEYS[1], string.format('%.0f', count[1]))
  else
    if give_back > 0 and kept_grain == grain and count[1] == mark then
      local unused = math.min(give_back, count[2])
      count[2] = count[2] - unused
      redis.call('HINCRBY', KEYS[1], string.format('%.0f', mark), 0 - unused)
    end
    sum = sum + count[2]
    kept[#kept + 1] = count
  end
end
-- Another length: the whole sum moves to now, so that nothing is forgotten early.
if kept_grain ~= grain then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], string.format('%.0f', number), sum)
  kept = {{number, sum}}
end

if debt > 0 then
  redis.call('HINCRBY', KEYS[1], string.format('%.0f', number), debt)
  sum = sum + debt
  kept[#kept + 1] = {number, debt}
end

local room = math.max(0, limit - sum)
local granted, retry_after_us, charged = 0, 0, number
if need <= room then
  granted = math.min(want, room)
  -- A grant is counted where its life ends, and lives as long as that fine bucket: so no window
  -- holds a unit that is not counted in it.
  charged = math.floor((now + tonumber(ARGV[6]) * granted / want) / grain)
  redis.call('HINCRBY', KEYS[1], string.format('%.0f', charged), granted)
else
  table.sort(kept, function(a, b) return a[1] < b[1] end)
  local left = sum
  for _, count in ipairs(kept) do
    left = left - count[2]
    if left <= limit - need then
      retry_after_us = math.max(1, (count[1] + grains + 1) * grain - now)
      break
    end
  end
end
redis.call('HSET', KEYS[1], 'grain', string.format('%.0f', grain))
redis.call('PEXPIRE', KEYS[1], math.ceil((grains + 2) * grain / 1000 + tonumber(ARGV[6]) / 1000) + 1000)
return {granted, math.floor((charged + 1) * grain - now), math.ceil(retry_after_us), room, charged}
