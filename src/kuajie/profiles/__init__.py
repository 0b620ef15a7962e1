"""Profiles: what is known of people, how surely and until when; segments of them, and what sets each apart."""
