-- What wrk runs: requests.lua REQUESTS, a Lua file that gives method, headers, bodies and paths.
-- With `follow` the id in each answer is put in the place of %s in that path, and a request to it comes next.
local requests, follow, pending, turn = {}, nil, {}, 0

function init(arguments)
  local work = dofile(arguments[1])
  for index, path in ipairs(work.paths) do
    requests[index] = wrk.format(work.method, path, work.headers, work.bodies[1])
  end
  if work.follow then
    follow = function(id) return wrk.format("POST", string.format(work.follow, id), work.headers, work.bodies[2]) end
    response = function(_, _, body)
      local id = string.match(body, '"id": ?"(conv_[^"]+)"')
      if id then pending[#pending + 1] = id end
    end
  end
end

function request()
  if #pending > 0 then return follow(table.remove(pending)) end
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
