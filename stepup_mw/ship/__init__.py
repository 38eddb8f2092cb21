"""Sends checkpoints and sealed segments beyond this host's reach: one module a kind of anchor.

Trails the local file; never on the way of a request, and never deletes anything.
"""

from .lane import Lane, Shipped
from .receipt import Receipt, Shelf, read_receipt
from .shipper import Shipper
from .window import Behind, Window

__all__ = ["Behind", "Lane", "Receipt", "Shelf", "Shipped", "Shipper", "Window", "read_receipt"]
