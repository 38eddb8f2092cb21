"""(f) Verifying a trail: bytes a second beside ``openssl dgst -sha256`` over the same file, and how memory grows."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

from stepup_mw.chain import Tip, link
from stepup_mw.encoding import format_uuid7
from stepup_mw.events import Facts
from stepup_mw.trail import verify_trail

from ..core.test_events import NOW, make_facts, step_up
from .rounds import Case, interleave, table

MEGABYTES = 256
SIZES = (1, 16, 256)
_KINDS = 20_000
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
    """Lines as a service writes them, about 1 kB each: see ``traffic``. Gives how many there are. After some megabytes
    the records come again; their numbers and hashes do not."""
    tip, size = Tip(), 0
    records = cycle([record[1:-1] + TAIL for record in islice(traffic(), _KINDS)])
    with path.open("wb") as stream:
        while size < megabytes << 20:
            bodies = [b"%b%d}}" % (record, n) for n, record in enumerate(islice(records, 1000), tip.seq + 1)]
            data, tip = link(bodies, tip)
            size += stream.write(data)
    return tip.seq


def traffic() -> Iterator[bytes]:
    """Records of 300 people who send a request now and then: an access line and a result line for each, no two alike,
    with some dozen requests in flight between the two."""
    chance, now, flying = Random(7), NOW, deque[bytes]()
    people = [_person(chance, f"user-{number}") for number in range(300)]
    while True:
        person, now = chance.choice(people), now + chance.expovariate(200.0)
        account = chance.randrange(40)
        action = {"route": "transfer", "method": "POST", "template": "/accounts/{account}/transfer"}
        facts = person._replace(
            flow_id=format_uuid7(now - 60, chance.randbytes(10)),
            request_id=format_uuid7(now, chance.randbytes(10)),
            action={**action, "path": f"/accounts/{account}/transfer"},
        )
        proof = {"basis": "grant", "method": "totp", "challenge_id": facts.flow_id, "attempt": 1, "age_s": account}
        shared: dict[str, Any] = {"reason": "elevated_risk_score", "proof": proof}
        yield step_up(facts, now=now, event_id=format_uuid7(now, chance.randbytes(10)), **shared)
        http = {"status": 200, "duration_ms": round(chance.random() * 50, 3)}
        shared |= {"phase": "result", "status": "completed", "http": http}
        flying.append(step_up(facts, now=now, event_id=format_uuid7(now, chance.randbytes(10)), **shared))
        if len(flying) > 24:
            yield flying.popleft()


def _person(chance: Random, user: str) -> Facts:
    agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:{chance.randrange(120, 145)}.0) Gecko/20100101 Firefox/140.0"
    origin = {
        "ip": f"203.0.113.{chance.randrange(256)}",
        "ip_source": "xff",
        "geo": None,
        "device_id": f"h:{chance.randbytes(16).hex()}",
        "device_known": True,
        "fingerprint": f"h:{chance.randbytes(16).hex()}",
        "user_agent": agent,
    }
    return make_facts(
        user_id=user,
        session_id=f"h:{chance.randbytes(16).hex()}",
        origin=origin,
        risk={"score": 80, "challenge_at": 50, "deny_at": 90, "signals": {"route": 60, "new_device": 20}},
        policy={"version": f"sha256:{'0' * 64}", "mode": "enforce"},
    )


def sample() -> bytes:
    """One record of an access."""
    return next(traffic())


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
    return table("trail | MB of memory at most", [[f"{size} MB", f"{most_memory(size):,.0f}"] for size in SIZES])


def most_memory(megabytes: int) -> float:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        write_trail(Path(name) / "stepup.jsonl", megabytes)
        command = [sys.executable, "-m", "tests.bench.verifying", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(done.stdout) / 1024


if __name__ == "__main__":
    assert verify_trail(sys.argv[1]).verdict == "VERIFIED"
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
