"""The bank alone: money, accounts, passwords."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.demo.bank import Bank, BankError, format_cents, parse_cents


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    made = Bank(tmp_path / "bank.db")
    made.open("alice", "Alice", "open-sesame")
    return made


def balances(bank: Bank) -> dict[str, int]:
    return {account.id: account.cents for account in bank.accounts("alice")}


@pytest.mark.parametrize(
    ("text", "cents"),
    [("25", 2500), ("25.5", 2550), ("25.05", 2505), ("1,234.50", 123_450), (" 7 ", 700), ("0.01", 1)],
)
def test_amounts_are_read_as_people_write_them(text: str, cents: int) -> None:
    assert parse_cents(text) == cents


@pytest.mark.parametrize("text", ["", "-5", "1e3", "1.234", "\u0663", "1.\u0663", "one", "9" * 10])
def test_other_amounts_are_refused_in_words(text: str) -> None:
    with pytest.raises(BankError, match="Write the amount"):
        parse_cents(text)


@given(st.integers(0, 10**11 - 1))
def test_an_amount_shown_is_read_as_the_same(cents: int) -> None:
    assert parse_cents(format_cents(cents)) == cents


def test_a_transfer_takes_the_money_and_notes_it(bank: Bank) -> None:
    before = balances(bank)
    number = bank.transfer("alice", source="everyday", to=" Bob ", cents=2500, note="", day="2026-11-23")
    assert balances(bank) == before | {"everyday": before["everyday"] - 2500}
    newest = bank.entries("alice")[0]
    assert (newest.who, newest.note, newest.cents, newest.day) == ("Bob", "Transfer", -2500, "2026-11-23")
    assert number > 0


@pytest.mark.parametrize(
    ("source", "to", "cents", "user"),
    [
        ("everyday", "Bob", 0, "alice"),
        ("everyday", "Bob", -100, "alice"),
        ("everyday", "Bob", 10**9, "alice"),
        ("everyday", " ", 100, "alice"),
        ("nowhere", "Bob", 100, "alice"),
        ("everyday", "Bob", 100, "mallory"),
    ],
    ids=["nothing", "negative", "too much", "to nobody", "no account", "another's account"],
)
def test_a_transfer_that_cannot_be_changes_nothing(bank: Bank, source: str, to: str, cents: int, user: str) -> None:
    before, entries = balances(bank), bank.entries("alice")
    with pytest.raises(BankError):
        bank.transfer(user, source=source, to=to, cents=cents, note="", day="2026-11-23")
    assert (balances(bank), bank.entries("alice")) == (before, entries)


def test_only_an_empty_account_of_ones_own_is_closed_and_once(bank: Bank) -> None:
    with pytest.raises(BankError):
        bank.close_account("alice", "everyday")
    with pytest.raises(BankError):
        bank.close_account("mallory", "holiday")
    bank.close_account("alice", "holiday")
    with pytest.raises(BankError):
        bank.close_account("alice", "holiday")
    assert [account.id for account in bank.accounts("alice") if account.closed] == ["holiday"]


def test_a_new_password_replaces_the_old_and_lasts(bank: Bank) -> None:
    assert bank.sign_in("alice", "open-sesame")
    with pytest.raises(BankError):
        bank.change_password("alice", "short")
    bank.change_password("alice", "long enough")
    bank.open("alice", "Alice", "open-sesame")
    assert not bank.sign_in("alice", "open-sesame")
    assert bank.sign_in("alice", "long enough")
    assert not bank.sign_in("nobody", "long enough")
