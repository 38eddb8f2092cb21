"""Proofs of single lines at the shell: ``audit prove`` makes one, ``verify --proof`` checks one with a key alone."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import LineError, NoteError, ProofError
from . import service
from .failure import CANNOT_VERIFY, CommandError
from .program import command
from .progress import progress
from .screen import fields, paint, safe, say, say_json
from .vkeys import find_keys

if TYPE_CHECKING:
    from ..proofs import Proof, Proven

_FILE = click.Path(path_type=Path, dir_okay=False)


@command("prove")
@click.argument("seq", type=click.IntRange(0))
@click.option("--out", type=_FILE, metavar="FILE", help="Where to write it (.tlog-proof); printed if left out.")
@click.option(
    "--trail", "path", type=click.Path(path_type=Path), help="Another trail or a pack, not the configured one."
)
def prove(seq: int, out: Path | None, path: Path | None, config: Path, as_json: bool) -> int:
    """Prove that line SEQ is in the trail.

    The proof (c2sp.org/tlog-proof@v1) holds the line, its place in the tree, and a signed checkpoint over it. With the
    verifier key alone, and nothing else of the trail, `stepup verify --proof` shows that the line was there, unchanged,
    when the checkpoint was signed.
    """
    from ..note import parse_vkey
    from ..proofs import format_proof
    from ..trail.prove import make_proof

    loaded = service.read(config)
    keys = [parse_vkey(line) for line in (find_keys(loaded, config) or "").splitlines()]
    if not keys:
        raise CommandError("no verifier key: a proof needs a checkpoint that somebody signed (audit.signing_key_file)")
    with progress("proving", wanted=not as_json) as advance:
        proof = make_proof(path or loaded.settings.trail.path, seq, keys=keys, progress=advance)
    text = format_proof(proof)
    if out is not None:
        out.write_bytes(text)
    if as_json:
        say_json({"seq": seq, "out": str(out) if out else None, "proof": text.decode(), **_size(proof)})
    elif out is None:
        say(text.decode().removesuffix("\n"))
    else:
        sure = f"line {seq} is one of the {_size(proof)['size']} lines under the checkpoint in it"
        say(f"{paint('✓', 'green', bold=True)} {paint(safe(out), bold=True)}: {sure}")
    return 0


def _size(proof: Proof) -> dict[str, int]:
    from ..note import parse_checkpoint, parse_note

    return {"size": parse_checkpoint(parse_note(proof.note).text).size}


def check_proof(path: Path, line_file: Path | None, vkey: str | None, *, as_json: bool) -> int:
    """Say what a proof proves, or why nothing. The exit codes are those of ``verify``."""
    from ..proofs import MAX_PROOF, ForeignKey, parse_proof, verify_proof
    from ..trail.notes import read_vkeys

    if vkey is None:
        raise CommandError("a proof needs the verifier key: --key", CANNOT_VERIFY)
    keys = read_vkeys(vkey)
    with path.open("rb") as stream:
        data = stream.read(MAX_PROOF + 1)
    line = line_file.read_bytes().removesuffix(b"\n") if line_file is not None else None
    try:
        proven = verify_proof(parse_proof(data), keys, line)
    except ForeignKey as error:
        return _refused("WRONG_KEY", str(error), path, as_json=as_json)
    except (NoteError, ProofError, LineError) as error:
        return _refused("TAMPERED", str(error), path, as_json=as_json)
    if as_json:
        say_json(_as_json(path, proven))
    else:
        _show(path, proven)
    return 0


def _refused(verdict: str, why: str, path: Path, *, as_json: bool) -> int:
    if as_json:
        say_json({"verdict": verdict, "verified": False, "exit_code": 2, "message": why, "proof": str(path)})
    else:
        say(f"{paint(f'✗ {verdict}', 'red', bold=True)}  {safe(why)}")
        say("\nNothing is proven.")
    return 2


def _as_json(path: Path, proven: Proven) -> dict[str, Any]:
    checkpoint = proven.checkpoint
    return {
        "verdict": "VERIFIED",
        "verified": True,
        "exit_code": 0,
        "proof": str(path),
        "seq": proven.index,
        "line": proven.line.decode(),
        "checkpoint": {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": b64encode(checkpoint.root).decode(),
            "key": proven.key.key_id.hex(),
        },
    }


def _show(path: Path, proven: Proven) -> None:
    checkpoint = proven.checkpoint
    say(f"{paint('✓ VERIFIED', 'green', bold=True)}  this line was in the log, as it is here, when it was signed for")
    say()
    signed = f"{checkpoint.size:,} lines of {safe(checkpoint.origin)}, signed by key {proven.key.key_id.hex()}"
    say(
        fields(
            [
                ("proof", safe(path)),
                ("line", f"number {proven.index}\n{safe(proven.line.decode(), 16_384)}"),
                ("checkpoint", f"{signed}\nroot {b64encode(checkpoint.root).decode()}"),
                ("not shown", "that the log holds every line it should: `stepup verify` checks the whole trail"),
            ]
        )
    )
