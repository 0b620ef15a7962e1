"""What goes out into the world: requests to addresses that somebody else has named."""
