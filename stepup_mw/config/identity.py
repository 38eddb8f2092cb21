"""``[identity]`` and ``[cookie]``: who is asking, and the cookie that carries grants."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..forwarding import ForwardedHeader
from .kinds import STRICT, choice
from .tokens import AcrValues, Algorithms, Audience, Issuer, Jwks, Keep, Leeway, TokenTypes
from .values import Flag, LoginUrl, Network, Provider, Unique, UserKey

_CrossSite = {"none": "cookies would travel on requests that other sites make"}


class Identity(BaseModel):
    """Who is asking? The app has already logged them in."""

    model_config = ConfigDict(**STRICT, title="Identity")

    provider: Provider = Field(description="Where the user's name is found.", examples=["header", "session"])
    user: UserKey | None = Field(
        default=None, description="Header name, session key or attribute of the user.", examples=["X-Auth-User"]
    )
    session: UserKey | None = Field(
        default=None, description="The same for the app's session id.", examples=["X-Auth-Session"]
    )
    trusted_proxies: Annotated[list[Network], Unique] = Field(
        default=[],
        description="Identity headers, X-Forwarded-For and Forwarded are believed from these peers only.",
        examples=[["127.0.0.1", "10.0.0.0/8"]],
    )
    forwarded_header: Annotated[ForwardedHeader, choice("both", "x-forwarded-for", "forwarded")] = Field(
        default="both",
        description="The header your proxies write the client's address to; the other is not looked at. both: where "
        "they say different things, the address is in doubt.",
    )
    login_url: LoginUrl | None = Field(
        default=None, description="Where an anonymous browser is sent; others get 401.", examples=["/login"]
    )
    jwks: Jwks | None = Field(
        default=None,
        description="jwt: where the provider's keys are, a URL or a file.",
        examples=["https://id.example/jwks", "jwks.json"],
    )
    issuer: Issuer | None = Field(
        default=None, description="jwt: the iss of its tokens.", examples=["https://id.example"]
    )
    audience: Audience | None = Field(
        default=None, description="jwt: the aud that is this service.", examples=["https://bank.example", ["a", "b"]]
    )
    algorithms: Algorithms | None = Field(
        default=None,
        description="jwt: how tokens may be signed; left out: RS, PS and ES of 256, 384 and 512 bits, EdDSA.",
        examples=[["RS256", "ES256"]],
    )
    token_types: TokenTypes | None = Field(
        default=None, description="jwt: the typ that a token may have; left out: at+jwt and JWT.", examples=[["at+jwt"]]
    )
    leeway: Leeway | None = Field(
        default=None, description="jwt: how far two clocks may differ; left out: 30s.", examples=["30s"]
    )
    jwks_keep: Keep | None = Field(
        default=None,
        description="jwt: how long its keys are good while the provider does not answer; left out: 1h.",
        examples=["1h"],
    )
    acr: AcrValues | None = Field(
        default=None, description="jwt: the acr that is a proof, in order of preference.", examples=[["urn:mfa"]]
    )
    amr: AcrValues | None = Field(
        default=None, description="jwt: the amr one of which a proof must have.", examples=[["otp", "mfa"]]
    )


class Cookie(BaseModel):
    """The cookie that carries grants."""

    model_config = ConfigDict(**STRICT, title="Cookie")

    secure: Flag = Field(
        default=True, description="false (plain http in development) drops the __Host- prefix and warns."
    )
    same_site: Annotated[Literal["strict", "lax"], choice("strict", "lax", why=_CrossSite)] = Field(
        default="strict", description="The SameSite attribute."
    )
