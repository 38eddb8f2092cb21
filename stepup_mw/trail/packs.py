"""A trail, or whole segments of it, as one tar file that can be checked without the folder it came from.

    manifest.json           what is in it, and what stands for the lines before its first
    segments/…, live.jsonl  the lines, as they are
    checkpoints.note        the signed checkpoints over them
    README.txt              how to check it, and the ids of the keys that signed

The key itself is not in it: it has to come from elsewhere. Nothing in a pack is believed that the lines and the
checkpoints do not bear out.
"""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ..chain import leaf_hash, parse_opening
from ..encoding import parse_timestamp
from ..errors import NoteError, TrailUnavailable
from ..events import MAX_LINE
from .ending import last_end
from .files import create, sync_folder
from .marks import event_of
from .notes import read_notes
from .pruned import Start, describe_start, find_start
from .sources import find_layout, take_view
from .zst import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .sources import Source, View

FORMAT = "stepup-pack@v1"
_BLOCK = 1 << 20
_README = """An export of the audit trail of {origin}: lines {first} to {last}.

Check it with:  stepup verify {name} --key VKEY
or, without this package:  python verify_independently.py {name} VKEY  (examples/ of the source).
VKEY is the verifier key. It is not in here: ask the operator of the service for it by another way, and compare its id.
Signed by: {keys}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What went into a pack. ``sha256`` is of the whole file."""

    path: Path
    first_seq: int
    lines: int
    bytes: int
    files: int
    checkpoints: int
    keys: tuple[str, ...]
    sha256: str


def export_pack(
    path: Path,
    out: Path,
    *,
    since: float | None = None,
    until: float | None = None,
    last_seq: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """Write the trail at ``path`` to the new file ``out``: whole files that have lines between the times, or up to the
    one that ends with line ``last_seq``. OSError or TrailUnavailable if it cannot be done; then there is no ``out``."""
    view = take_view(find_layout(path))
    try:
        start, sources = _choose(view, since, until, last_seq)
        return _write(view, start, sources, out, progress)
    finally:
        view.close()


def _choose(view: View, since: float | None, until: float | None, last_seq: int | None) -> tuple[Start, list[Source]]:
    """The files, and what stands for the lines before them: that takes a pass over those."""
    start = find_start(view.sources)
    sources: list[Source] = []
    tree, leaf = start.range.copy(), start.leaf
    firsts = [_first(source) for source in view.sources]
    for index, source in enumerate(view.sources):
        (seq, begins), ends = firsts[index], firsts[index + 1][1] if index + 1 < len(firsts) else float("inf")
        if (until is not None and begins > until) or (last_seq is not None and seq > last_seq):
            break
        if not sources and since is not None and ends < since:
            with source.open() as stream:
                while raw := stream.readline(MAX_LINE + 1):
                    leaf = leaf_hash(raw[:-1])
                    tree.append(leaf)
            continue
        sources.append(source)
    if not sources:
        raise TrailUnavailable("no line of the trail is of that time")
    return Start(tree, leaf, tree.size, known=start.known), sources


def _first(source: Source) -> tuple[int, float]:
    with source.open() as stream:
        line = stream.readline(MAX_LINE)
    place = parse_opening(line)
    try:
        return place.seq if place else 0, parse_timestamp(str(event_of(line).get("timestamp")))
    except ValueError:
        return place.seq if place else 0, float("-inf")


def _write(
    view: View,
    start: Start,
    sources: Sequence[Source],
    out: Path,
    progress: Callable[[int, int], None] | None,
) -> Packed:
    fd = create(out)
    try:
        with os.fdopen(fd, "w+b") as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as pack:
                files, lines = _add_files(pack, view, sources, progress)
                notes, keys = _notes(view, start.seq, start.seq + lines)
                _add(pack, "checkpoints.note", notes)
                _add(pack, "manifest.json", _manifest(start, lines, files, keys))
                _add(pack, "README.txt", _readme(out.name, start.seq, lines, keys))
            stream.flush()
            os.fsync(fd)
        sync_folder(out.parent)
        digest = _digest(out)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return Packed(
        path=out,
        first_seq=start.seq,
        lines=lines,
        bytes=sum(item["size"] for item in files),
        files=len(files),
        checkpoints=notes.count(b"\n\n"),
        keys=tuple(keys),
        sha256=digest,
    )


def _add_files(
    pack: tarfile.TarFile,
    view: View,
    sources: Sequence[Source],
    progress: Callable[[int, int], None] | None,
) -> tuple[list[dict[str, Any]], int]:
    """What the manifest says of each file, and the lines in all of them."""
    total, done, lines, files = sum(source.size for source in sources), 0, 0, []
    for source in sources:
        name = "live.jsonl" if source is view.live else f"segments/{source.current().name.name}"
        with source.stored() as (data, stored):
            size = _whole(source) if source is view.live else stored
            reader = _Counting(data, size, done, lambda now: progress(now, total) if progress else None)
            pack.addfile(_member(name, size), reader)  # type: ignore[arg-type]  # tarfile only reads from it
        done, lines = done + source.size, lines + (_count(source) if name.endswith(SUFFIX) else reader.lines)
        files.append({"name": name, "size": size, "sha256": reader.digest.hexdigest()})
    return files, lines


def _count(source: Source) -> int:
    """The lines of a compressed segment."""
    with source.open() as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(_BLOCK), b""))


def _manifest(start: Start, lines: int, files: list[dict[str, Any]], keys: list[str]) -> bytes:
    manifest = {"format": FORMAT, "first_seq": start.seq, "lines": lines, "files": files, "signed_by": keys}
    if start.seq:
        manifest["before"] = describe_start(start.range, start.leaf)
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n"


def _readme(name: str, first: int, lines: int, keys: list[str]) -> bytes:
    origin = keys[0].split("+")[0] if keys else "a service"
    last = first + lines - 1
    return _README.format(origin=origin, first=first, last=last, name=name, keys=", ".join(keys) or "nobody").encode()


class _Counting:
    """Reads ``size`` bytes of a stream, counts their lines and hashes them; tells how far it is, from ``done`` on."""

    def __init__(self, stream: Any, size: int, done: int, told: Callable[[int], None]) -> None:
        self._stream = stream
        self._left = size
        self._end = done + size
        self._told = told
        self.lines = 0
        self.digest = sha256()

    def read(self, count: int) -> bytes:
        data: bytes = self._stream.read(min(count, self._left))
        self._left -= len(data)
        self.lines += data.count(b"\n")
        self.digest.update(data)
        self._told(self._end - self._left)
        return data


def _whole(source: Source) -> int:
    """The live file up to its last whole line."""
    with source.descriptor() as fd:
        return min(source.size, last_end(fd))


def _notes(view: View, first: int, end: int) -> tuple[bytes, list[str]]:
    """The checkpoints over these lines, and the ids of the keys that signed them."""
    kept, keys = b"", set()
    if view.notes is not None:
        with view.notes.open() as stream:
            for found in read_notes(stream, view.notes.size):
                try:
                    note, checkpoint = found.parse()
                except NoteError:
                    continue
                if first <= checkpoint.size <= end:
                    kept += found.data
                    keys |= {f"{item.name}+{item.key_id.hex()}" for item in note.signatures}
    return kept, sorted(keys)


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o400
    return info


def _add(pack: tarfile.TarFile, name: str, data: bytes) -> None:
    pack.addfile(_member(name, len(data)), io.BytesIO(data))


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
