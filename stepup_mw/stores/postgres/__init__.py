"""The store of many machines for those who have PostgreSQL (14 or newer) and no Redis."""

from .store import PostgresStore

__all__ = ["PostgresStore"]
