"""The shape of ``[audit]``: the trail's file, what a line must survive, rotation and checkpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .anchors import Anchor
from .kinds import STRICT, choice
from .values import Count, FileName, KeyFileName, Period, Retention, RoomSize, Seconds, SegmentAge, SegmentSize


class Rotate(BaseModel):
    """When the live file is sealed and a new one begun: what comes first. A key left out keeps its default."""

    model_config = ConfigDict(**STRICT, title="Rotation")

    size: SegmentSize = Field(
        default="256MiB",
        validate_default=True,
        description='The size of the live file, or "never".',
        examples=["256MiB"],
    )
    every: SegmentAge = Field(
        default="1d", validate_default=True, description='The age of the live file, or "never".', examples=["1d"]
    )


class Checkpoint(BaseModel):
    """When a signed checkpoint is made: what comes first."""

    model_config = ConfigDict(**STRICT, title="Checkpoint")

    lines: Count = Field(default=1000, description="Lines since the last one.")
    every: Period = Field(default="1m", validate_default=True, description="Time since the last one.", examples=["1m"])


class MaxUnanchored(BaseModel):
    """How much of the tail may lie beyond the last anchor."""

    model_config = ConfigDict(**STRICT, title="Unanchored tail")

    lines: Count | None = Field(default=None, description="Lines.", examples=[10000])
    seconds: Seconds | None = Field(default=None, description="Seconds.", examples=[3600])
    then: Annotated[Literal["alert", "deny"], choice("alert", "deny")] = Field(
        default="alert", description="Beyond it: alert puts a line on record, deny answers 503."
    )


class Disk(BaseModel):
    """How little room on the disk brings which stage; on a small file system a twentieth and a hundredth of it do."""

    model_config = ConfigDict(**STRICT, title="Room on the disk")

    warn: RoomSize = Field(
        default="64MiB",
        validate_default=True,
        description="Less room than this is put on record.",
        examples=["64MiB"],
    )
    critical: RoomSize = Field(
        default="16MiB",
        validate_default=True,
        description="Less than this is an alert, and lines that only inform are dropped and counted.",
        examples=["16MiB"],
    )


class Audit(BaseModel):
    """The audit trail."""

    model_config = ConfigDict(**STRICT, title="Audit trail")

    path: FileName = Field(default="audit/stepup.jsonl", description="The living file; tail -F follows it.")
    durability: Annotated[Literal["commit", "write", "async"], choice("commit", "write", "async")] = Field(
        default="commit", description="commit: on stable storage before the app runs. write. async."
    )
    on_failure: Annotated[Literal["deny", "allow"], choice("deny", "allow")] = Field(
        default="deny", description="When a line cannot be written: deny answers 503."
    )
    user_id: Annotated[Literal["plain", "hmac"], choice("plain", "hmac")] = Field(
        default="plain",
        description="How user ids stand in the lines: as they are, or as a keyed hash that names its key.",
    )
    ip: Annotated[Literal["full", "truncated"], choice("full", "truncated")] = Field(
        default="full",
        description="How addresses stand in the lines: whole, or cut to the /24 (IPv4) or /48 (IPv6) they lie in.",
    )
    rotate: Rotate = Field(default_factory=Rotate, description="When the live file is sealed.")
    compress: Annotated[Literal["none", "zstd"], choice("none", "zstd")] = Field(
        default="none", description="What becomes of sealed files: kept as they are, or compressed (zstd)."
    )
    disk: Disk = Field(default_factory=Disk, description="What is done as the disk runs full.")
    retain: Retention | None = Field(
        default=None, description="How long sealed files are kept before they may be pruned.", examples=["400d"]
    )
    checkpoint: Checkpoint = Field(default_factory=Checkpoint, description="When a checkpoint is signed.")
    signing_key_file: KeyFileName | None = Field(
        default=None,
        description="Ed25519, PKCS#8 PEM; never inside the audit folder. Left out: no checkpoints.",
        examples=["stepup-audit.key"],
    )
    max_unanchored: MaxUnanchored | None = Field(
        default=None, description="How much of the tail may lie beyond the last anchor."
    )
    anchor: list[Anchor] = Field(
        default=[],
        description="Where checkpoints go so that this host cannot take them back.",
        examples=[[{"kind": "stdout"}]],
    )
