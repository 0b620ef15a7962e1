"""Public test kit: contract suites, small worlds, fakes."""
