"""The bank's own signal reads the amount wherever a client may put it."""

from __future__ import annotations

import pytest

from stepup_mw.demo.risk import large_amount
from stepup_mw.messages import Request
from stepup_mw.policy import Rule
from stepup_mw.signals import Subject


def subject(query: bytes, body: bytes | None) -> Subject:
    return Subject(
        request=Request(method="POST", path="/transfer/send", query=query),
        rule=Rule(name="transfer", path="/transfer/{step}", version=""),
        user="alice",
        ip=None,
        device="",
        device_known=False,
        network="",
        path="/transfer/send",
        params={},
        now=0.0,
        record=True,
        body=body,
    )


@pytest.mark.parametrize(
    ("query", "body", "large"),
    [
        (b"amount=5000", b"", True),
        (b"amount=4%2C999.99", b"", False),
        (b"", b"to=Bob&amount=5%2C000", True),
        (b"", b"to=Bob&amount=20", False),
        (b"", b'{"amount": 7000}', True),
        (b"", b'{"amount": "20"}', False),
        (b"", b'{"amount": 70', False),
        (b"amount=1&amount=9000", b"", True),
        (b"amount=lots", b"\xff\xfe", False),
        (b"", None, False),
    ],
)
def test_it_holds_from_five_thousand(query: bytes, body: bytes | None, large: bool) -> None:
    assert large_amount(subject(query, body)) is large
