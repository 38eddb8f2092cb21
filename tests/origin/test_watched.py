"""Files that change under a running service; lists of addresses."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.address_list import AddressList, parse_networks
from stepup_mw.data_files import load_list
from stepup_mw.errors import DataError
from stepup_mw.watched import Watched

ALLOWED = "allowed is an address or a network in CIDR form"


def watch(path: Path) -> Watched[AddressList]:
    return Watched("risk.signals.address_list", path, load_list)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "list.txt").write_text("203.0.113.9\n")
    return tmp_path / "list.txt"


def test_a_new_file_is_loaded_once_it_rests(path: Path) -> None:
    file = watch(path)
    assert file.refresh(0.0) is None
    path.write_text("203.0.113.9\n198.51.100.0/24\n")
    assert file.refresh(1.0) is None
    assert not file.value.contains("198.51.100.7")
    path.write_text("198.51.100.0/24\n")
    assert file.refresh(2.0) is None
    change = file.refresh(3.0)
    assert change is not None
    assert (change.kind, change.detail["entries"], change.detail["file"]) == ("data_changed", 1, "list.txt")
    assert change.detail["key"] == "risk.signals.address_list"
    assert (file.value.contains("198.51.100.7"), file.value.contains("203.0.113.9")) == (True, False)
    assert file.refresh(4.0) is None


def test_a_file_put_in_its_place_is_seen_though_size_and_time_are_the_same(path: Path) -> None:
    file = watch(path)
    before = path.stat()
    (path.parent / "new").write_text("203.0.113.8\n")
    os.utime(path.parent / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (path.parent / "new").replace(path)
    assert [change.kind if change else None for change in (file.refresh(1.0), file.refresh(2.0))] == [
        None,
        "data_changed",
    ]
    assert file.value.contains("203.0.113.8")


@pytest.mark.parametrize("broken", ["203.0.113.9\nhello\n", None], ids=["broken", "gone"])
def test_a_broken_or_missing_file_leaves_the_old_one_in_force_and_says_so_once(path: Path, broken: str | None) -> None:
    file = watch(path)
    path.write_text(broken) if broken is not None else path.unlink()
    found = [change for now in range(5) if (change := file.refresh(float(now))) is not None]
    assert [change.kind for change in found] == ["data_failed"]
    why = (
        'line 2: found "hello"; allowed is an address or a network in CIDR form' if broken else "there is no such file"
    )
    assert found[0].detail["error"] == f"{path}: {why}"
    assert found[0].words.endswith("what was loaded before stays in force")
    assert file.value.contains("203.0.113.9")
    path.write_text("198.51.100.7\n")
    kinds = [change.kind for now in range(5) if (change := file.refresh(float(now))) is not None]
    assert kinds == ["data_changed"]
    assert not file.value.contains("203.0.113.9")


def test_what_there_is_to_complain_of_is_said_once(path: Path) -> None:
    path.write_text("# nothing yet\n")
    file = watch(path)
    found = [file.refresh(float(now)) for now in range(3)]
    assert [change.kind if change else None for change in found] == ["data_old", None, None]
    assert found[0] is not None
    assert found[0].words == f"risk.signals.address_list: {path}: the list is empty"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"203.0.113.9\n\xff\n", "not text in UTF-8"),
        (b"203.0.113.0/33", 'line 1: found "203.0.113.0/33"; allowed is an address or a network in CIDR form'),
        (b"\n\n1.2.3.4 5.6.7.8", 'line 3: found "1.2.3.4 5.6.7.8"; allowed is an address or a network in CIDR form'),
        (b"\x1b[2J", 'line 1: found "\\u001b[2J"; allowed is an address or a network in CIDR form'),
    ],
    ids=["bytes", "prefix", "two", "control"],
)
def test_a_list_that_is_none_names_its_line(content: bytes, why: str, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        watch(path)
    assert str(caught.value) == f"{path}: {why}"


def test_a_list_as_they_are_handed_around() -> None:
    text = "# drop\r\n203.0.113.0/24 ; SBL1\n\n2001:db8::/32\n 198.51.100.7 # one\n::ffff:192.0.2.0/120\n10.1.2.3/8"
    found = AddressList(parse_networks(text, "x"))
    listed = ["203.0.113.255", "2001:db8:ffff::1", "198.51.100.7", "192.0.2.1", "10.0.0.1", "::ffff:203.0.113.1"]
    assert [ip for ip in listed if not found.contains(ip)] == []
    free = ["203.0.114.0", "2001:db9::1", "198.51.100.8", "192.0.3.1", "garbage", ""]
    assert [ip for ip in free if found.contains(ip)] == []
    assert found.facts["entries"] == 5


FOUR = st.tuples(st.ip_addresses(v=4), st.integers(0, 32))
SIX = st.tuples(st.ip_addresses(v=6), st.integers(0, 128))


def _network(pair: Any) -> Any:
    return ipaddress.ip_network(f"{pair[0]}/{pair[1]}", strict=False)


@given(
    st.lists((FOUR | SIX).map(_network), max_size=8), st.lists(st.ip_addresses(), max_size=4), st.integers(0, 2**128)
)
def test_a_list_holds_what_lies_in_one_of_its_networks(networks: list[Any], more: list[Any], offset: int) -> None:
    found = AddressList(parse_networks("\n".join(map(str, networks)), "x"))
    for address in [*more, *(network[offset % network.num_addresses] for network in networks)]:
        if getattr(address, "ipv4_mapped", None) is None:
            held = any(address.version == network.version and address in network for network in networks)
            assert found.contains(str(address)) == held
