"""What a forger does to a trail, as functions from a copy to a copy: nothing here touches a file or knows a key.

An attack names the first line it touches, so that whoever judges it can tell whether a checkpoint was over that line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ..chain import ZERO, leaf_hash, opening, parse_opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_TIME = re.compile(rb'("timestamp":"[^"]*?)([0-9])(Z")')


@dataclass(frozen=True, slots=True)
class Copy:
    """The bytes of a trail: its files by name in the order of the chain, the live one last, and its checkpoints."""

    files: tuple[tuple[str, bytes], ...]
    notes: bytes

    def with_file(self, index: int, data: bytes) -> Copy:
        name = self.files[index][0]
        return replace(self, files=(*self.files[:index], (name, data), *self.files[index + 1 :]))

    def without_file(self, index: int) -> Copy:
        return replace(self, files=(*self.files[:index], *self.files[index + 1 :]))

    def places(self) -> list[Place]:
        """Every line that can be read as it stands; the lines of a compressed segment cannot."""
        return [
            Place(index, number, place.seq)
            for index, (_, data) in enumerate(self.files)
            for number, line in enumerate(data.split(b"\n"))
            if (place := parse_opening(line)) is not None
        ]


@dataclass(frozen=True, slots=True)
class Place:
    """Line ``seq`` of the trail, which is line ``number``, from 0, of file ``index``."""

    index: int
    number: int
    seq: int


@dataclass(frozen=True, slots=True)
class Forgery:
    """A copy that was tampered with; ``seq`` is the first line that is not what it was."""

    name: str
    copy: Copy
    seq: int


def edited(line: bytes) -> bytes:
    """The same line, said to be of another moment: as good a line as it was, but for the chain."""
    return _TIME.sub(lambda match: b"%b%d%b" % (match[1], (int(match[2]) + 1) % 10, match[3]), line, count=1)


LINES: dict[str, Callable[[bytes, bytes], list[bytes]]] = {
    "edited": lambda line, after: [edited(line), after],
    "deleted": lambda _, after: [after],
    "doubled": lambda line, after: [line, line, after],
    "swapped with the next": lambda line, after: [after, line],
    "blanked": lambda _, after: [b"", after],
    "zeroed": lambda line, after: [b"\0" * len(line), after],
    "followed by a forged one": lambda line, after: [line, edited(line), after],
    "given another prev": lambda line, after: [line[:10] + line[11:18] + b"+" + line[18:], after],
    "given another number": lambda line, after: [line.replace(b'"seq":', b'"seq":1', 1), after],
    "flipped in one bit": lambda line, after: [line[:-2] + bytes([line[-2] ^ 1]) + line[-1:], after],
}
"""What is done to one line; each is given the line and the one after it, b"" for none."""


def forge_lines(copy: Copy, places: Sequence[Place]) -> Iterator[Forgery]:
    """Each of these lines attacked in each way."""
    for place in places:
        lines = copy.files[place.index][1].split(b"\n")
        line, after = lines[place.number : place.number + 2]
        for how, attack in LINES.items():
            if how == "swapped with the next" and not after:
                continue
            made = [*lines[: place.number], *attack(line, after), *lines[place.number + 2 :]]
            yield Forgery(f"line {place.seq} {how}", copy.with_file(place.index, b"\n".join(made)), place.seq)


def rechain(copy: Copy, place: Place) -> Forgery:
    """The line edited, and it and every line after it chained anew, so that the chain is whole."""
    files = list(copy.files)
    leaf: bytes | None = None
    for index in range(place.index, len(files)):
        lines = files[index][1].split(b"\n")
        for number, line in enumerate(lines):
            found = parse_opening(line)
            if found is None or found.seq < place.seq:
                continue
            rest = line[len(opening(found.seq, found.leaf)) :]
            lines[number] = edited(line) if leaf is None else opening(found.seq, leaf) + rest
            leaf = leaf_hash(lines[number])
        files[index] = (files[index][0], b"\n".join(lines))
    return Forgery(f"line {place.seq} changed, all after it chained anew", Copy(tuple(files), copy.notes), place.seq)


def cut_after(copy: Copy, place: Place) -> Forgery:
    """Nothing is left after this line: the file is cut, later files are gone, and this one is the live one."""
    lines = copy.files[place.index][1].split(b"\n")
    kept = b"\n".join([*lines[: place.number + 1], b""])
    files = (*copy.files[: place.index], (copy.files[-1][0], kept))
    return Forgery(f"cut after line {place.seq}", replace(copy, files=files), place.seq + 1)


def lose_files(copy: Copy) -> Iterator[Forgery]:
    """Each file gone or emptied, and each two that follow each other exchanged."""
    firsts = _firsts(copy)
    for index, (name, _) in enumerate(copy.files):
        yield Forgery(f"{name} gone", copy.without_file(index), firsts[index])
        yield Forgery(f"{name} emptied", copy.with_file(index, b""), firsts[index])
    for index, ((one, first), (two, second)) in enumerate(pairwise(copy.files)):
        swapped = copy.with_file(index, second).with_file(index + 1, first)
        yield Forgery(f"{one} and {two} exchanged", swapped, firsts[index])


def _firsts(copy: Copy) -> list[int]:
    """The number of the first line of each file, as far as it can be read."""
    found = [parse_opening(data[: data.find(b"\n")]) for _, data in copy.files]
    return [place.seq if place is not None else 0 for place in found]


def flip_bits(copy: Copy, start: int, bits: Sequence[int]) -> Iterator[Forgery]:
    """Single bits of the checkpoints flipped, counted from byte ``start``."""
    for bit in bits:
        at = start + bit // 8
        notes = copy.notes[:at] + bytes([copy.notes[at] ^ 1 << bit % 8]) + copy.notes[at + 1 :]
        yield Forgery(f"bit {bit % 8} of byte {at} of the checkpoints flipped", replace(copy, notes=notes), 0)


def insert(copy: Copy, line: bytes) -> Forgery:
    """A line of another trail, made to follow the last one here."""
    name, data = copy.files[-1]
    last = data.rstrip(b"\n").rpartition(b"\n")[2]
    tip, own = parse_opening(last), parse_opening(line)
    if tip is None or own is None:
        return Forgery("a line of another trail added", copy.with_file(len(copy.files) - 1, data + line + b"\n"), 0)
    added = opening(tip.seq + 1, leaf_hash(last)) + line[len(opening(own.seq, own.leaf)) :]
    files = (*copy.files[:-1], (name, data + added + b"\n"))
    return Forgery("a line of another trail added at the end", replace(copy, files=files), tip.seq + 1)


def begin_at_zero(copy: Copy, place: Place) -> Forgery:
    """Everything before this line gone, and what is left numbered and chained as if it were all there ever was."""
    leaf, seq = ZERO, 0
    files = []
    for name, data in copy.files[place.index :]:
        lines = []
        for line in data.split(b"\n"):
            found = parse_opening(line)
            if found is None or found.seq < place.seq:
                continue
            lines.append(opening(seq, leaf) + line[len(opening(found.seq, found.leaf)) :])
            leaf, seq = leaf_hash(lines[-1]), seq + 1
        files.append((name, b"".join(line + b"\n" for line in lines)))
    first, *rest = [item for item in files if item[1]]
    renamed = [(re.sub(r"-[0-9]{12,}", f"-{0:012d}", first[0]), first[1]), *rest]
    return Forgery(
        f"what was before line {place.seq} gone, the rest numbered from 0", Copy(tuple(renamed), copy.notes), 0
    )
