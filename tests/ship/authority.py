"""A time-stamp authority for the tests: ``openssl ts`` behind a small HTTP server."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .http import serving

CONFIG = """\
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def _openssl(*words: str | Path) -> bytes:
    binary = shutil.which("openssl")
    assert binary is not None, "no `openssl`: apt-get install openssl"
    return subprocess.run([binary, *map(str, words)], check=True, capture_output=True).stdout


class Authority:
    """Keys and certificates in ``folder``; ``ca`` is what its time stamps lead to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.ca = folder / "ca.pem"
        config = folder / "ts.cnf"
        config.write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        request = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "/dev/null")
        _openssl(*request, "-x509", "-days", "30", "-subj", "/CN=Test CA", "-keyout", folder / "ca.key",
                 "-out", self.ca,
                 "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign",
                 "-addext", "subjectKeyIdentifier=hash")  # fmt: skip
        _openssl(*request, "-subj", "/CN=Test TSA", "-keyout", folder / "tsa.key", "-out", folder / "tsa.csr")
        _openssl("x509", "-req", "-in", folder / "tsa.csr", "-CA", self.ca, "-CAkey", folder / "ca.key", "-days", "30",
                 "-CAcreateserial", "-extfile", config, "-extensions", "leaf", "-out", folder / "tsa.pem")  # fmt: skip

    def stamp(self, _path: str, query: bytes) -> tuple[int, str, bytes]:
        asked, given = self.folder / "query.tsq", self.folder / "reply.tsr"
        asked.write_bytes(query)
        _openssl(
            "ts", "-reply", "-config", self.folder / "ts.cnf", "-section", "here", "-queryfile", asked, "-out", given
        )
        return 200, "application/timestamp-reply", given.read_bytes()


def openssl_accepts(note: Path, token: Path, ca: Path) -> bool:
    """Whether openssl itself finds that the token is a time stamp of those bytes."""
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-data", note, "-in", token, "-CAfile", ca], capture_output=True, check=False
    )
    return done.returncode == 0


@contextlib.contextmanager
def authority(folder: Path) -> Iterator[tuple[Authority, str]]:
    made = Authority(folder)
    with serving(made.stamp) as url:
        yield made, url
