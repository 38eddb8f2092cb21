"""Couriers: handing over never waits, every destination has its own line, and what is lost is on record."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from stepup_mw.couriers import MAX_WAITING, Courier
from stepup_mw.couriers.function import Function
from stepup_mw.couriers.webhook import Webhook, parse_key
from stepup_mw.errors import NoticeError
from stepup_mw.notices import KINDS, Kind, Notice

from ..ship.http import closed_port, silent_port
from .inbox import KEY, KEY_TEXT, receiving


def notice(number: int = 0, kind: Kind = "locked") -> Notice:
    return Notice(notice_id=f"n{number}", kind=kind, user="alice", service="bank", at=1795418700.0, detail={"left": 3})


class Ledger:
    """What couriers put on record."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []

    def record(self, event_type: str, phase: str, detail: Mapping[str, Any]) -> None:
        assert (event_type, phase) == ("alert", "notice_failed")
        self.lines.append(detail)


class Basket:
    """A destination that keeps what it gets, once ``gate`` is open."""

    def __init__(self, name: str = "basket") -> None:
        self.name = name
        self.gate = threading.Event()
        self.got: list[str] = []

    def deliver(self, notice: Notice) -> None:
        self.gate.wait(10)
        self.got.append(notice.notice_id)


def test_one_that_hangs_holds_up_neither_the_caller_nor_the_others() -> None:
    hung, quick, ledger = Basket("hung"), Basket("quick"), Ledger()
    quick.gate.set()
    courier = Courier([hung, quick], KINDS, ledger.record)
    begun = time.monotonic()
    for number in range(MAX_WAITING + 40):
        courier.hand_over(notice(number))
        while len(quick.got) <= number - MAX_WAITING // 2:
            time.sleep(0.001)
    assert time.monotonic() - begun < 5
    hung.gate.set()
    courier.close()
    assert quick.got == [f"n{number}" for number in range(MAX_WAITING + 40)]
    assert MAX_WAITING <= len(hung.got) <= MAX_WAITING + 1
    dropped = [line["dropped"] for line in ledger.lines]
    assert {line["to"] for line in ledger.lines} == {"hung"}
    assert dropped == [1, 2, 4, 8, 16, 32]


def test_what_nobody_could_deliver_before_the_end_is_on_record() -> None:
    hung, ledger = Basket(), Ledger()
    courier = Courier([hung], KINDS, ledger.record)
    for number in range(3):
        courier.hand_over(notice(number))
    courier.close(within_s=0.2)
    hung.gate.set()
    assert {line["notice_id"] for line in ledger.lines} >= {"n1", "n2"}
    assert {line["why"] for line in ledger.lines} == {"closed"}


def test_a_close_that_is_interrupted_is_waited_for_by_the_next() -> None:
    slow, ledger, main = Basket(), Ledger(), threading.main_thread().ident or 0
    courier = Courier([slow], KINDS, ledger.record)
    courier.hand_over(notice(1))
    threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        courier.close()
    threading.Timer(0.05, slow.gate.set).start()
    courier.close()
    assert (slow.got, ledger.lines) == (["n1"], [])


def test_only_wanted_kinds_are_carried() -> None:
    basket = Basket()
    basket.gate.set()
    courier = Courier([basket], ["new_device"], Ledger().record)
    courier.hand_over(notice(1, "locked"))
    courier.hand_over(notice(2, "new_device"))
    courier.close()
    assert basket.got == ["n2"]


def test_a_closed_courier_carries_again() -> None:
    basket = Basket()
    basket.gate.set()
    courier = Courier([basket], KINDS, Ledger().record)
    for number in range(2):
        courier.hand_over(notice(number))
        courier.close()
    assert basket.got == ["n0", "n1"]


def test_a_forked_child_carries_its_own() -> None:
    with receiving() as inbox:
        courier = Courier([Webhook(inbox.url, KEY, timeout_s=5)], KINDS, Ledger().record)
        courier.hand_over(notice(1))
        pid = os.fork()
        if pid == 0:
            courier.hand_over(notice(2))
            courier.close()
            os._exit(0)
        os.waitpid(pid, 0)
        courier.close()
        assert sorted(sent["data"]["id"] for sent in inbox.notices(2)) == ["n1", "n2"]


def test_a_webhook_signs_as_standard_webhooks_has_it() -> None:
    with receiving() as inbox:
        Webhook(inbox.url, KEY, timeout_s=5).deliver(notice())
        (sent,) = inbox.notices(1)  # checked by that library
    assert sent == {
        "type": "step_up.locked",
        "timestamp": "2026-11-23T07:25:00.000000Z",
        "data": {"id": "n0", "user_id": "alice", "service": "bank", "left": 3},
    }


@pytest.mark.parametrize(("answers", "tries", "lost"), [([503, 429, 200], 3, []), ([500], 3, ["answered 500"]),
                                                        ([400], 1, ["answered 400"])])  # fmt: skip
def test_a_webhook_is_tried_again_where_that_may_help(answers: list[int], tries: int, lost: list[str]) -> None:
    ledger = Ledger()
    with receiving(*answers) as inbox:
        courier = Courier([Webhook(inbox.url, KEY, timeout_s=5)], KINDS, ledger.record, retry_after_s=(0.01, 0.01))
        courier.hand_over(notice())
        courier.close()
        assert len(inbox.sent) == tries
    assert [line["why"] for line in ledger.lines] == lost
    assert [line["tries"] for line in ledger.lines] == [tries for _ in lost]


def test_nobody_answering_is_a_failure_within_its_time() -> None:
    with pytest.raises(NoticeError, match="refused") as refused:
        Webhook(closed_port(), KEY, timeout_s=5).deliver(notice())
    begun = time.monotonic()
    with silent_port() as url, pytest.raises(NoticeError, match=r"no answer within 0\.3 s"):
        Webhook(url, KEY, timeout_s=0.3).deliver(notice())
    assert time.monotonic() - begun < 5
    assert refused.value.passing


def test_functions_sync_and_async_and_how_they_fail() -> None:
    got: list[str] = []

    async def later(notice: Notice) -> None:
        await asyncio.sleep(0)
        got.append(notice.kind)

    async def never(_: Notice) -> None:
        await asyncio.sleep(60)

    def broken(_: Notice) -> None:
        raise ValueError("the code was 123456")

    Function(lambda notice: got.append(notice.user), timeout_s=5).deliver(notice())
    Function(later, timeout_s=5).deliver(notice())
    assert got == ["alice", "locked"]
    with pytest.raises(NoticeError, match="longer than"):
        Function(never, timeout_s=0.05).deliver(notice())
    with pytest.raises(NoticeError) as failed:
        Function(broken, timeout_s=5).deliver(notice())
    assert (str(failed.value), failed.value.passing) == ("ValueError", False)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_YQ==", "whsec_!!!", "c2VjcmV0", "whsec_" + "QUFB" * 40])
def test_a_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|base64|Incorrect|Only"):
        parse_key(text)
    assert parse_key(KEY_TEXT + "\n") == KEY
