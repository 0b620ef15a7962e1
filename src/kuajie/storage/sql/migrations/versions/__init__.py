"""One file each, never changed once released."""
