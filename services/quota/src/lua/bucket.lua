-- A token bucket. KEYS[1] is its hash: `owed` units had not drained at `at` microseconds.
-- ARGV: units, per_us, burst, reserve, need, want, length_us, give_back, debt
-- Answers: granted, life_us, retry_after_us, room, mark
local units, per_us, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local need, want, length_us = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[1], 'owed', 'at')
local owed, at = tonumber(state[1] or 0), tonumber(state[2] or now)
-- A clock that steps back drains nothing.
now = math.max(now, at)
owed = math.max(0, owed - (now - at) * units / per_us - tonumber(ARGV[8]))
owed = math.min(owed + tonumber(ARGV[9]), burst)

-- Leases leave the reserve untouched. A single cost that needs it can have it, without a batch.
local cap = burst - tonumber(ARGV[4])
if need > cap then
  cap = burst
  want = need
end
-- The millionth compensates rounding; it is no unit.
local room = math.max(0, math.floor(cap - owed + 1e-6))
local granted, retry_after_us = 0, 0
if need <= room then
  granted = math.min(want, room)
else
  retry_after_us = math.ceil((owed + need - cap) * per_us / units)
end
owed = owed + granted
redis.call('HSET', KEYS[1], 'owed', string.format('%.17g', owed), 'at', string.format('%.0f', now))
-- A drained bucket may expire: a new one decides the same.
redis.call('PEXPIRE', KEYS[1], math.ceil(owed * per_us / units / 1000) + 1000)

-- A short grant is spent at once and needs no long life.
local life_us = math.min(length_us, 2 * length_us * granted / want)
return {granted, math.floor(life_us), retry_after_us, room, 0}
