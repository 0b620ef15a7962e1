-- POST one body after the other, from a file with one JSON body a line; "@@" becomes an id that was never used.
-- wrk ... -s post.lua URL -- PATH BODIES PREFIX
local counter, id = 0, 0

function setup(thread)
  id = id + 1
  thread:set("number", id)
end

function init(args)
  local path, prefix = args[1], args[3]
  head = "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
  if args[4] then head = head .. "Authorization: Bearer " .. args[4] .. "\r\n" end
  bodies, made = {}, {}
  for line in io.lines(args[2]) do bodies[#bodies + 1] = line end
  unique = prefix .. "-" .. number .. "-"
  place = (number * 7919) % #bodies
end

local function whole(body)
  return head .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

function request()
  place = place % #bodies + 1
  local body = bodies[place]
  if not body:find("@@", 1, true) then
    local ready = made[place]
    if not ready then
      ready = whole(body)
      made[place] = ready
    end
    return ready
  end
  return whole((body:gsub("@@", function()
    counter = counter + 1
    return unique .. counter
  end)))
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "failed": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, e.status, e.connect + e.read + e.write + e.timeout))
end
