"""The operational store on SQLite, MariaDB/MySQL and PostgreSQL.

tables       what is stored
engine       how each database is spoken to, so that all answer alike
writer       one thread that commits what many callers wrote, together
events, catalogue, shown, access, export    the ports of `workflows.stores`
schema       migrations
store        all of it put together
"""
