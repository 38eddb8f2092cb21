"""Routes that are hard to read: nested, mounted, by host, by language, with values that not every text is.

Each handler says the path that it should be listed under. A route that is read at another path, or by samples that do
not reach it, or not at all, could change state uncovered without a word.
"""

# mypy: disable-error-code="import-untyped,misc,untyped-decorator"

from __future__ import annotations

import datetime
import decimal
import enum
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar

import pytest
from django.test import override_settings
from django.urls import clear_url_caches, include, path, re_path, register_converter
from django.urls.converters import get_converters
from fastapi import APIRouter, FastAPI, Path
from flask import Blueprint, Flask
from flask.views import MethodView, View
from litestar import Controller, Litestar, Router, asgi, delete, post, put
from litestar import Request as LitestarRequest
from litestar.params import FromPath, Parameter
from litestar.types import Receive, Send
from litestar.types import Scope as LitestarScope
from pydantic import AfterValidator
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route
from starlette.routing import Router as StarletteRouter
from starlette.staticfiles import StaticFiles
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from stepup_mw.cli.app_findings import Checked
from stepup_mw.cli.reading import App
from stepup_mw.congruence.coverage import Coverage, RouteCover
from stepup_mw.congruence.hunt import Hunt, Tally
from stepup_mw.congruence.sensitive import suggest
from stepup_mw.congruence.spelling import plain
from stepup_mw.congruence.wire import handed
from stepup_mw.policy import Policy
from stepup_mw.routers.reading import read_app

from .banks import django as bank
from .banks import make_rule, say
from .spelt import Runner

POST = ["POST"]


def coverage(app: Any, *rules: str, public: tuple[str, ...] = ()) -> Coverage:
    router = read_app(app).router
    assert router is not None
    made = [make_rule(f"r{number}", rule) for number, rule in enumerate(rules or ("/other",))]
    return Coverage(router, Policy(made), public)


class Hexadecimal(Convertor[int]):
    regex = "[0-9a-f]{6}"

    def convert(self, value: str) -> int:
        return int(value, 16)

    def to_string(self, value: int) -> str:
        return f"{value:06x}"


def starlette_app() -> Any:
    register_url_convertor("hexadecimal", Hexadecimal())

    def end(name: str, **options: Any) -> Route:
        async def run(_request: Request) -> PlainTextResponse:
            return PlainTextResponse(say(name))

        below = options.pop("below", "")
        return Route(name.removeprefix(below), run, methods=POST)

    class Endpoint(HTTPEndpoint):
        async def delete(self, _request: Request) -> PlainTextResponse:
            return PlainTextResponse(say("/class"))

    class Raw:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await PlainTextResponse(say("/raw"))(scope, receive, send)

    inner = [end("/in/{n:int}/pay/{to}", below="/in/{n:int}"), end("/in/{n:int}/", below="/in/{n:int}")]
    odd = Route("/colour/{c:hexadecimal}", end("/colour/{c}").endpoint, methods=POST)
    zipped = GZipMiddleware(Starlette(routes=[end("/zip/pay", below="/zip")]))
    return Starlette(
        routes=[
            Host("api.{tenant}.example.com", app=StarletteRouter([end("/pay")])),
            Mount("/in/{n:int}", app=Starlette(routes=inner)),
            Mount("/zip", app=zipped),
            Mount("/tree/{f:path}", routes=[end("/tree/{f:path}/pay", below="/tree/{f:path}")]),
            odd,
            Route("/class", Endpoint),
            Route("/raw", Raw()),
        ]
    )


class Colour(enum.StrEnum):
    red = "red"
    blue = "blue"


def _even(value: int) -> int:
    if value % 2:
        raise ValueError(value)
    return value


def fastapi_app() -> Any:
    outer, inner, sub = APIRouter(prefix="/org/{org}"), APIRouter(), FastAPI(openapi_url=None)
    app = FastAPI(openapi_url=None, default_response_class=PlainTextResponse)

    @inner.post("/colour/{colour}")
    async def colour(org: uuid.UUID, colour: Colour) -> str:
        return say("/org/{org:uuid}/in/colour/{colour}")

    @inner.put("/day/{day}")
    async def day(day: datetime.date) -> str:
        return say("/org/{org}/in/day/{day}")

    @outer.patch("/much/{n}")
    async def much(n: Annotated[int, Path(gt=1000, multiple_of=7)]) -> str:
        return say("/org/{org}/much/{n:int}")

    @outer.delete("/code/{code}")
    async def code(code: Annotated[str, Path(pattern=r"^[A-Z]{3}-\d+$")]) -> str:
        return say("/org/{org}/code/{code}")

    @outer.post("/flag/{flag}/{long}")
    async def flag(flag: bool, long: Annotated[str, Path(min_length=12)]) -> str:
        return say("/org/{org}/flag/{flag}/{long}")

    @outer.post("/even/{n}")
    async def even(n: Annotated[int, AfterValidator(_even)]) -> str:
        return say("/org/{org}/even/{n:int}")

    @sub.post("/{rest:path}")
    async def rest(rest: str) -> PlainTextResponse:
        return PlainTextResponse(say("/sub/{rest:path}"))

    outer.include_router(inner, prefix="/in")
    app.include_router(outer)
    app.mount("/sub", sub)
    return app


def litestar_app() -> Any:
    class Account(Controller):
        path = "/acc"

        @post(["/pay", "/pay/{to:str}"], media_type="text/plain")
        async def pay(self, request: LitestarRequest[Any, Any, Any]) -> str:
            return say("/base/in/{org:int}/acc/pay" + ("/{to}" if "to" in request.path_params else ""))

        @delete("/{id:uuid}", media_type="text/plain", status_code=200)
        async def drop(self, id: FromPath[uuid.UUID]) -> str:  # noqa: A002, ARG002 - the name in the path
            return say("/base/in/{org:int}/acc/{id:uuid}")

    @put("/d/{d:date}/{n:decimal}/{t:datetime}", media_type="text/plain")
    async def day(d: FromPath[datetime.date], n: FromPath[decimal.Decimal], t: FromPath[datetime.datetime]) -> str:
        return say("/base/d/{d}/{n}/{t}")

    @post("/few/{n:int}", media_type="text/plain")
    async def few(n: Annotated[int, Parameter(ge=1, le=9)]) -> str:
        return say("/base/few/{n:int}")

    handlers: list[Any] = [Router("/in/{org:int}", route_handlers=[Account]), day, few]
    return Litestar(handlers, path="/base", openapi_config=None, logging_config=None)


def flask_app() -> Any:
    app = Flask("hard", static_folder=None)
    outer, inner = (Blueprint(name, __name__, url_prefix=f"/{name}/<int:org>") for name in ("outer", "inner"))

    def end(where: Any, name: str, rule: str, **options: Any) -> None:
        where.add_url_rule(rule, name.replace(".", "_"), lambda **_: say(name), methods=POST, **options)

    class Method(MethodView):
        init_every_request: ClassVar = False

        def delete(self, key: str) -> str:  # noqa: ARG002 - the name in the path
            return say("/method/{key:uuid}")

    class Whole(View):
        methods: ClassVar = ["PUT"]

        def dispatch_request(self) -> str:
            return say("/whole")

    end(inner, "/outer/{org:int}/over/pay/", "/pay/", strict_slashes=False)
    end(outer, "/outer/{org:int}/pay", "/pay")
    outer.register_blueprint(inner, url_prefix="/over")
    app.register_blueprint(outer)
    app.add_url_rule("/method/<uuid:key>", view_func=Method.as_view("method"))
    app.add_url_rule("/whole", view_func=Whole.as_view("whole"))
    end(app, "/between/{n:int}", "/between/<int(min=100,max=200):n>")
    end(app, "/digits/{n:int}", "/digits/<int(fixed_digits=4):n>")
    end(app, "/half/{n:float}", "/half/<float(min=10.5):n>")
    end(app, "/any/{w}/{s}", "/any/<any(a,b,'c d'):w>/<string(length=2):s>")
    end(app, "/tree/{p:path}/pay", "/tree/<path:p>/pay")
    end(app, "/pages/{page:int}", "/pages/<int:page>", defaults={"more": 1})
    return app


def flask_by_host() -> Any:
    app = Flask("hosts", static_folder=None, host_matching=True)
    app.add_url_rule("/pay", "one", lambda **_: say("/pay"), methods=POST, host="<tenant>.example.com")
    return app


def flask_by_subdomain() -> Any:
    app = Flask("subdomains", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/pay", "one", lambda **_: say("/pay"), methods=POST, subdomain="<tenant>")
    app.add_url_rule("/root", "two", lambda **_: say("/root"), methods=POST)
    return app


def dispatched_app() -> Any:
    app = Flask("hard", static_folder=None)
    app.add_url_rule("/pay", "pay", lambda: say("pay"), methods=POST)
    return DispatcherMiddleware(Flask("empty", static_folder=None), {"/one": app, "/two": app})


APPS: dict[str, Callable[[], Any]] = {
    "Starlette": starlette_app,
    "FastAPI": fastapi_app,
    "Litestar": litestar_app,
    "Flask": flask_app,
    "Flask by host": flask_by_host,
    "Flask by subdomain": flask_by_subdomain,
}


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close()


@pytest.mark.parametrize("make", APPS.values(), ids=APPS)
def test_each_is_listed_where_its_handler_really_runs_and_is_a_gap_until_it_has_a_rule(
    make: Callable[[], Any], runner: Runner
) -> None:
    app = make()
    check_routes(app, coverage(app), runner)
    ruled = coverage(app, *(cover.route.path for cover in coverage(app).routes))
    assert {cover.route.path: cover.state for cover in ruled.routes if cover.state != "covered"} == {}
    assert [use.rule.path for use in ruled.rules if not use.routes] == []


def check_routes(app: Any, found: Coverage, runner: Runner) -> None:
    router = read_app(app).router
    assert router is not None
    for cover in found.routes:
        assert (cover.state, cover.tried) == ("gap", True), cover
        for sample in cover.route.samples:
            method = min(cover.route.methods or POST)
            _, native = next(handed(plain(method, sample, host=cover.route.host), router.interface))
            assert runner.ran(app, native) == cover.route.path, sample


def test_how_many_routes_each_has() -> None:
    counted = {name: len(coverage(make()).routes) for name, make in APPS.items()}
    assert counted == {
        "Starlette": 8,
        "FastAPI": 7,
        "Litestar": 5,
        "Flask": 10,
        "Flask by host": 1,
        "Flask by subdomain": 2,
    }


def test_one_app_below_two_prefixes_is_read_below_both(runner: Runner) -> None:
    app = dispatched_app()
    assert {cover.route.path: cover.state for cover in coverage(app).routes} == {"/one/pay": "gap", "/two/pay": "gap"}
    covered = {cover.route.path: cover.state for cover in coverage(app, "/two/pay").routes}
    assert covered == {"/one/pay": "gap", "/two/pay": "covered"}


class Year:
    regex = "[0-9]{4}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return f"{value:04d}"


def django_urls() -> list[Any]:
    from django.conf.urls.i18n import i18n_patterns  # noqa: PLC0415 - after the settings
    from django.utils.translation import gettext_lazy  # noqa: PLC0415
    from django.views.decorators.http import require_POST  # noqa: PLC0415

    if "year" not in get_converters():
        register_converter(Year, "year")

    def end(name: str) -> Any:
        @require_POST
        def run(_request: Any, *_: Any, **__: Any) -> Any:
            from django.http import HttpResponse  # noqa: PLC0415

            return HttpResponse(say(name))

        return run

    inner = [
        path("one/<slug:s>/", end("/org/{o:int}/one/{s}/")),
        re_path(r"^two/(?P<n>\d+)/$", end("/org/{o:int}/two/{n}/")),
        re_path(r"^three/([a-z]{3})/(\d+)$", end("/org/{o:int}/three/{arg0}/{arg1}")),
        path("", end("/org/{o:int}/")),
    ]
    return [
        path("org/<int:o>/", include((inner, "ns"), namespace="one")),
        re_path(r"^rx/(?P<q>[\w-]+)/", include([path("<year:y>/", end("/rx/{q}/{y}/"))])),
        path("tree/<path:x>/pay", end("/tree/{x:path}/pay")),
        *i18n_patterns(path("pay/", end("/{locale_prefix}/pay/")), path(gettext_lazy("Yes"), end("translated"))),
    ]


@pytest.fixture
def django_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    handler = bank.wsgi()
    urls: Any = types.ModuleType("hard_urls")
    monkeypatch.setitem(sys.modules, "hard_urls", urls)
    urls.urlpatterns = django_urls()
    options: dict[str, Any] = {
        "ROOT_URLCONF": "hard_urls",
        "USE_I18N": True,
        "LANGUAGES": [("en", "English"), ("de", "German")],
        "MIDDLEWARE": ["django.middleware.locale.LocaleMiddleware"],
    }
    clear_url_caches()
    with override_settings(**options):
        handler.load_middleware()
        yield handler
    clear_url_caches()
    handler.load_middleware()


def test_django_includes_converters_and_languages(django_app: Any, runner: Runner) -> None:
    found = coverage(django_app)
    routes = {cover.route.path: cover.route for cover in found.routes}
    assert {cover.state for cover in found.routes} == {"gap"}
    assert all(cover.tried for cover in found.routes)
    assert len(routes) == 9
    for name, route in routes.items():
        for sample in route.samples:
            _, native = next(handed(plain("POST", sample), "wsgi"))
            assert runner.ran(django_app, native) == ("translated" if name.endswith(("Yes", "Ja")) else name), sample
    assert routes["/{locale_prefix}/pay/"].samples == ("/en/pay/", "/de/pay/")


def test_a_tree_is_not_covered_by_a_rule_for_one_segment_nor_what_may_be_left_out(django_app: Any) -> None:
    urls: Any = sys.modules["hard_urls"]
    urls.urlpatterns = [re_path(r"^all/(?P<url>.*)$", _reads_the_form), re_path(r"^a(?:bc)?/(x/)?$", _reads_the_form)]
    clear_url_caches()
    tree, optional = "/all/{url:path}", "/a{any0:path}/{any1:path}"
    assert {cover.route.path for cover in coverage(django_app).routes} == {tree, optional}
    states = [cover.state for cover in coverage(django_app, "/all/{one}", "/a/").routes]
    assert states == ["partly", "partly"]
    assert [cover.state for cover in coverage(django_app, tree, optional).routes] == ["covered", "covered"]


def test_a_rule_for_one_language_covers_a_part_only(django_app: Any) -> None:
    states = {cover.route.path: cover.state for cover in coverage(django_app, "/en/pay", "/{any}/Yes").routes}
    assert states["/{locale_prefix}/pay/"] == "partly"
    assert (states["/{locale_prefix}/Yes"], states["/{locale_prefix}/Ja"]) == ("covered", "gap")


def _only_this(value: str) -> str:
    if value != "open sesame":
        raise ValueError(value)
    return value


def secretive_app() -> Any:
    app = FastAPI(openapi_url=None)

    @app.post("/door/{word}")
    async def door(word: Annotated[str, AfterValidator(_only_this)]) -> None: ...

    return app


def problems(found: Coverage, app: Any) -> list[dict[str, Any]]:
    router = read_app(app).router
    assert router is not None
    checked = Checked(App("x:app", router, ()), found, Tally(), 1, 1)
    assert checked.exit_code == (1 if checked.problems else 0)
    return [problem for problem in checked.problems if problem["kind"] == "uncovered"]


def test_a_route_whose_values_nobody_can_guess_is_a_gap_and_not_out_of_reach() -> None:
    app = secretive_app()
    (cover,) = coverage(app).routes
    assert (cover.state, cover.missing, cover.tried) == ("gap", ("POST",), False)
    (problem,) = problems(coverage(app), app)
    assert problem["message"].endswith("no rule covers it; none of the paths tried reached it")
    (cover,) = coverage(app, "/door/{word}").routes
    assert (cover.state, cover.tried) == ("covered", False)


async def _opaque(scope: Any, receive: Any, send: Any) -> None: ...


def _opaque_wsgi(environ: Any, start_response: Any) -> Any: ...


def litestar_mount() -> Any:
    @asgi("/in", is_mount=True, copy_scope=False)
    async def inner(scope: LitestarScope, receive: Receive, send: Send) -> None: ...

    return Litestar([inner], openapi_config=None, logging_config=None)


def test_a_mount_of_litestar_is_reached_by_all_that_begins_with_its_path() -> None:
    app = litestar_mount()
    router = read_app(app).router
    assert router is not None
    (narrow,) = coverage(app, "/in/{rest:path}").routes
    assert (narrow.state, narrow.missing) == ("partly", ("DELETE", "PATCH", "POST", "PUT"))
    assert [cover.state for cover in coverage(app, "/in{rest:path}").routes] == ["covered"]
    tally = Hunt(router, Policy([make_rule("in", "/in{rest:path}")])).run(300, 1)
    assert (tally.findings, tally.held > 100) == ([], True)


UNREAD = {
    "a mount": (lambda: Starlette(routes=[Mount("/in", _opaque)]), "/in/{path:path}"),
    "a host": (lambda: Starlette(routes=[Host("in.example.com", _opaque)]), "/{path:path}"),
    "what answers all else": (lambda: StarletteRouter([], default=_opaque), "/{path:path}"),
    "a mount of Litestar": (litestar_mount, "/in{rest:path}"),
    "a WSGI app by prefix": (
        lambda: DispatcherMiddleware(Flask("empty", static_folder=None), {"/in": _opaque_wsgi}),
        "/in/{path:path}",
    ),
}


@pytest.mark.parametrize(("make", "name"), UNREAD.values(), ids=UNREAD)
def test_an_app_inside_that_cannot_be_read_is_a_finding_until_a_rule_or_a_word_covers_it(
    make: Callable[[], Any], name: str
) -> None:
    def state(*rules: str, public: tuple[str, ...] = ()) -> RouteCover:
        (cover,) = coverage(make(), *rules, public=public).routes
        assert (cover.route.path, cover.route.kind) == (name, "mount")
        return cover

    assert (state().state, state().missing) == ("unread", ("DELETE", "PATCH", "POST", "PUT"))
    assert "cannot be read" in problems(coverage(make()), make())[0]["message"]
    assert state("/{rest:path}").state == "covered"
    assert state(public=("/{rest:path}",)).state == "public"
    assert state("/in/pay").state == "unread"


@pytest.mark.parametrize("make", [*APPS.values(), *(made for made, _ in UNREAD.values())])
def test_what_is_proposed_for_it_leaves_no_gap(make: Callable[[], Any]) -> None:
    app = make()
    router = read_app(app).router
    assert router is not None
    proposed = [one.route.path for one in suggest(tuple(router.routes)) if not one.public]
    assert [cover.route.path for cover in coverage(app, *proposed).routes if cover.missing] == []


def test_files_that_only_read_are_none(tmp_path: Any) -> None:
    app = Starlette(routes=[Mount("/static", StaticFiles(directory=tmp_path))])
    assert [cover.state for cover in coverage(app).routes] == ["open"]


def _reads_the_form(request: Any) -> Any:
    return request.POST["amount"]


def _hands_on(request: Any) -> Any:
    return _reads_the_form(request)


class _Callable:
    def __call__(self, request: Any) -> Any:
        return request.POST["amount"]


def _reads(_request: Any) -> Any:
    return "nothing"


@pytest.mark.parametrize(("view", "state"), [(_hands_on, "gap"), (_Callable(), "gap"), (_reads, "open")])
def test_a_view_of_django_that_takes_a_form_in_a_function_of_its_own(view: Any, state: str, django_app: Any) -> None:
    sys.modules["hard_urls"].urlpatterns = [path("x", view)]  # type: ignore[attr-defined]
    clear_url_caches()
    assert [cover.state for cover in coverage(django_app).routes] == [state]
