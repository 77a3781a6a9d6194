-- Cycles through the lines of a file, each the value of one Authorization header. Requests are made before the clock
-- runs: on the way there is one table look-up a request, so the client stays cheaper than what it measures.
local requests = {}
local count = 0
local at = 0

function init(args)
  for line in io.lines(args[1]) do
    count = count + 1
    requests[count] = wrk.format("GET", nil, { ["authorization"] = line })
  end
end

function request()
  at = at + 1
  if at > count then
    at = 1
  end
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'result {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
