"""Forgery: every attack on a small trail of the drill's own, many on a copy of the service's; each has to be seen.

Seen: ``verify`` does not pass. Where no checkpoint is over what was touched, ``verify`` passes and says how many lines
no checkpoint is over, and that is as much as can be said; it is counted apart.
"""

from __future__ import annotations

import shutil
from itertools import chain
from typing import TYPE_CHECKING

from ..errors import StepUpError
from ..note import Checkpoint, format_checkpoint, format_note, generate_signing_key, origin_of, parse_signer
from ..trail import verify_trail
from ..trail.trusted import signer_memory
from . import attacks
from .attacks import Copy, Forgery
from .copying import Folder, read_copy
from .values import NotPossible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..trail import Report
    from .lab import Ground, Lab
    from .values import Score

_LINES, _SEGMENTS_END = 18, (5, 11)
_PLACES = 40
"""Lines of a copy of the service's trail that are attacked in every way."""

_EASY = 4_000_000
"""Bytes of a copy up to which that many are."""

_NO_KEY = "without audit.signing_key_file there are no checkpoints to attack"


def tamper_lines(lab: Lab, score: Score) -> None:
    target = _golden(lab, "tamper-lines")
    places = lab.sample(target.copy.places())
    _judge_all(target, attacks.forge_lines(target.copy, places), len(places) * len(attacks.LINES), score)


def tamper_chain(lab: Lab, score: Score) -> None:
    target = _golden(lab, "tamper-chain")
    places = lab.sample(target.copy.places())
    made = [*(attacks.rechain(target.copy, place) for place in places), *_reborn(target.copy)]
    _judge_all(target, made, len(made), score)


def tamper_cut(lab: Lab, score: Score) -> None:
    target = _golden(lab, "tamper-cut")
    places = target.copy.places()
    made = [attacks.cut_after(target.copy, place) for place in lab.sample(places[:-1])]
    made += attacks.lose_files(target.copy)
    _judge_all(target, made, len(made), score)
    if lab.signed:
        score.case("a writer on a cut trail", _refused(target, attacks.cut_after(target.copy, places[-5])))


def tamper_notes(lab: Lab, score: Score) -> None:
    if not lab.signed:
        raise NotPossible(_NO_KEY)
    target = _golden(lab, "tamper-notes", lines=2, rotate_after=())
    start = target.copy.notes.rindex(b"\n\n", 0, target.copy.notes.rindex(b"\n\n"))
    start = target.copy.notes.index(b"\n", start + 2) + 1
    bits = lab.sample(range((len(target.copy.notes) - start) * 8))
    others = list(_other_notes(target.ground, target.copy))
    flipped = attacks.flip_bits(target.copy, start, bits)
    _judge_all(target, chain(others, flipped), len(others) + len(bits), score)


def tamper_rollback(lab: Lab, score: Score) -> None:
    """Only what the signer keeps beside its key can tell: the folder itself is without a flaw."""
    if not lab.signed:
        raise NotPossible(_NO_KEY)
    ground = lab.ground("tamper-rollback")
    ground.fill(4)
    shutil.copytree(ground.audit, ground.folder / "earlier")
    ground.fill(4)
    shutil.rmtree(ground.audit)
    (ground.folder / "earlier").rename(ground.audit)
    key = ground.trail.signing_key_file
    held = signer_memory(key, origin_of(ground.service)) if key is not None else None
    report = ground.verify(held=[held] if held is not None else [])
    score.expect(2)
    score.case("verify", "" if report.exit_code == 2 else f"verify says {report.verdict}")
    score.case("the signer", _not_signed(ground))
    score.said = f"verify says {report.verdict}, by what the signer keeps beside its key"


def tamper_copy(lab: Lab, score: Score) -> None:
    folder = Folder(lab.folder / "tamper-copy")
    copy = read_copy(lab.settings.trail.path, lab.copy_limit)
    target = _Target(folder, copy, lab.settings.trail.path.name, lab.vkey)
    try:
        report = target.report(copy)
        if report.exit_code != 0:
            score.case("untouched", f"your trail itself does not verify: {report.verdict}: {report.message}")
            return
        made, count = _forge_some(lab, copy)
        _judge_all(target, made, count, score)
        score.said += f"; the copy has {report.lines:,} lines"
    finally:
        folder.remove()


def _forge_some(lab: Lab, copy: Copy) -> tuple[Iterator[Forgery], int]:
    """Attacks all over a trail of any size: the larger it is, the fewer, for each is verified from end to end. Made one
    by one, since each holds a file of its own."""
    size = sum(len(data) for _, data in copy.files)
    places = copy.places()
    most = min(len(places), max(3, min(_PLACES, _PLACES * _EASY // size)))
    some = lab.sample([places[index] for index in sorted(lab.random.sample(range(len(places)), most))])
    bits = range(len(copy.notes) * 8 if lab.vkey is not None else 0)
    flips = lab.sample(sorted(lab.random.sample(bits, min(5 * most, len(bits)))))
    made = chain(
        attacks.forge_lines(copy, some),
        (attacks.rechain(copy, place) for place in some),
        (attacks.cut_after(copy, place) for place in some if place != places[-1]),
        attacks.lose_files(copy),
        attacks.flip_bits(copy, 0, flips),
    )
    return made, len(some) * (len(attacks.LINES) + 2) + 3 * len(copy.files) + len(flips)


class _Target:
    """A copy, the folder where its forgeries are looked at, and the key they are verified with."""

    def __init__(self, folder: Folder, copy: Copy, live: str, vkey: str | None, ground: Ground | None = None) -> None:
        self.copy = copy
        self.vkey = vkey
        self._folder = folder
        self._live = live
        self._ground = ground
        folder.write(copy)

    @property
    def ground(self) -> Ground:
        if self._ground is None:
            raise NotPossible("only for a trail of the drill's own")
        return self._ground

    @property
    def folder(self) -> Folder:
        return self._folder

    def report(self, copy: Copy) -> Report:
        """What ``verify`` says of a copy, put in the place of what was there before."""
        self._folder.write(copy)
        return verify_trail(self._folder.path / self._live, vkey=self.vkey)


def _golden(lab: Lab, name: str, lines: int = _LINES, rotate_after: Sequence[int] = _SEGMENTS_END) -> _Target:
    """A whole, closed trail of three files, and a checkpoint over each."""
    ground = lab.ground(name)
    ground.fill(lines, rotate_after=rotate_after)
    copy = read_copy(ground.live, 1 << 30)
    return _Target(Folder(ground.folder / "forged"), copy, ground.live.name, ground.vkey, ground)


def _judge_all(target: _Target, made: Iterable[Forgery], count: int, score: Score) -> None:
    """``count``: about how many they are."""
    score.expect(count)
    unsigned = 0
    for forgery in made:
        if forgery.copy == target.copy:
            continue
        report = target.report(forgery.copy)
        problem = _judge(forgery, report)
        unsigned += report.exit_code == 0 and not problem
        score.case(forgery.name, problem)
    score.said = f"{score.tried - unsigned - score.broken:,} of {score.tried:,} forgeries seen"
    if unsigned:
        score.said += f"; {unsigned:,} after the last checkpoint, which verify says is not proven"


def _judge(forgery: Forgery, report: Report) -> str:
    """ "" if it was seen, or touches only lines that verify says no checkpoint is over."""
    if report.exit_code != 0:
        return ""
    if report.checkpoint is None:
        return "verify passes: nothing is signed (audit.signing_key_file), so a chain made anew passes"
    if forgery.seq >= report.checkpoint.size:
        return ""
    return f"verify passes, though a checkpoint is over line {forgery.seq}"


def _reborn(copy: Copy) -> Iterator[Forgery]:
    """The trail begun anew in the middle, as if nothing had been before."""
    places = copy.places()
    for place in (places[len(places) // 3], places[2 * len(places) // 3]):
        yield attacks.begin_at_zero(copy, place)


def _other_notes(ground: Ground, copy: Copy) -> Iterator[Forgery]:
    """Checkpoints lost, cut off, signed by a stranger, for two histories, for lines that are not there."""
    last = copy.notes.rstrip(b"\n").rindex(b"\n\n")
    lines, pem = len(copy.places()), ground.trail.signing_key_file
    own = pem.read_bytes() if pem is not None else b""
    made = {
        "the checkpoints gone": b"",
        "the last checkpoint cut off in its middle": copy.notes[: last + 20],
        "a checkpoint of the same lines by a stranger's key": copy.notes + _note(ground, generate_signing_key(), lines),
        "only checkpoints by a stranger's key": _note(ground, generate_signing_key(), lines),
        "a second root for the same lines, by the right key": copy.notes + _note(ground, own, lines),
        "a checkpoint of more lines than there are": copy.notes + _note(ground, own, lines + 5),
        "a checkpoint of another log": copy.notes.replace(origin_of(ground.service).encode(), b"another/log"),
        "garbage after the checkpoints": copy.notes + b"\0" * 64,
    }
    for name, notes in made.items():
        yield Forgery(name, Copy(copy.files, notes), 0)


def _note(ground: Ground, pem: bytes, size: int) -> bytes:
    signer = parse_signer(pem, origin_of(ground.service))
    text = format_checkpoint(Checkpoint(origin=signer.name, size=size, root=bytes(32)))
    return format_note(text, [signer.sign(text)])


def _refused(target: _Target, cut: Forgery) -> str:
    """Nobody goes on from a trail that is shorter than a checkpoint says."""
    target.folder.write(cut.copy)
    ground = target.ground
    shutil.rmtree(ground.audit)
    target.folder.path.rename(ground.audit)
    trail = ground.open()
    try:
        trail.append_blocking([ground.record("never")])
    except StepUpError:
        return ""
    finally:
        trail.close()
    return "a writer goes on from a trail that is shorter than a checkpoint says"


def _not_signed(ground: Ground) -> str:
    before = (ground.audit / "checkpoints.note").read_bytes()
    trail = ground.open()
    try:
        trail.append_blocking([ground.record("after-the-rollback")])
        made = trail.checkpoint_now()
    finally:
        trail.close()
    unchanged = made is None and (ground.audit / "checkpoints.note").read_bytes() == before
    return "" if unchanged else "a checkpoint was signed over a second history"
