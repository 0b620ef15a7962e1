"""Load on a running service, from processes of its own: closed loop (wrk, or Python) and open loop by the clock."""
