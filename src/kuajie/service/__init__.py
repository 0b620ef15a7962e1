"""The HTTP service: it translates requests into workflows, and their results into answers (extra `service`)."""
