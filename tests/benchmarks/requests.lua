-- The script that wrk runs: requests.lua DATA, a Lua file that returns headers, bodies and requests, each
-- {method, path, index of its body}. With `rate`, it sends this number of requests per second, unless responses are late;
-- otherwise as many as possible. With `placeholder`, its place in a request is taken by `run` and a number, which no other
-- request has.
local requests, turn, rate, key = {}, 0, nil, nil

function init(arguments)
  local data = dofile(arguments[1])
  for index, request in ipairs(data.requests) do
    requests[index] = wrk.format(request[1], request[2], data.headers, data.bodies[request[3]])
  end
  if data.placeholder then
    for index, text in ipairs(requests) do
      local first, last = text:find(data.placeholder, 1, true)
      requests[index] = {text:sub(1, first - 1), text:sub(last + 1)}
    end
    key, request = {run = string.format("%d", data.run), number = 0}, request_with_key
  end
  rate = data.rate
  if rate then delay = delay_until_due end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function request_with_key()
  turn = turn % #requests + 1
  key.number = key.number + 1
  return requests[turn][1] .. key.run .. "-" .. key.number .. requests[turn][2]
end

local ffi = require("ffi")
ffi.cdef("struct moment { long seconds, nanoseconds; }; int clock_gettime(int clock, struct moment *now);")
local moment = ffi.new("struct moment")
local due

function delay_until_due()
  ffi.C.clock_gettime(1, moment)
  local now = tonumber(moment.seconds) * 1e3 + tonumber(moment.nanoseconds) / 1e6
  due = math.max((due or now) + 1e3 / rate, now - 1e3)
  return math.max(0, due - now)
end

function done(summary, latency)
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
