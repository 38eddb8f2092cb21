"""Every error this package raises, with the evidence as attributes.

An error here never prints, logs or exits. The gate turns errors into HTTP answers, the command into exit
codes; nowhere else does either happen.

    StepUpError
    ├── ConfigError            a configuration that must not start; carries every problem found
    ├── PatternError           a route path that is not Starlette path syntax
    ├── AmbiguousRequest       a request that a router below could read in more than one way, or two identities
    ├── BodyTooLarge           a body over the cap where the proof must be bound to the whole of it
    │   └── BodyTaken          a body that the app has read, and that is not remembered
    ├── BadToken               a token whose signature, shape or purpose is wrong
    ├── TokenRefused           an access token of the client's that is not good here
    ├── Unavailable
    │   ├── StoreUnavailable   the state store did not answer, or answered with an error
    │   │   └── StoreLost      it lost what it knew
    │   ├── TrailUnavailable   an audit line could not be made durable
    │   └── IdentityUnavailable  the identity provider raised
    ├── DataError              a data file (geo, addresses) that cannot be used or asked
    ├── SignalError            a risk signal that cannot tell
    ├── PasskeyError           a browser's answer that proves no passkey
    ├── EnrollmentError        a user name or a secret that cannot be enrolled
    ├── SealError              a sealed secret that does not open under any configured key
    ├── NoteError              a signed note or a key file that does not parse or verify
    ├── LineError              an audit line that no trail may hold
    ├── OutboundFailed         a server elsewhere did not answer, or not within bounds
    ├── AnchorError            an anchor did not take a checkpoint or a segment, or does not hold what it should
    ├── NoticeError            a notice that was not delivered
    ├── ProofError             an inclusion or consistency proof that does not hold
    ├── TemplateError          a template of a page, or a file of its texts, that cannot be read
    ├── BadDemand              what code in the app asks for cannot be asked for; says what is allowed
    ├── NotWrapped             a proof is asked for in a request that came through no middleware of this package
    ├── AskedTooLate           a proof is asked for when the answer has begun
    ├── MissingExtra           an optional package that is not installed; says how to install it
    ├── StreamOver             an answer that outlived its proof, and is cut
    └── Unsupported            this platform or server cannot keep a promise that was asked for
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class StepUpError(Exception):
    """The root. ``code`` is stable and machine readable."""

    code: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """One mistake in a configuration.

    ``line`` and ``column`` count from 1 and are None where the value has no place in a file (a mapping, the
    environment). ``key`` is the dotted name, ``routes[1].risk`` for example.
    """

    source: str
    key: str
    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(StepUpError):
    """The configuration cannot be used. ``problems`` holds all of them, in the order of the file."""

    code = "config"

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class PatternError(StepUpError):
    """``path`` is not a route path; the message says why and what is allowed."""

    code = "pattern"

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        super().__init__(why)


class AmbiguousRequest(StepUpError):
    """Doubt about what is asked, or by whom. ``reason`` is a short token for the audit line."""

    code = "ambiguous_request"

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(detail)


class BodyTooLarge(StepUpError):
    """The body is larger than ``limit`` bytes, so that a proof cannot be bound to the whole of it."""

    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the body is larger than {limit} bytes")


class BodyTaken(BodyTooLarge):
    """The app has read of the body what nobody else can read any more."""

    code = "body_taken"


class BadToken(StepUpError):
    """A token that this service did not make for this purpose. ``reason`` is ``shape`` or ``signature``, or
    for a flow that another service has handed on ``expired``, ``user`` or ``service``."""

    code = "bad_token"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"bad token: {reason}")


class TokenRefused(StepUpError):
    """An access token that says nothing here. ``reason`` is a short token for the audit line, ``detail`` a sentence for
    the client, in the characters of RFC 6750 section 3; neither holds anything of the token."""

    code = "token_refused"

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(detail)


class Unavailable(StepUpError):
    """Something the gate depends on does not answer. Never leads to access."""

    code = "unavailable"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


class StoreLost(StoreUnavailable):
    """What the store knew is gone, and nobody can say what it was."""

    code = "store_lost"


class TrailUnavailable(Unavailable):
    code = "trail_unavailable"


class IdentityUnavailable(Unavailable):
    code = "identity_unavailable"


class DataError(StepUpError):
    """``source`` is the file, or where its data are from; ``why`` what is wrong with it."""

    code = "data"

    def __init__(self, source: object, why: str) -> None:
        self.source = str(source)
        self.why = why
        super().__init__(f"{source}: {why}")


class SignalError(StepUpError):
    """The message says what it does not know."""

    code = "signal"


class PasskeyError(StepUpError):
    """A browser's answer that proves no passkey; the message is a word for the log."""

    code = "passkey"


class EnrollmentError(StepUpError):
    """A user name or a secret that cannot be enrolled; the message says why, and never holds the secret."""

    code = "enrollment"


class SealError(StepUpError):
    code = "seal"


class NoteError(StepUpError):
    code = "note"


class LineError(StepUpError):
    code = "line"


class OutboundFailed(StepUpError):
    """The message says which server, and what it answered or that it did not."""

    code = "outbound"


class AnchorError(StepUpError):
    """The message says what the anchor answered, or that it did not."""

    code = "anchor"


class NoticeError(StepUpError):
    """A notice was not delivered; the message says why. ``passing``: another try may help."""

    code = "notice"

    def __init__(self, why: str, *, passing: bool) -> None:
        self.passing = passing
        super().__init__(why)


class ProofError(StepUpError):
    code = "proof"


class BadDemand(StepUpError):
    code = "bad_demand"


class NotWrapped(StepUpError):
    code = "not_wrapped"


class AskedTooLate(StepUpError):
    code = "asked_too_late"


class MissingExtra(StepUpError):
    """``feature`` needs ``package``, which the extra ``extra`` installs."""

    code = "missing_extra"

    def __init__(self, feature: str, package: str, extra: str) -> None:
        self.feature = feature
        self.package = package
        self.extra = extra
        super().__init__(f"{feature} needs {package}, which is not installed: pip install 'stepup-mw[{extra}]'")


class TemplateError(StepUpError):
    """A template of a page, or a file of its texts, that cannot be read; ``line`` counts from 1, 0 for the whole."""

    code = "template"

    def __init__(self, name: str, line: int, reason: str) -> None:
        self.name = name
        self.line = line
        self.reason = reason
        super().__init__(f"{name}:{line}: {reason}" if line else f"{name}: {reason}")


class StreamOver(StepUpError):
    """The proof behind an answer has expired while it went on; raised to the server, so that it cuts the answer."""

    code = "stream_over"


class Unsupported(StepUpError):
    code = "unsupported"
