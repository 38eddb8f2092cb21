"""The audit trail: one chained file for all processes of a host, its checkpoints, its verifier and its readers."""

from .trail import Trail

__all__ = ["Trail"]
