"""(f) Verifying a trail: bytes a second beside ``openssl dgst -sha256`` over the same file, and how memory grows."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from stepup_mw.chain import Tip, link
from stepup_mw.trail import verify_trail

from ..core.test_events import make_facts, step_up
from .rounds import Case, interleave, table

MEGABYTES = 256
SIZES = (1, 16, 256)
TAIL = b',"writer":{"host":"web-1","pid":4242,"boot":"5d0e8a51-6c0b-4b37-9b0e-3f2e7c1f9a77","life":"a1b2c3d4e5f6","n":'


def measure(rounds: int) -> str:
    """Ratios to openssl, and the most memory over a small and a large trail."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "stepup.jsonl"
        lines = write_trail(path, MEGABYTES)
        parts = [
            f"### (f) Verifying a trail of {path.stat().st_size / 1e6:,.0f} MB, {lines:,} lines",
            speed(path, rounds),
        ]
    return "\n\n".join([*parts, memory()])


def write_trail(path: Path, megabytes: int) -> int:
    """Lines as the gate writes them, about 1 kB each. Gives how many there are."""
    record, tip, size = sample(), Tip(), 0
    with path.open("wb") as stream:
        while size < megabytes << 20:
            bodies = [record[1:-1] + TAIL + b"%d}}" % number for number in range(tip.seq + 1, tip.seq + 1001)]
            data, tip = link(bodies, tip)
            size += stream.write(data)
    return tip.seq


def sample() -> bytes:
    """A record of an access as it looks in use."""
    return step_up(
        make_facts(
            session_id="h:5f1c" + "0" * 28,
            flow_id="019ab000-0000-7000-8000-000000000000",
            request_id="019ab000-0000-7000-8000-000000000001",
            origin={
                "ip": "203.0.113.9",
                "ip_source": "xff",
                "geo": None,
                "device_id": "h:91" + "a" * 30,
                "device_known": False,
                "fingerprint": "h:ab" + "c" * 30,
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            },
            risk={"score": 80, "challenge_at": 50, "deny_at": 90, "signals": {"route": 60, "new_device": 20}},
            policy={"version": "sha256:" + "0" * 64, "mode": "enforce"},
        )
    )


def speed(path: Path, rounds: int) -> str:
    cases: dict[str, Case] = {
        "openssl dgst -sha256": partial(digest, path),
        "chain, one core": partial(verify, path, parse=False, processes=1),
        "chain, two cores": partial(verify, path, parse=False, processes=2),
        "every line parsed, one core": partial(verify, path, parse=True, processes=1),
        "every line parsed, two cores": partial(verify, path, parse=True, processes=2),
    }
    found = interleave(cases, rounds=max(3, rounds // 2), slice_s=0.001)
    size = path.stat().st_size
    rows = [
        [
            name,
            f"{size / item.median * 1e3:,.0f}",
            f"{1 / item.ratio:.2f}",
            f"{1 / item.ratio_high:.2f} to {1 / item.ratio_low:.2f}",
        ]
        for name, item in found.items()
    ]
    return table("case | MB/s | of openssl | in all rounds", rows)


def digest(path: Path, count: int) -> None:
    for _ in range(count):
        subprocess.run(["openssl", "dgst", "-sha256", str(path)], check=True, capture_output=True)


def verify(path: Path, count: int, *, parse: bool, processes: int) -> None:
    for _ in range(count):
        report = verify_trail(path, parse=parse, processes=processes)
        assert report.verdict == "VERIFIED", report.message


def memory() -> str:
    """The most memory of a process that verifies trails of growing size."""
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            write_trail(Path(name) / "stepup.jsonl", size)
            command = [sys.executable, "-m", "tests.bench.verifying", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append([f"{size} MB", f"{int(done.stdout) / 1024:,.0f}"])
    return table("trail | MB of memory at most", rows)


if __name__ == "__main__":
    assert verify_trail(sys.argv[1]).verdict == "VERIFIED"
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
