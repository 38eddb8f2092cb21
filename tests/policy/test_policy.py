from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw import paths
from stepup_mw.errors import AmbiguousRequest, PatternError
from stepup_mw.policy import Match, Policy, Rule, strictest
from stepup_mw.shadows import check_prefix, find_unreachable

from .samples import ODD, rule

BANK = Policy(
    [
        rule("transfer", "/accounts/{account}/transfer", "POST", risk=60),
        rule("delete", "/items/{id:int}/delete", risk=70),
        rule("admin", "/admin/transfer", risk=90),
        rule("files", "/files/{rest:path}", "GET", risk=20),
        rule("cafe", "/café", risk=30),
    ]
)


def hit(policy: Policy, *request: Any, **more: Any) -> str | None:
    """The name of the rule that holds, ``!reason`` for a refusal, None for a public request."""
    try:
        match = policy.match(*request, **more)
    except AmbiguousRequest as error:
        return "!" + error.reason
    return match.rule.name if match else None


def test_a_match_has_the_rule_the_path_and_the_params() -> None:
    assert BANK.match("POST", "/accounts/42/transfer") == Match(
        rule=BANK.rules[0], path="/accounts/42/transfer", params={"account": "42"}
    )
    assert BANK.match("GET", "/files/a/b.txt") == Match(
        rule=BANK.rules[3], path="/files/a/b.txt", params={"rest": "a/b.txt"}
    )
    found = BANK.match("POST", "//accounts/42/transfer")
    assert found is not None
    assert (found.path, found.params) == ("/accounts/42/transfer", {"account": "42"})


SPELLINGS = {
    "plain": ("POST", "/accounts/42/transfer", "", "transfer"),
    "trailing slash": ("POST", "/accounts/42/transfer/", "", "transfer"),
    "E1 newline": ("GET", "/admin/transfer\n", "", "admin"),
    "E1 newline, encoded again": ("GET", "/admin/transfer%0a", "", "admin"),
    "E2 slashes": ("GET", "///admin/transfer", "", "admin"),
    "E2 absolute": ("GET", "http://evil.example//admin/transfer", "", "admin"),
    "E3 method": ("Post", "/accounts/1/transfer", "", "transfer"),
    "E3 unknown method": ("FOO", "/accounts/1/transfer", "", "transfer"),
    "E9 script name": ("GET", "/zz/admin/transfer", "/zz", "admin"),
    "E12 encoded slash": ("GET", "/admin%2ftransfer", "", "admin"),
    "E12 dots": ("GET", "/x/../admin/./transfer", "", "admin"),
    "E13 head": ("HEAD", "/files/a", "", "files"),
    "backslash": ("GET", "/admin\\transfer", "", "admin"),
    "params": ("GET", "/admin;v=1/transfer;x", "", "admin"),
    "full width": ("GET", "/\uff41\uff44\uff4d\uff49\uff4e\uff0ftransfer", "", "admin"),
    "NFD": ("GET", "/cafe\u0301", "", "cafe"),
    "mojibake": ("GET", "/cafÃ©", "", "cafe"),
    "latin-1": ("GET", "/caf%E9", "", "cafe"),
    "int sign": ("POST", "/items/+5/delete", "", "delete"),
    "root path with a slash": ("GET", "/api/admin/transfer", "/api/", "admin"),
    "root path missing": ("GET", "/admin/transfer", "/api", "admin"),
    "root path is the rule": ("GET", "/admin/transfer", "/admin", "admin"),
    "slashes, root path, newline": ("GET", "//api//admin/transfer\n", "/api", "admin"),
    "tree": ("GET", "/files/../public", "", "files"),
    "tree itself": ("GET", "/files", "", "files"),
    "NUL": ("GET", "/admin/transfer\0.css", "", "!nul_in_path"),
    "surrogate": ("GET", "/files/\udce9", "", "!path_not_text"),
    "long": ("GET", "/files/" + "a" * 9000, "", "!path_too_long"),
    "long and odd": ("GET", "//admin//transfer//" + "a" * 9000, "", "!path_too_long"),
    "many": ("GET", "/admin/%2e/;a/\\x//../transfer/é/\uff0e\n", "", "!too_many_readings"),
    "prefix, NUL": ("GET", "/_stepup/status\0", "", "!nul_in_path"),
    "other method": ("GET", "/accounts/42/transfer", "", None),
    "preflight": ("OPTIONS", "/accounts/42/transfer", "", None),
    "public": ("GET", "/", "", None),
    "public sibling": ("GET", "/admin/transfers", "", None),
    "public below a rule": ("GET", "/admin/transfer/x", "", None),
    "public beside an int": ("GET", "/items/new/delete", "", None),
    "public, other case": ("GET", "/ADMIN/transfer", "", None),
    "public NUL": ("GET", "/x\0", "", None),
    "public surrogate": ("GET", "/\udce9", "", None),
    "public long": ("GET", "/" + "a" * 9000, "", None),
    "public long and odd": ("GET", "//" + "%2e%2f;\\é" * 2000, "", None),
    "public and hostile": ("GET", "/x/%2e/;a/\\x//../y/é/\uff0e\n", "", None),
}


@pytest.mark.parametrize(("method", "path", "root_path", "expected"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_spellings(method: str, path: str, root_path: str, expected: str | None) -> None:
    assert hit(BANK, method, path, root_path) == expected
    if expected is not None:
        assert BANK.concerns(path, root_path)


ORDINARY = [
    "/",
    "/health",
    "/static/js/chunk-12.js",
    "/wiki/Köln",
    "/wiki/中文",
    "/users/me",
    "/.well-known/security.txt",
]
ORDINARY += [
    "/search/a b",
    "/img/a@2x.png",
    "/a//b",
    "/v1/items/7",
    "/x;jsessionid=1",
    "/100%",
    "/blog/2024/05/hello-world",
]


@pytest.mark.parametrize("path", ORDINARY)
@pytest.mark.parametrize("root_path", ["", "/api"])
def test_ordinary_public_paths_are_untouched(path: str, root_path: str) -> None:
    raw = path.encode()
    assert not BANK.concerns(root_path + path, root_path, raw)
    assert BANK.match("POST", root_path + path, root_path, raw) is None


def test_the_prefix_concerns_and_is_no_rule() -> None:
    for path in ("/_stepup", "/_stepup/", "/_stepup/status", "//_stepup/status", "/_stepup/challenges/x/verify\n"):
        assert BANK.concerns(path)
        assert BANK.match("GET", path) is None
    assert not BANK.concerns("/_stepups")
    assert Policy([], "/auth").concerns("/auth/status")
    assert not Policy([], "/auth").concerns("/_stepup/status")


def test_the_raw_path_is_a_reading() -> None:
    policy = Policy([rule("one", "/reports/{name}")])
    assert hit(policy, "GET", "/reports/a/b") is None
    assert hit(policy, "GET", "/reports/a/b", "", b"/reports/a%2Fb") == "one"
    assert policy.concerns("/reports/a/b", "", b"/reports/a%2fb")
    assert hit(policy, "GET", "/api/reports/a/b", "/api", b"/api/reports/a%2Fb") == "one"


def test_the_first_rule_wins() -> None:
    policy = Policy([rule("get", "/a/{x}", "GET"), rule("me", "/a/me", "GET POST"), rule("rest", "/{rest:path}")])
    assert [hit(policy, method, "/a/me") for method in ("GET", "POST", "PUT")] == ["get", "me", "rest"]
    assert [hit(policy, "GET", path) for path in ("/a/b/c", "/")] == ["rest", "rest"]


def test_a_rule_for_words_is_not_joined_with_a_rule_for_numbers() -> None:
    policy = Policy([rule("id", "/users/{id:int}", risk=10, max_age_s=1), rule("name", "/users/{name}", risk=90)])
    assert [hit(policy, "GET", path) for path in ("/users/7", "/users/bob", "/users/+7")] == [
        "id",
        "name",
        "!ambiguous_target",
    ]


def test_below_a_root_path_a_last_rule_for_everything_does_not_interfere() -> None:
    policy = Policy([rule("login", "/login", challenge="never"), rule("rest", "/{rest:path}", challenge="always")])
    assert hit(policy, "GET", "/login") == "login"
    assert hit(policy, "GET", "/api/login", "/api") == "login"
    assert hit(policy, "GET", "/api/login", "/api", b"/api/login") == "login"
    assert hit(policy, "GET", "/api/login/", "/api") == hit(policy, "GET", "/login/") == "rest"
    assert hit(policy, "GET", "/api/login\n", "/api") == "rest"


def test_methods_are_joined_to_the_strictest() -> None:
    policy = Policy(
        [
            rule("read", "/a", "GET", risk=10),
            rule("write", "/a", "POST", risk=50),
            rule("drop", "/a", "DELETE", risk=90),
        ]
    )
    assert [hit(policy, method, "/a") for method in ("get", "HEAD", "POST", "PATCH", "BREW")] == [
        "read",
        "read",
        "write",
        None,
        "drop",
    ]
    assert hit(policy, "POST", "/a", override=["delete"]) == "drop"
    assert hit(policy, "POST", "/a", override=["bogus"]) == "drop"
    assert hit(policy, "GET", "/a", override=[""]) == "read"


STRICTER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mode": ({"mode": "enforce"}, {"mode": "report"}),
    "challenge": ({"challenge": "always"}, {"challenge": "auto"}),
    "never": ({"challenge": "auto"}, {"challenge": "never"}),
    "risk": ({"risk": 60}, {"risk": 59}),
    "age": ({"max_age_s": 60}, {"max_age_s": 61}),
    "grant": ({"grant": "request"}, {"grant": "route"}),
    "service": ({"grant": "route"}, {"grant": "service"}),
    "factors": ({"factors": ("totp",)}, {"factors": ("totp", "recovery_code")}),
}


@pytest.mark.parametrize(("strict", "lax"), STRICTER.values(), ids=STRICTER.keys())
def test_strictest_knows_every_respect(strict: dict[str, Any], lax: dict[str, Any]) -> None:
    left, right = rule("strict", **strict), rule("lax", **lax)
    assert strictest([left, right]) is strictest([right, left]) is left
    more, less = ({"risk": 99}, {"risk": 0}) if "max_age_s" in strict else ({"max_age_s": 1}, {"max_age_s": 900})
    with pytest.raises(AmbiguousRequest) as caught:
        strictest([rule("a", **strict | less), rule("b", **lax | more)])
    assert caught.value.reason == "ambiguous_target"


def test_the_first_of_equals_is_the_strictest() -> None:
    rules = [rule("a", "/a"), rule("b", "/b")]
    assert strictest(rules) is rules[0]


def test_a_target_between_two_rules_is_refused_and_a_stricter_one_taken() -> None:
    policy = Policy(
        [
            rule("a", "/a", risk=90, max_age_s=900),
            rule("b", "/b", risk=10, max_age_s=60),
            rule("c", "/c", risk=95, max_age_s=10),
        ]
    )
    assert hit(policy, "GET", "/a/../b") == "b"
    assert hit(policy, "GET", "/a;/../b") == "b"
    both = Policy([*policy.rules, rule("tree", "/x/{rest:path}", risk=50, max_age_s=100)])
    assert hit(both, "GET", "/x/../a") == "!ambiguous_target"
    assert hit(both, "GET", "/x/../c") == "c"


def test_rules_have_names_and_bad_paths_do_not_pass() -> None:
    assert BANK.rule("files") is BANK.rules[3]
    assert BANK.rule("nobody") is None
    with pytest.raises(PatternError):
        Policy([rule("bad", "/{x:nope}")])


UNREACHABLE = {
    "same": (("/a", "", "/a", ""), True),
    "methods within": (("/a", "GET POST", "/a", "POST"), True),
    "head in get": (("/a", "GET", "/a", "HEAD"), True),
    "more methods": (("/a", "GET", "/a", "GET POST"), False),
    "every method": (("/a", "GET", "/a", ""), False),
    "param over a literal": (("/a/{x}", "", "/a/b", ""), True),
    "literal over a param": (("/a/b", "", "/a/{x}", ""), False),
    "tree": (("/{rest:path}", "", "/a/b/{c}", "POST"), True),
    "inner tree": (("/a/{rest:path}", "", "/a/b/c/d", ""), True),
    "tree beside": (("/a/{rest:path}", "", "/ab/c", ""), False),
    "root of a tree": (("/a/{rest:path}", "", "/a", ""), False),
    "root": (("/{rest:path}", "", "/", ""), True),
    "int first": (("/a/{n:int}", "", "/a/{x}", ""), False),
}


@pytest.mark.parametrize(("pair", "expected"), UNREACHABLE.values(), ids=UNREACHABLE.keys())
def test_find_unreachable(pair: tuple[str, str, str, str], expected: bool) -> None:
    first, second = rule("first", *pair[:2]), rule("second", *pair[2:])
    assert find_unreachable([rule("other", "/zz"), first, second]) == ([(second, first)] if expected else [])


PATTERNS = st.lists(st.sampled_from(["a", "b", "{p}", "{n:int}", "5"]), max_size=3).map(
    lambda parts: "/" + "/".join(part.replace("{p", f"{{p{n}").replace("{n", f"{{n{n}") for n, part in enumerate(parts))
)
TREES = st.builds(lambda path, tree: path.rstrip("/") + "/{rest:path}" if tree else path, PATTERNS, st.booleans())
RULES = st.lists(st.tuples(TREES, st.sampled_from(["", "GET", "POST", "GET POST"])), min_size=1, max_size=6)
SENT = st.lists(st.sampled_from(["a", "b", "5", "+5", "x"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(RULES, SENT, st.sampled_from(["GET", "POST", "HEAD"]))
def test_an_unreachable_rule_never_holds(specs: list[tuple[str, str]], path: str, method: str) -> None:
    rules = [rule(str(number), *spec, risk=number) for number, spec in enumerate(specs)]
    unreachable = {late.name for late, _ in find_unreachable(rules)}
    assert hit(Policy(rules), method, path) not in unreachable


@given(RULES, SENT, st.sampled_from(["GET", "POST"]))
def test_the_rule_is_the_one_that_trying_each_in_turn_finds(
    specs: list[tuple[str, str]], path: str, method: str
) -> None:
    rules = [rule(str(number), *spec, risk=number) for number, spec in enumerate(specs)]
    alone = [one for one in rules if hit(Policy([one]), method, path)]
    found = hit(Policy(rules), method, path)
    assert (found is None) == (not alone)
    if "+" not in path and not path.endswith("/") and alone and alone[0].path.count("path}") == 0:
        assert found == alone[0].name


@pytest.mark.slow
def test_find_unreachable_of_many_is_no_square() -> None:
    rules = [rule(str(number), f"/a/{{x}}/{number}/{{y}}") for number in range(5000)]
    assert find_unreachable(rules) == []
    assert [late.name for late, _ in find_unreachable([*rules, rule("last", "/a/b/77/c")])] == ["last"]


def test_check_prefix() -> None:
    rules = [
        rule("in", "/_stepup/x"),
        rule("itself", "/_stepup"),
        rule("out", "/_stepups"),
        rule("all", "/{rest:path}"),
    ]
    assert [found.name for found in check_prefix(rules, "/_stepup")] == ["in", "itself"]
    assert check_prefix(rules, "/auth/step") == []


HOSTILE = st.lists(st.sampled_from([*ODD, "/", "admin", "transfer", "accounts", "files", "api", "x"]), max_size=16).map(
    "".join
)
ROOTS = st.sampled_from(["", "/api", "/admin", "/api/"])
RAWS = st.sampled_from([None, b"/accounts%2f1/transfer", b"/x"])


@given(HOSTILE, ROOTS, RAWS, st.sampled_from(["GET", "POST", "post", "FOO"]))
def test_concerns_is_never_narrower_than_match(path: str, root_path: str, raw_path: bytes | None, method: str) -> None:
    if hit(BANK, method, path, root_path, raw_path) is not None:
        assert BANK.concerns(path, root_path, raw_path)


@given(HOSTILE, ROOTS, RAWS)
def test_the_conservative_test_is_sound(path: str, root_path: str, raw_path: bytes | None) -> None:
    """Where the readings can be counted: if one of them meets a rule, the cheap test must not say that none can."""
    try:
        texts = paths.readings(path, root_path, raw_path)
    except AmbiguousRequest:
        return
    if any(BANK.gate(text) for text in texts):
        assert BANK._may_touch(path, raw_path)


def calls(work: Callable[[], object]) -> int:
    """How many functions, of Python and of C, a piece of work calls."""
    count = 0

    def on_event(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


OVERLAPPING = [
    rule(str(n), "/" + "/".join("a" if n >> bit & 1 else f"{{p{bit}}}" for bit in range(8)) + "/end", risk=50)
    for n in range(256)
]
WORST = {
    "every one of 256 matches": "/a" * 8 + "/end",
    "none of 256 matches": "/a" * 8 + "/nope",
    "long": "/" + "a" * 8000 + "/end",
    "deep": "/a" * 4000,
    "odd": "/a;x\\" * 3 + "/" + "%25" * 2000,
    "newline": "/a" * 3000 + "\n",
    "too long and odd": "//a" * 20000,
}


@pytest.mark.parametrize("path", WORST.values(), ids=WORST.keys())
def test_the_work_for_a_hostile_path_is_bounded(path: str) -> None:
    policy = Policy(OVERLAPPING)
    hit(policy, "GET", path)
    assert calls(lambda: hit(policy, "GET", path)) < 50_000
    assert calls(lambda: policy.concerns(path)) < 50_000


@given(HOSTILE, ROOTS)
def test_the_work_for_any_path_is_bounded(path: str, root_path: str) -> None:
    hit(BANK, "FOO", path, root_path)
    assert calls(lambda: hit(BANK, "FOO", path, root_path)) < 30_000


@pytest.mark.slow
def test_the_work_does_not_grow_with_the_rules() -> None:
    def lookups(count: int) -> tuple[int, ...]:
        policy = Policy([rule(str(n), f"/api/area{n}/{{id}}/delete", "POST") for n in range(count)])
        paths_ = ("/static/a.js", "/api/area3/x/view", "/api/area3/x/delete")
        for path in paths_:
            hit(policy, "POST", path)
        return tuple(calls(lambda path=path: hit(policy, "POST", path)) for path in paths_)  # type: ignore[misc]

    assert lookups(10) == lookups(10_000)


def test_the_import_is_cheap() -> None:
    code = "import sys, stepup_mw.policy; print({'starlette', 'anyio', 'difflib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_rule_stays_as_it_is() -> None:
    assert Rule(name="a", path="/a", version="v").factors == ("totp", "recovery_code")
