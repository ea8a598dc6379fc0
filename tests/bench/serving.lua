-- What wrk asks: lines of a file by chance, each a path and, after a tab, the tag of a known answer.
-- Arguments: the file, and the milliseconds a client thinks before it asks, on average.

local seeds = 0
local requests = {}

function setup(thread)
   seeds = seeds + 1
   thread:set("seed", seeds)
end

function init(args)
   math.randomseed(seed)
   for line in io.lines(args[1]) do
      local path, tag = line:match("^([^\t]+)\t?(.*)$")
      local headers = {}
      if tag ~= "" then headers["If-None-Match"] = tag end
      requests[#requests + 1] = wrk.format("GET", path, headers)
   end
   local think = tonumber(args[2])
   if think > 0 then
      function delay() return math.random(0, 2 * think) end
   end
end

function request()
   return requests[math.random(#requests)]
end

function done(summary, latency, _)
   local errors = summary.errors
   io.write(string.format(
      '{"answers": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d}\n',
      summary.requests, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
