-- What wrk runs: requests.lua WORK, a Lua file that returns headers, bodies and requests, each {method, path, body}.
-- With `follow`, the id in each answer takes the place of %s in that request's path, and it comes next.
-- With `rate`, so many requests are sent a second, as long as answers come in time; else as many as can be.
local requests, turn, pending, follow, rate = {}, 0, {}, nil, nil

function init(arguments)
  local work = dofile(arguments[1])
  local function request_of(each, path)
    return wrk.format(each[1], path or each[2], work.headers, work.bodies[each[3]])
  end
  for index, each in ipairs(work.requests) do requests[index] = request_of(each) end
  rate = work.rate
  if work.follow then
    follow = function(id) return request_of(work.follow, string.format(work.follow[2], id)) end
    response = function(_, _, body)
      local id = string.match(body, '"id": ?"(conv_[^"]+)"')
      if id then pending[#pending + 1] = id end
    end
  end
  if rate then delay = delay_until_due end
end

function request()
  if #pending > 0 then return follow(table.remove(pending)) end
  turn = turn % #requests + 1
  return requests[turn]
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
