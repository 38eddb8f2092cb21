"""The store and the audit folder put back together, from one night's backup: the signer, whose memory stands beside its
key, knows that there were more lines, and so nothing that was used up since is good once more."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stepup_mw.compose import Assembly, assemble
from stepup_mw.enrollment import enroll
from stepup_mw.errors import StoreUnavailable
from stepup_mw.gate.codes import judge_code
from stepup_mw.note import generate_signing_key
from stepup_mw.stores.witness import distrust

from ..core.samples import KEY, mapping

KEPT = ("audit", "state.db", "state.db-wal", "state.db-life")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Assembly]:
    monkeypatch.setenv("STEPUP_SECRET_KEY", KEY)
    (tmp_path / "audit.key").write_bytes(generate_signing_key())

    def make() -> Assembly:
        audit = {"path": str(tmp_path / "audit" / "stepup.jsonl"), "signing_key_file": str(tmp_path / "audit.key")}
        return assemble(mapping(store={"url": f"sqlite:///{tmp_path / 'state.db'}"}, audit=audit))

    return make


def _use(made: Assembly, code: str) -> bool:
    """Whether a recovery code is taken, and that is on record."""
    services = made.gate.services

    async def act() -> bool:
        judged = await judge_code(services, "alice", code, allowed=("recovery_code",), now=services.clock())
        await services.journal.write(services.journal.notice("drill", "begun"))
        return judged.verdict == "right"

    return asyncio.run(act())


def _end(made: Assembly) -> None:
    made.trail.checkpoint_now()
    asyncio.run(made.aclose())


def _copy(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for name in KEPT:
        if (target / name).is_dir():
            shutil.rmtree(target / name)
        (target / name).unlink(missing_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        elif (source / name).exists():
            shutil.copyfile(source / name, target / name)


@pytest.mark.parametrize("put_back", [True, False], ids=["put back", "gone on"])
def test_what_was_used_since_is_used_up_though_the_folder_is_as_old_as_the_store(
    service: Callable[[], Assembly], tmp_path: Path, put_back: bool
) -> None:
    made = service()
    codes = asyncio.run(enroll(made.gate.services, "alice")).recovery_codes
    assert _use(made, codes[0])
    _end(made)
    _copy(tmp_path, tmp_path / "backup")
    made = service()
    assert _use(made, codes[1])
    _end(made)
    if put_back:
        _copy(tmp_path / "backup", tmp_path)
    for _ in range(2):  # the second start finds no second loss
        made = service()
        loss = asyncio.run(made.store.loss())
        assert (loss is not None) is put_back
        assert not _use(made, codes[1])
        if loss is not None:
            assert loss.found == "other"
            assert asyncio.run(made.store.accept_loss()) is True
            asyncio.run(made.store.put_recovery("alice", ["new"]))
        asyncio.run(made.aclose())
        put_back = False
    made = service()
    assert asyncio.run(made.store.recovery_left("alice")) in (1, 8)
    asyncio.run(made.aclose())


def test_a_file_that_cannot_be_put_aside_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / ".stepup.distrusted").mkdir()
    with pytest.raises(StoreUnavailable, match="older than what was signed"):
        distrust(tmp_path / ".stepup.store", "mark")
