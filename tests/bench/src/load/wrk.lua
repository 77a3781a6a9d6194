-- Sends what a file holds: templates in turn, with a number in its place. Templates are made before the clock runs: on
-- the way there are a table look-up and at most one concatenation a request, so the client stays cheaper than what it
-- measures.
local befores, afters = {}, {}
local count, at = 0, 0
local numbers, each = 1, 1
local floor = math.floor

-- file, how many numbers, requests for each number, requests that were sent in earlier runs
function init(args)
  local file = io.open(args[1], "rb")
  numbers, each, at = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  while true do
    local before, after = file:read("*n", "*n")
    if not before then
      break
    end
    file:read(1)
    count = count + 1
    befores[count] = file:read(before)
    afters[count] = false
    if after >= 0 then
      afters[count] = after > 0 and file:read(after) or ""
    end
  end
  file:close()
end

function request()
  local index = at % count + 1
  local after = afters[index]
  local number = floor(at / each) % numbers
  at = at + 1
  if after then
    return befores[index] .. number .. after
  end
  return befores[index]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'result {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
