from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.config import Config, load_config
from stepup_mw.config.secret import find_doubt, find_weakness
from stepup_mw.errors import ConfigError

from .samples import KEY, MINIMAL, mapping

OTHER = "f2e95dbd6a0c41b7a8c3f7e04b1c9d8860a7b3c2d1e4f5a6"


def _load(environ: dict[str, str], folder: Path, *, file: str | None = None, mode: int = 0o600) -> Config:
    text = MINIMAL
    if file is not None:
        (folder / "stepup.secret").write_text(file)
        (folder / "stepup.secret").chmod(mode)
        text = 'secret_key_file = "stepup.secret"\n' + MINIMAL
    (folder / "stepup.toml").write_text(text)
    return load_config(folder / "stepup.toml", environ)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "is empty"),
        ("short", "has 5 bytes; allowed are 32 or more"),
        (KEY[:31], "has 31 bytes; allowed are 32 or more"),
        ("x" * 64, "is one character, repeated"),
        ("change-me-change-me-please-change-me!", "begins like a published example, which everybody knows"),
        ("CHANGE_ME_in_production_0123456789", "begins like a published example, which everybody knows"),
        ("dev-secret-key-change-in-production!!", "begins like a published example, which everybody knows"),
        ("secret-secret-secret-secret-secret-secret", "begins like a published example, which everybody knows"),
        ("my-super-secret-key-my-super-secret-key", "begins like a published example, which everybody knows"),
        ("your-secret-key-goes-here-1234567890", "begins like a published example, which everybody knows"),
        ("please_put_your_key_here_0123456789", "begins like a published example, which everybody knows"),
        ("example-key-0123456789-0123456789-01", "begins like a published example, which everybody knows"),
        ("django-insecure-8x!q2#k0)z^7@m$u1w&v5b", "begins like a published example, which everybody knows"),
        (
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
            "begins like a published example, which everybody knows",
        ),
        (KEY, None),
        (OTHER, None),
        (KEY[:32], None),
        ("größe über alles hinaus: äöü 12", None),
    ],
)
def test_a_weak_key_is_refused_and_a_good_one_is_not(key: str, why: str | None) -> None:
    assert find_weakness(key) == why


@pytest.mark.parametrize(
    ("key", "doubt"),
    [
        ("abcdefgh" * 4, "is a short text, repeated: fit for tests only"),
        ("0123456789abcdef" * 2, "is a short text, repeated: fit for tests only"),
        ("test-key-" * 4, "is a short text, repeated: fit for tests only"),
        ("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbcccc", "has only 3 different characters: fit for tests only"),
        ("test-secret-key-0123456789abcdef!", "looks made up, not drawn at random: fit for tests only"),
        ("0123456789abcdefghijklmnopqrstuv", "looks made up, not drawn at random: fit for tests only"),
        ("my super secret key nobody knows of", "looks made up, not drawn at random: fit for tests only"),
        ("integration-tests-of-the-bank-0123456789", None),
        (KEY, None),
        ("x" * 64, None),
    ],
)
def test_a_long_key_that_looks_made_up_is_a_warning_and_no_refusal(key: str, doubt: str | None, tmp_path: Path) -> None:
    assert find_doubt(key) == doubt
    if doubt is not None:
        warnings = [str(each) for each in _load({"STEPUP_SECRET_KEY": key}, tmp_path).warnings]
        assert any(text.startswith(f"environment: STEPUP_SECRET_KEY: the key {doubt}; ") for text in warnings)
        assert key not in "".join(warnings)


def test_a_made_up_key_in_a_file_that_others_can_read_has_both_warnings(tmp_path: Path) -> None:
    config = _load({}, tmp_path, file=f"{KEY}\n{'test-key-' * 4}", mode=0o640)
    said = [str(each) for each in config.warnings if each.key == "secret_key_file"]
    assert [("can read the file" in text, "key 2 of 2 is a short text" in text) for text in said] == [
        (True, False),
        (False, True),
    ]


@given(st.binary(min_size=32, max_size=64).filter(lambda data: len(set(data)) > 1))
def test_no_random_key_is_refused_in_hex_or_base64(data: bytes) -> None:
    assert find_weakness(data.hex()) is None
    assert find_weakness(base64.urlsafe_b64encode(data).decode()) is None


def test_the_environment_may_hold_several_keys_newest_last(tmp_path: Path) -> None:
    assert _load({"STEPUP_SECRET_KEY": f"{KEY}, {OTHER}"}, tmp_path).settings.secret_keys == (
        KEY.encode(),
        OTHER.encode(),
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "not set, and there is no secret_key_file; "),
        ("  ", "not set, and there is no secret_key_file; "),
        ("short", "the key has 5 bytes; allowed are 32 or more; "),
        (f"{KEY},", "key 2 of 2 is empty; "),
        (f"{KEY},short", "key 2 of 2 has 5 bytes; allowed are 32 or more; "),
    ],
    ids=["unset", "blank", "short", "comma_at_the_end", "second"],
)
def test_a_bad_environment_refuses_to_start(value: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load({"STEPUP_SECRET_KEY": value}, tmp_path)
    how = "`stepup init` writes a good one, and so does `openssl rand -base64 32`"
    assert str(caught.value) == f"environment: STEPUP_SECRET_KEY: {said}{how}"


def test_a_key_file_holds_one_key_a_line_with_comments(tmp_path: Path) -> None:
    config = _load({}, tmp_path, file=f"# the old one\n{OTHER}\n\n  {KEY}  \n")
    assert config.settings.secret_keys == (OTHER.encode(), KEY.encode())
    assert not [warning for warning in config.warnings if warning.key == "secret_key_file"]


def test_an_empty_variable_leaves_the_file_in_force(tmp_path: Path) -> None:
    assert _load({"STEPUP_SECRET_KEY": ""}, tmp_path, file=KEY).settings.secret_keys == (KEY.encode(),)


def test_the_environment_goes_before_the_file_and_says_so(tmp_path: Path) -> None:
    config = _load({"STEPUP_SECRET_KEY": OTHER}, tmp_path, file=KEY)
    assert config.settings.secret_keys == (OTHER.encode(),)
    assert "environment: STEPUP_SECRET_KEY: secret_key_file is not read: STEPUP_SECRET_KEY is set, and goes first" in [
        str(warning) for warning in config.warnings
    ]


def test_a_key_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    config = _load({}, tmp_path, file=KEY, mode=0o640)
    (warning,) = [warning for warning in config.warnings if warning.key == "secret_key_file"]
    assert (
        str(warning) == f"{tmp_path}/stepup.toml:1:19: secret_key_file: others can read the file (mode 0640); chmod 600"
    )


@pytest.mark.parametrize(
    ("file", "mode", "said"),
    [
        (KEY, 0o602, "anybody can write to the file (mode 0602); chmod 600"),
        ("# nothing\n", 0o600, "holds no key; `stepup init` writes a good one, and so does `openssl rand -base64 32`"),
        (
            f"{KEY}\nshort\n",
            0o600,
            (
                "key 2 of 2 has 5 bytes; allowed are 32 or more; "
                "`stepup init` writes a good one, and so does `openssl rand -base64 32`"
            ),
        ),
    ],
    ids=["writable", "empty", "weak"],
)
def test_a_bad_key_file_refuses_to_start(file: str, mode: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load({}, tmp_path, file=file, mode=mode)
    assert str(caught.value) == f"{tmp_path}/stepup.toml:1:19: secret_key_file: {said}"


def test_a_key_file_that_is_no_text_or_no_file_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"\xff" * 32)
    for name, said in (("raw", "is not UTF-8 text"), ("gone", "there is no such file"), (".", "cannot be read")):
        with pytest.raises(ConfigError, match=said):
            load_config(mapping(secret_key_file=str(tmp_path / name)), {})


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("short", "has 5 bytes; allowed are 32 or more"),
        (KEY, "holds a secret key of this service: whoever shares it could sign grants"),
        (f"{'x' * 32},{KEY[::-1]}", "is one character, repeated"),
    ],
    ids=["weak", "of-the-service", "one-of-two-weak"],
)
def test_a_key_that_services_share_is_strong_and_its_own(variable: str, said: str) -> None:
    environ = {"STEPUP_SECRET_KEY": KEY, "STEPUP_FLOW_KEY": variable}
    with pytest.raises(ConfigError) as refused:
        load_config(mapping(flow={"send": True}), environ)
    assert said in str(refused.value)
    assert KEY not in str(refused.value)


def test_shared_keys_by_the_environment_and_by_a_file(tmp_path: Path) -> None:
    environ = {"STEPUP_SECRET_KEY": KEY, "STEPUP_FLOW_KEY": f"{KEY[::-1]},{KEY.lower()}"}
    flow = load_config(mapping(flow={"send": True, "accept": ["ledger"], "ttl": "2m"}), environ).settings.flow
    assert flow is not None
    assert flow.keys == (KEY[::-1].encode(), KEY.lower().encode())
    assert (flow.send, flow.accept, flow.ttl_s) == (True, ("ledger",), 120)
    assert KEY[::-1] not in repr(flow)
    (tmp_path / "flow.secret").write_text(KEY[::-1] + "\n")
    (tmp_path / "flow.secret").chmod(0o644)
    text = MINIMAL + '[flow]\naccept = ["till"]\nkey_file = "flow.secret"\n'
    (tmp_path / "stepup.toml").write_text(text)
    config = load_config(tmp_path / "stepup.toml", {"STEPUP_SECRET_KEY": KEY})
    assert config.settings.flow is not None
    assert config.settings.flow.keys == (KEY[::-1].encode(),)
    assert any("others can read the file" in str(warning) for warning in config.warnings)


def test_no_flow_no_key() -> None:
    assert load_config(mapping(flow={"ttl": "1m"}), {"STEPUP_SECRET_KEY": KEY}).settings.flow is None
