"""(a) What a request pays that no rule concerns: in process, in multiples of U, what a no-op middleware adds."""

from __future__ import annotations

import asyncio

import uvloop

from stepup_mw.paths import MAX_KNOWN

from . import peers
from .apps import Noop, case, hello, scope_of, wrapped
from .rounds import interleave, table

RULES = 1_000


def measure(rounds: int) -> str:
    """Two tables: on a bare ASGI function, and on a Starlette app with the peers beside."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    far = [scope_of(f"/static/js/chunk{number}.js") for number in range(16)]
    near = [scope_of(f"/api/v1/area{number}/t{number}/users/2/view") for number in range(16)]
    fresh = [scope_of(f"/static/js/chunk{number}.js") for number in range(3 * MAX_KNOWN)]
    ours, item = wrapped(RULES), scope_of("/api/v1/items/42")
    bare = {
        "pure ASGI hello": case(loop, hello, *far),
        "+ no-op middleware (U)": case(loop, Noop(hello), *far),
        f"+ stepup_mw, {RULES:,} rules, far miss": case(loop, ours, *far),
        f"+ stepup_mw, {RULES:,} rules, near miss": case(loop, ours, *near),
        f"+ stepup_mw, {RULES:,} rules, far miss, a path never seen": case(loop, wrapped(RULES), *fresh),
    }
    starlette = {
        "Starlette, 2 routes": case(loop, peers.starlette_app(), item),
        f"+ stepup_mw, {RULES:,} rules": case(loop, wrapped(RULES, app=peers.starlette_app()), item),
        "+ BaseHTTPMiddleware no-op": case(loop, peers.base_http(peers.starlette_app()), item),
        "+ slowapi (memory)": case(loop, peers.slowapi_limit(), item),
        "+ casbin, 10 rules": case(loop, peers.casbin_rules(peers.starlette_app(), 10), item),
        "+ casbin, 1,000 rules": case(loop, peers.casbin_rules(peers.starlette_app(), 1_000), item),
    }
    results = interleave(bare, rounds=rounds)
    base, noop = results["pure ASGI hello"], results["+ no-op middleware (U)"]
    unit = noop.best - base.best
    rows = [
        [name, f"{found.best:,.0f}", f"{found.median:,.0f}", f"{(found.best - base.best) / unit:.1f} U"]
        for name, found in results.items()
    ]
    second = [
        [name, f"{found.median / 1000:,.1f}", f"{found.ratio:.2f}", f"{found.ratio_low:.2f} to {found.ratio_high:.2f}"]
        for name, found in interleave(starlette, rounds=rounds).items()
    ]
    return "\n\n".join(
        [
            "### (a) A request that no rule concerns",
            table("on a bare ASGI function | best ns | median ns | added (bests)", rows),
            table("on Starlette | median us | ratio to bare | spread", second),
        ]
    )
