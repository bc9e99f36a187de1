"""Addresses below a customer's, although a customer's id may hold slashes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.routing import APIRoute
from starlette.routing import Match

if TYPE_CHECKING:
    from starlette.types import Scope


class SubResource(APIRoute):
    """A route such as ``/customers/{customer_id:path}/outlook``.

    Slashes that are written as ``%2F`` belong to the id, so ``/customers/shop%2Foutlook`` is the customer
    ``shop/outlook`` and ``/customers/shop/outlook`` is the outlook of ``shop``. The server decodes both to
    the same path; only the raw one tells them apart.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match only when what stands behind the id was written as it reads."""
        match, child_scope = super().matches(scope)
        parts = self.path_format.partition("{customer_id}")[2].count("/")
        raw = scope.get("raw_path")
        if match is not Match.NONE and raw is not None:
            written = raw.decode("ascii", "replace").split("/")[-parts:]
            if written != scope["path"].split("/")[-parts:]:
                return Match.NONE, {}
        return match, child_scope
