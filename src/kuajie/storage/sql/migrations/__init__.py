"""Migrations of the operational store, in order; `storage.sql.schema` runs them."""
