-- Gives back units of a sliding window (window.lua) that were taken a while ago. KEYS[1] is its hash.
-- ARGV: grain_us, grains, units, age_us. Answers: the units that still counted.
local grain, grains = tonumber(ARGV[1]), tonumber(ARGV[2])
local units, age = tonumber(ARGV[3]), tonumber(ARGV[4])

-- Another length since: where the units were counted is not known.
if tonumber(redis.call('HGET', KEYS[1], 'grain') or 0) ~= grain then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local number, first = math.floor((now - age) / grain), math.floor(now / grain) - grains
local given = 0
-- A grant is counted where its life ends, which may be one fine bucket later.
for _, at in ipairs({number, number + 1, number - 1}) do
  local field = string.format('%.0f', at)
  local part = math.min(tonumber(redis.call('HGET', KEYS[1], field) or 0), units - given)
  if at >= first and part > 0 then
    redis.call('HINCRBY', KEYS[1], field, 0 - part)
    given = given + part
  end
end
return given
