"""The store of one host: an SQLite file that all its processes share."""

from .store import SqliteStore

__all__ = ["SqliteStore"]
