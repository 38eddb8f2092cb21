"""The store of many machines: Redis 6.2 or newer, or Valkey, alone, behind Sentinel or as a Cluster."""

from .store import RedisStore

__all__ = ["RedisStore"]
