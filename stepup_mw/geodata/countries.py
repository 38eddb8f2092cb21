"""A table of countries that needs no file: the package ``iptocc``, made of what the registries publish."""

from __future__ import annotations

from functools import lru_cache

from ..errors import DataError, MissingExtra
from ..geo import UNKNOWN, Geo

NAME = "iptocc"
"""What ``[geo] database`` says for it."""


class Countries:
    def __init__(self) -> None:
        try:
            import iptocc  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtra('[geo] database = "iptocc"', "iptocc", "geo-data") from error
        self._code = iptocc.country_code
        self.locate = lru_cache(maxsize=8192)(self._locate)

    def _locate(self, ip: str) -> Geo:
        try:
            code = self._code(ip)
        except Exception as error:
            raise DataError("iptocc", type(error).__name__) from error
        return Geo(country=code) if code else UNKNOWN
