"""Checks an audit trail of stepup_mw without stepup_mw: the standard library and `cryptography` (Ed25519) only.

python verify_independently.py AUDIT_FOLDER_OR_PACK.tar [VKEY ...]: VKEY is the operator's verifier key (a line of
stepup-audit.vkey), got another way. Ends with 0: every line is in its place, 2: tampered, 3: incomplete, 5: no trail.
"""

import json
import pathlib
import re
import sys
import tarfile
from base64 import b64decode, b64encode
from contextlib import ExitStack
from functools import reduce
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

OPENING = re.compile(rb'\{"prev":"([A-Za-z0-9+/]{43}=)","seq":(0|[1-9][0-9]{0,15}),"')
NOTES = re.compile(rb"([^\n]+\n[0-9]+\n[^\n]+\n)\n((?:\xe2\x80\x94 [^\n]+\n)+)")
OWN = ("audit", "gap"), ("audit", "checkpoint")
PRUNED = b'"event_type":"audit","phase":"pruned",'  # the record of a removal
ODD = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # what no line may hold as it is
STRICT = json.JSONDecoder(  # nothing that two readers could take for two things
    object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else {}["a name twice"],
    parse_int=lambda digits: int(digits) if abs(int(digits)) <= 1 << 53 else {}["an integer beyond 2^53"],
    parse_float=lambda digits: int(float(digits)),  # which an infinity has not
    parse_constant={}.__getitem__,
)
NOTHING = {"frontier": [], "leaf": b64encode(bytes(32))}


class Bad(Exception): ...  # the exit code, and what is wrong


def add_leaf(hashes: list, size: int, leaf: bytes) -> None:  # ``hashes``: perfect subtrees, left to right (RFC 6962)
    while size & 1:
        leaf, size = sha256(b"\1" + hashes.pop() + leaf).digest(), size >> 1
    hashes.append(leaf)


def unpacked(name: str, stream):  # a compressed segment needs Python 3.14, or the package backports.zstd
    zstd = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return __import__(zstd, fromlist=["open"]).open(stream) if name.endswith(".zst") else stream


def open_trail(path: pathlib.Path, stack: ExitStack):  # streams, oldest first; notes; what was before; is one missing?
    if path.is_file() and tarfile.is_tarfile(path):
        pack = stack.enter_context(tarfile.open(path))  # noqa: SIM115 - the stack closes it
        names = sorted(pack.getnames(), key=lambda name: (name == "live.jsonl", name))
        if len(set(names)) < len(names):
            raise Bad(5, f"{path} holds a name twice")
        streams = [(name, unpacked(name, pack.extractfile(name))) for name in names if ".jsonl" in name]
        before = json.load(pack.extractfile("manifest.json")).get("before")
        return streams, pack.extractfile("checkpoints.note").read() if "checkpoints.note" in names else b"", before, 0
    live = path / "stepup.jsonl" if path.is_dir() else path
    sealed = {file.name.split(".")[0]: file for file in sorted((live.parent / "segments").glob("*-*.jsonl*"))[::-1]}
    files, note = [*sorted(sealed.values()), *[live] * live.is_file()], live.parent / "checkpoints.note"
    if not files or any(file.is_symlink() or (file.exists() and not file.is_file()) for file in [live, note, *files]):
        raise Bad(5, f"{live} is not a file")
    gone = sealed and not (live.is_file() and live.stat().st_size > 0)
    missing = gone and (3 if (live.parent / ".stepup.next").exists() else 2)  # a rotation that was cut off, or worse
    streams = [(str(file), unpacked(file.name, stack.enter_context(file.open("rb")))) for file in files]
    return streams, note.read_bytes() if note.is_file() else b"", None, missing


def parse_vkey(vkey: str):
    name, key_id, key = vkey.strip().split("+", 2)
    raw = b64decode(key)
    if raw[:1] != b"\1" or sha256(name.encode() + b"\n" + raw).hexdigest()[:8] != key_id:
        raise Bad(5, "this is no Ed25519 verifier key")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(raw[1:])


def read_checkpoints(data: bytes, keys: list) -> list:  # (size, root) of each c2sp.org/tlog-checkpoint, checked by keys
    found, notes = [], NOTES.findall(data)
    for text, signatures in notes:
        good, (origin, size, root, _) = not keys, text.decode().split("\n")
        for _, name, blob in (line.split(" ") for line in signatures.decode().splitlines()):
            raw = b64decode(blob) if b64encode(b64decode(blob)).decode() == blob else {}["no canonical base64"]
            for key in [key for known, key_id, key in keys if (name, raw[:4], origin) == (known, key_id, known)]:
                good = key.verify(raw[4:], text) is None
        if not good or str(int(size)) != size or b64encode(b64decode(root)).decode() != root:
            raise Bad(2, f"the checkpoint of {size} lines is not signed by the key given, or not well-formed")
        found.append((int(size), root))
    if rest := data.removeprefix(b"".join(text + b"\n" + signatures for text, signatures in notes)):
        raise Bad(2 if b"\n\xe2\x80\x94 " in rest and rest[-1:] == b"\n" else 3, "what is no checkpoint is among them")
    if found != sorted(found, key=lambda item: item[0]):
        raise Bad(2, "a checkpoint of fewer lines after one of more: two histories")
    return found


def read_lines(streams: list, seq: int, prev: bytes, torn: list):  # (leaf, event) of each; a torn end into ``torn``
    for name, number, line in ((name, *item) for name, file in streams for item in enumerate(file, file.seek(0) + 1)):
        place = OPENING.match(line)
        if torn and (place or name != streams[-1][0]):
            raise Bad(2, f"{torn[0]}, and it is not the end")
        if not place or not line.endswith(b"}\n") or len(line) > 16384:
            torn.append(f"{name}:{number} is no whole line")
        elif (int(place[2]), place[1]) != (seq, b64encode(prev)):
            raise Bad(2, f"{name}:{number} does not follow the line before it")
        else:
            seq, prev, event = seq + 1, sha256(b"\0" + line[:-1]).digest(), STRICT.decode(line[:-1].decode())
            if ODD.search(line[:-1].decode()) or not json.dumps(event, ensure_ascii=False).encode():
                raise Bad(2, f"{name}:{number} holds what no line of a trail may hold")
            yield prev, event


def verify(path: pathlib.Path, vkeys: list, stack: ExitStack) -> str:
    streams, notes, before, missing = open_trail(path, stack)
    first = next((line for _, stream in streams for line in [stream.readline()] if line), b"")
    begin = int((OPENING.match(first) or [0] * 3)[2])
    records = (json.loads(line)["detail"] for _, stream in streams for line in stream if PRUNED in line)
    before = (before or next((item for item in records if item["size"] == begin), None)) if begin else NOTHING
    if before is None:
        raise Bad(2, f"the first {begin} lines are missing, and no record says that they were removed")
    wanted = [item for item in read_checkpoints(notes, [*map(parse_vkey, vkeys)]) if item[0] >= max(begin, 1)]
    hashes, size, signed, told, lost, lives, problems = [*map(b64decode, before["frontier"])], begin, 0, 0, 0, {}, []
    for leaf, event in read_lines(streams, begin, b64decode(before["leaf"]), problems):
        detail = event["detail"] if (event.get("event_type"), event.get("phase")) in OWN else {}
        told, lost = max(told, detail.get("size", 0)), lost + detail.get("lost", 0)
        writer = event.get("writer") or {}  # records have a number; the trail's own lines say after which they come
        if type(number := writer.get("n", writer.get("after"))) is int:
            last, holes = lives.get(writer["life"], (number, 0))
            holes += max(0, number - last - ("n" in writer)) - detail.get("lost", 0) - detail.get("refused", 0)
            lives[writer["life"]] = max(last, number), holes
        add_leaf(hashes, size, leaf)
        size += 1
        while wanted and wanted[0][0] == size:
            root = reduce(lambda right, left: sha256(b"\1" + left + right).digest(), hashes[::-1])
            if b64encode(root).decode() != wanted.pop(0)[1]:
                raise Bad(2, f"the first {size} lines are not those that were signed")
            signed = size
    if wanted or (size and missing):
        raise Bad(2 if wanted else missing, "lines that were signed for, or the live file, are missing")
    if size == begin:
        raise Bad(3 if problems else 5, "there is no line to check")
    lost += sum(max(0, holes) for _, holes in lives.values())
    if problems or lost or (vkeys and not signed) or (told > signed and path.suffix != ".tar"):
        raise Bad(3, problems[0] if problems else f"{lost} lines were lost" if lost else "checkpoints are missing")
    return f"VERIFIED: lines {begin} to {size - 1}, the first {signed} signed for, {len(vkeys)} keys given"


if __name__ == "__main__":
    try:
        with ExitStack() as opened:
            print(verify(pathlib.Path(sys.argv[1]), sys.argv[2:], opened))
    except Exception as error:  # noqa: BLE001 - whatever the bytes do, there is a verdict
        print(f"NOT VERIFIED: {error.args[-1] if error.args else 'a signature does not fit its checkpoint'}")
        sys.exit(error.args[0] if isinstance(error, Bad) else 5 if isinstance(error, OSError | ImportError) else 2)
