"""A small file system that only this process sees, and that is gone with it: Linux, where mounting is permitted."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from .values import NotPossible

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_PRIVATE, _RECURSIVE = 1 << 18, 1 << 14


def mount_small(folder: Path, size: int) -> None:
    """Mount ``size`` bytes of memory over ``folder``, in a mount namespace of this process's own. The process must have
    one thread. NotPossible where the system does not let it."""
    if not sys.platform.startswith("linux"):
        raise NotPossible("a file system of one process's own needs Linux")
    system = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if system.unshare(_NEW_MOUNTS) != 0:
        _demand(system.unshare(_NEW_MOUNTS | _NEW_USER), "user namespaces are not permitted")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _demand(system.mount(None, b"/", None, _PRIVATE | _RECURSIVE, None), "mounts cannot be kept to one process")
    options = f"size={size},mode=0700".encode()
    _demand(system.mount(b"stepup-drill", os.fsencode(folder), b"tmpfs", 0, options), "mounting is not permitted")


def _demand(code: int, why: str) -> None:
    if code != 0:
        raise NotPossible(f"{why} here ({os.strerror(ctypes.get_errno())})")
