"""What processes share for a while and can lose: in memory, or in Redis (`workflows.stores.Cache`)."""
