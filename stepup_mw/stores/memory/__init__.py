"""The store of one process: nothing outlives it."""

from .store import MemoryStore

__all__ = ["MemoryStore"]
