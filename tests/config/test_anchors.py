"""``[[audit.anchor]]``: what each kind takes, and what it becomes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.config import load_config
from stepup_mw.config.init import write_init
from stepup_mw.config.schema import schema
from stepup_mw.errors import ConfigError
from stepup_mw.settings import AnchorSettings

from ..ship.authority import Authority
from .samples import ENVIRON, mapping

WITNESS = "witness.example/w1+9f7de85d+BD+22At/6JG+9SgpmG5mqL6r0FwdQwHcEpnZPGpvRU+/"


@pytest.fixture
def _keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_init(tmp_path, "bank", random=lambda size: bytes(range(size)))
    Authority(tmp_path / "tsa")
    monkeypatch.chdir(tmp_path)


def _load(*anchors: dict[str, Any], **audit: Any) -> tuple[AnchorSettings, ...]:
    audit = {"signing_key_file": "stepup-audit.key", "anchor": list(anchors), **audit}
    return load_config(mapping(audit=audit), ENVIRON).settings.trail.anchors


def _complaint(*anchors: dict[str, Any], **audit: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        _load(*anchors, **audit)
    return str(caught.value)


S3: dict[str, Any] = {"kind": "s3", "bucket": "audit-worm"}
TSA: dict[str, Any] = {"kind": "rfc3161", "url": "http://tsa.example/tsr", "ca_file": "tsa/ca.pem"}
SEEN: dict[str, Any] = {"kind": "witness", "url": "https://witness.example/api/", "key": WITNESS}


@pytest.mark.usefixtures("_keys")
def test_every_kind_at_once(tmp_path: Path) -> None:
    full = {**S3, "prefix": "a/b/", "endpoint_url": "https://s3.example", "region": "eu-west-1", "retain": "7d",
            "what": ["checkpoints", "segments"], "timeout": "3s"}  # fmt: skip
    s3, stamp, witness, out = _load(full, {**TSA, "hash": "sha512"}, SEEN, {"kind": "stdout"})
    assert s3 == AnchorSettings(
        kind="s3",
        bucket="audit-worm",
        prefix="a/b/",
        endpoint_url="https://s3.example",
        region="eu-west-1",
        retain_s=7 * 86_400,
        what=("checkpoints", "segments"),
        timeout_s=3.0,
    )
    assert stamp == AnchorSettings(kind="rfc3161", url=TSA["url"], ca_file=tmp_path / "tsa" / "ca.pem", hash="sha512")
    assert witness == AnchorSettings(kind="witness", url=SEEN["url"], key=WITNESS)
    assert out == AnchorSettings(kind="stdout")
    assert len({anchor.name for anchor in (s3, stamp, witness, out)}) == 4
    assert [anchor.acknowledges for anchor in (s3, stamp, witness, out)] == [True, True, True, False]


@pytest.mark.usefixtures("_keys")
def test_the_name_of_an_anchor_hangs_on_where_it_is_alone() -> None:
    assert _load(S3)[0].name == _load({"kind": "stdout"}, {**S3, "retain": "9d", "region": "x"})[1].name
    assert _load(S3)[0].name != _load({**S3, "prefix": "bank/"})[0].name


@pytest.mark.usefixtures("_keys")
@pytest.mark.parametrize(
    ("anchor", "said"),
    [
        ({"kind": "s3"}, 'anchor[0]: kind = "s3" needs bucket; write for example bucket = "audit-worm"'),
        ({"kind": "rfc3161", "url": TSA["url"]}, 'kind = "rfc3161" needs ca_file'),
        ({"kind": "witness", "url": SEEN["url"]}, 'kind = "witness" needs key'),
        ({**S3, "url": "https://x.example"}, 'anchor[0].url: kind = "s3" has no such key; it takes bucket, prefix'),
        ({"kind": "stdout", "what": ["segments"]}, 'anchor[0].what: kind = "stdout" has no such key; it takes timeout'),
        ({**TSA, "ca_file": "nowhere.pem"}, "anchor[0].ca_file: there is no such file"),
        ({**TSA, "ca_file": "stepup.secret"}, "anchor[0].ca_file: no certificates in PEM"),
        ({**TSA, "ca_file": "tsa"}, "anchor[0].ca_file: the file cannot be read"),
        ({**SEEN, "url": "https://user:pass@witness.example"}, "anchor[0].url: found"),
        ({**SEEN, "url": "https://witness.example/?q"}, "anchor[0].url: found"),
        ({**SEEN, "key": WITNESS.replace("9f7de85d", "00000000")}, "anchor[0].key: not the verifier key of a witness"),
        ({**S3, "retain": "1h"}, "anchor[0].retain: found"),
        ({**S3, "what": []}, "anchor[0].what: found an empty list"),
        ({**S3, "what": ["segments", "segments"]}, 'anchor[0].what[1]: "segments" stands twice'),
        ({**S3, "timeout": "1h"}, "anchor[0].timeout: found"),
    ],
)
def test_a_mistake_is_named(anchor: dict[str, Any], said: str) -> None:
    assert f"configuration: audit.{said}" in _complaint(anchor) or said in _complaint(anchor)


@pytest.mark.usefixtures("_keys")
def test_the_same_anchor_twice_is_a_mistake() -> None:
    assert "audit.anchor[1]: the same as anchor[0]; take one out" in _complaint(S3, S3)


@pytest.mark.usefixtures("_keys")
@pytest.mark.parametrize("size", ["6GiB", "never"])
def test_segments_must_fit_one_request(size: str) -> None:
    said = _complaint({**S3, "what": ["segments"]}, rotate={"size": size})
    assert "audit.anchor[0].what: segments are sent in one piece, of at most 5 GiB" in said


@pytest.mark.usefixtures("_keys")
@pytest.mark.parametrize(
    ("anchors", "limit", "said"),
    [
        ([{"kind": "stdout"}], {"lines": 5000}, 'found "deny": it needs an [[audit.anchor]] that says what it has'),
        ([S3], {"lines": 999}, "found 999; allowed is checkpoint.lines (1000) or more"),
        ([S3], {"seconds": 60}, "found 60; allowed is more than checkpoint.every (60 s)"),
    ],
)
def test_a_limit_that_could_not_be_kept_is_a_mistake(anchors: list[Any], limit: dict[str, int], said: str) -> None:
    assert said in _complaint(*anchors, max_unanchored={**limit, "then": "deny"})


@pytest.mark.usefixtures("_keys")
def test_deny_with_an_anchor_is_taken() -> None:
    audit = {"signing_key_file": "stepup-audit.key", "anchor": [S3], "max_unanchored": {"lines": 1000, "then": "deny"}}
    assert load_config(mapping(audit=audit), ENVIRON).settings.trail.max_unanchored_then == "deny"


@pytest.mark.usefixtures("_keys")
def test_the_commented_anchor_of_the_template_is_a_good_one(tmp_path: Path) -> None:
    lines = (tmp_path / "stepup.toml").read_text().split("\n")
    first = next(index for index, line in enumerate(lines) if "[[audit.anchor]]" in line)
    anchor = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines[first : first + 4]))["audit"]["anchor"][
        0
    ]
    assert _load(anchor)[0].what == ("checkpoints", "segments")


def test_an_editor_offers_only_the_keys_of_the_kind() -> None:
    rules = {rule["if"]["properties"]["kind"]["const"]: rule["then"] for rule in schema()["$defs"]["Anchor"]["allOf"]}
    assert set(rules["witness"]["properties"]) == {"kind", "timeout", "url", "key"}
    assert rules["rfc3161"]["required"] == ["url", "ca_file"]
    assert rules["s3"]["additionalProperties"] is False
