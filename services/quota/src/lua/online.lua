-- Stores one gateway's viewers of one room. KEYS[1]: the room's hash, gateway -> "viewers:until".
-- ARGV: gateway, viewers, milliseconds until its count lapses. Returns the sum of those
-- that have not lapsed.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local viewers, life_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
if viewers > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%d:%d', viewers, now_ms + life_ms))
  redis.call('PEXPIRE', KEYS[1], 2 * life_ms)
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
local sum, all = 0, redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local count, until_ms = string.match(all[at + 1], '^(%d+):(%d+)$')
  if until_ms and tonumber(until_ms) > now_ms then
    sum = sum + tonumber(count)
  else
    redis.call('HDEL', KEYS[1], all[at])
  end
end
return sum
