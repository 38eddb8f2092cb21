"""Sends checkpoints and sealed segments beyond this host's reach: one module a kind of anchor.

Trails the local file from cursors; never on the way of a request, and never deletes anything.
"""

from .cursor import Cursor, Shelf, read_cursor
from .lane import Lane, Shipped
from .shipper import Shipper
from .window import Behind, Window

__all__ = ["Behind", "Cursor", "Lane", "Shelf", "Shipped", "Shipper", "Window", "read_cursor"]
