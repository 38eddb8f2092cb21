"""Forgeries as functions of a copy: each is another copy, names the first line it touches, and does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stepup_mw.chain import Tip, extend, leaf_hash, parse_line, parse_opening
from stepup_mw.drill import attacks
from stepup_mw.drill.attacks import Copy, Forgery

if TYPE_CHECKING:
    from collections.abc import Iterator


def record(number: int) -> bytes:
    return b'{"timestamp":"2026-11-23T07:25:00.00000%dZ","event_id":"%d"}' % (number, number)


def golden() -> Copy:
    files, tip = [], Tip()
    for name, numbers in (("segments/000001-000000000000.jsonl", (0, 1, 2)), ("stepup.jsonl", (3, 4))):
        data, tip = extend([record(number) for number in numbers], tip, b"}")
        files.append((name, data))
    return Copy(tuple(files), b"notes")


COPY = golden()


def chained(copy: Copy) -> list[int]:
    """The numbers of the lines, as long as each follows the one before."""
    numbers, leaf = [], bytes(32)
    for line in b"".join(data for _, data in copy.files).splitlines():
        place = parse_opening(line)
        if place is None or place.leaf != leaf:
            break
        numbers.append(place.seq)
        leaf = leaf_hash(line)
    return numbers


def changed_at(forgery: Forgery) -> int:
    """The first line that is not what it was."""
    lines = [b"".join(data for _, data in copy.files).split(b"\n") for copy in (COPY, forgery.copy)]
    same = [one == two for one, two in zip(*lines, strict=False)]
    return same.index(False) if False in same else len(same)


def test_places_are_all_lines_in_order() -> None:
    assert [(place.index, place.number, place.seq) for place in COPY.places()] == [
        (0, 0, 0),
        (0, 1, 1),
        (0, 2, 2),
        (1, 0, 3),
        (1, 1, 4),
    ]
    assert chained(COPY) == [0, 1, 2, 3, 4]


def test_what_cannot_be_read_has_no_places() -> None:
    assert Copy((("segments/000001-000000000000.jsonl.zst", b"\x28\xb5\x2f\xfd\0\n\xff"),), b"").places() == []


def test_each_line_is_attacked_in_each_way() -> None:
    made = list(attacks.forge_lines(COPY, COPY.places()))
    assert len(made) == 5 * len(attacks.LINES) - 2, "the last line of a file has none to be swapped with"
    assert len({forgery.name for forgery in made}) == len(made)
    for forgery in made:
        assert forgery.copy != COPY, forgery.name
        assert chained(forgery.copy) != [0, 1, 2, 3, 4] or forgery.seq == 4, forgery.name  # nothing follows the last
        # a line after it may be what a forgery shows first, and never one before it
        assert forgery.seq <= changed_at(forgery) <= forgery.seq + 1, forgery.name


def test_an_edited_line_is_as_good_a_line_as_before() -> None:
    line = COPY.files[1][1].split(b"\n")[0]
    forged = attacks.edited(line)
    assert {**parse_line(forged), "timestamp": ""} == {**parse_line(line), "timestamp": ""}
    assert forged != line


@pytest.mark.parametrize("seq", range(5))
def test_what_is_chained_anew_is_a_whole_chain(seq: int) -> None:
    forgery = attacks.rechain(COPY, COPY.places()[seq])
    assert chained(forgery.copy) == [0, 1, 2, 3, 4]
    assert changed_at(forgery) == forgery.seq == seq
    assert forgery.copy.notes == COPY.notes


@pytest.mark.parametrize("seq", range(4))
def test_a_cut_leaves_the_lines_before_it_and_a_live_file(seq: int) -> None:
    forgery = attacks.cut_after(COPY, COPY.places()[seq])
    assert chained(forgery.copy) == list(range(seq + 1))
    assert forgery.copy.files[-1][0] == "stepup.jsonl"
    assert forgery.seq == seq + 1


def test_files_are_lost_and_exchanged() -> None:
    made = list(attacks.lose_files(COPY))
    assert [forgery.seq for forgery in made] == [0, 0, 3, 3, 0]
    assert [len(forgery.copy.files) for forgery in made] == [1, 2, 1, 2, 2]
    assert made[-1].copy.files[0] == (COPY.files[0][0], COPY.files[1][1])


def test_every_bit_is_flipped_once() -> None:
    made = {forgery.copy.notes for forgery in attacks.flip_bits(COPY, 1, range(4 * 8))}
    assert len(made) == 32
    assert all(notes[:1] == b"n" and len(notes) == 5 for notes in made)


def test_a_line_from_elsewhere_is_made_to_follow() -> None:
    other, _ = extend([record(7)], Tip(), b"}")
    forgery = attacks.insert(COPY, other.rstrip(b"\n"))
    assert chained(forgery.copy) == [0, 1, 2, 3, 4, 5]
    assert forgery.seq == changed_at(forgery) == 5


@pytest.mark.parametrize("seq", [1, 3])
def test_a_trail_begun_in_the_middle_looks_like_a_whole_one(seq: int) -> None:
    forgery = attacks.begin_at_zero(COPY, COPY.places()[seq])
    assert chained(forgery.copy) == list(range(5 - seq))
    assert forgery.seq == 0


def _all(copy: Copy) -> Iterator[Forgery]:
    places = copy.places()
    yield from attacks.forge_lines(copy, places)
    yield from attacks.lose_files(copy)
    for place in places:
        yield attacks.rechain(copy, place)
        yield attacks.cut_after(copy, place)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\0" * 40, b'{"prev":"AAAA', b"{}\n{}\n"])
def test_nothing_is_forged_of_what_is_no_trail(data: bytes) -> None:
    copy = Copy((("stepup.jsonl", data),), b"")
    assert [forgery.name for forgery in _all(copy)] == ["stepup.jsonl gone", "stepup.jsonl emptied"]
