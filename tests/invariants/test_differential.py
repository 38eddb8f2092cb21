"""The same script through both doors and over both stores: the same answers, and the same lines."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import KINDS, MakeWorld
from .world import Answer, World, who

USER = "alice"
TARGETS = (
    "/transfer",
    "/wire",
    "/payroll",
    "/rename",
    "/close",
    "/watch",
    "/export/a",
    "/public",
    "//transfer",
    "/wire%0a",
)
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(["POST", "GET", "HEAD", "post"]), st.sampled_from(TARGETS)),
    st.tuples(st.just("verify"), st.sampled_from(["right", "right", "wrong", "respelt"]), st.integers(-2, 2)),
    st.tuples(st.just("by_grant"), st.sampled_from(TARGETS[:3]), st.booleans()),
    st.tuples(st.just("inline"), st.sampled_from(TARGETS[:3]), st.integers(-2, 2)),
    st.tuples(st.just("cancel"), st.just(""), st.just(0)),
    st.tuples(st.just("time"), st.sampled_from([1, 31, 301, 4000]), st.just(0)),
    st.tuples(st.just("sweep"), st.just(""), st.just(0)),
    st.tuples(st.just("page"), st.sampled_from(["text/html", "application/json"]), st.just(0)),
)


class Player:
    """Plays a script in one world and keeps what came of each step, with nothing in it that is random."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.challenge: Answer | None = None
        self.grant = ""
        self.seen: list[tuple[Any, ...]] = []

    def play(self, script: list[tuple[str, Any, Any]]) -> None:
        for what, one, two in script:
            answer: Answer | None = getattr(self, what)(one, two)
            if answer is not None:
                self.seen.append((what, answer.status, answer.kind, sorted(_names(answer))))

    def ask(self, method: str, target: str) -> Answer:
        answer = self.world.ask(method, target, [*who(USER), ("User-Agent", "x")], b"b")
        self.challenge = answer if answer.kind == "challenge-required" else self.challenge
        return answer

    def verify(self, how: str, drift: int) -> Answer | None:
        if self.challenge is None:
            return None
        right = self.world.code(USER, drift)
        wide = "".join(chr(0xFF10 + int(digit)) for digit in right)
        code = {"right": right, "wrong": self.world.wrong(USER), "respelt": wide}[how]
        answer = self.world.verify(USER, self.challenge, code)
        self.grant = answer.json["grant"] if answer.status == 200 else self.grant
        return answer

    def by_grant(self, target: str, same: bool) -> Answer | None:
        return self.world.post(USER, target, b"b" if same else b"c", step_up_grant=self.grant) if self.grant else None

    def inline(self, target: str, drift: int) -> Answer:
        return self.world.post(USER, target, b"b", step_up_code=self.world.code(USER, drift))

    def cancel(self, *_: object) -> Answer | None:
        return self.world.post(USER, self.challenge.json["page_url"] + "/cancel") if self.challenge else None

    def page(self, accept: str, _: object) -> Answer | None:
        headers = [*who(USER), ("Accept", accept)]
        return self.world.ask("GET", self.challenge.json["page_url"], headers) if self.challenge else None

    def time(self, seconds: int, _: object) -> None:
        self.world.clock.now += seconds

    def sweep(self, *_: object) -> None:
        self.world.sweep()


def _names(answer: Answer) -> set[bytes]:
    return {name.lower() for name, _ in answer.headers} - {b"content-length"}


def _kind(detail: str | None) -> str:
    """Without the id of an authenticator, which each world has drawn for itself."""
    return (detail or "").partition(":")[0]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=4, max_size=14))
def test_both_doors_and_both_stores_say_and_write_the_same(
    make_world: MakeWorld, script: list[tuple[str, Any, Any]]
) -> None:
    told, written = [], []
    for door, store in KINDS:
        world = make_world(door, store)
        world.enroll(USER)
        player = Player(world)
        player.play(script)
        told.append(player.seen)
        lines = [line for line in world.lines() if line["event_type"] == "step_up"]
        written.append([(line["phase"], line["status"], line["trigger_reason"], _kind(line["detail"]),
                         (line["risk"] or {}).get("score")) for line in lines])  # fmt: skip
    assert all(answers == told[0] for answers in told)
    assert all(lines == written[0] for lines in written)
