"""Access tokens: one algorithm, one key, every claim required. The development issuer is for demos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.api.problems import Problem

if TYPE_CHECKING:
    from services.api.settings import ApiSettings

_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"  # RFC 9068: an ID token is not an access token
_REQUIRED: Final = ["iss", "aud", "exp", "iat", "sub", "role", "team"]
_LEEWAY_SECONDS: Final = 30
_LIFETIME_SECONDS_MAX: Final = 60 * 60
_BYTES_MAX: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. Rights come from the people table; these must agree with it."""

    user_id: str
    role: str
    team: str
    expires_at: float  # seconds since 1970


def unauthorized(detail: str) -> Problem:
    """Return the 401 that says how to sign in."""
    return Problem(401, "sign-in", detail, {"WWW-Authenticate": 'Bearer realm="tierstream"'})


class Tokens:
    """Issues (development only) and verifies access tokens."""

    def __init__(self, settings: ApiSettings) -> None:
        """Take the company's key, or make one of our own that lives as long as this process."""
        self._issuer = settings.issuer
        self._audience = settings.audience
        self._lifetime_seconds = settings.token_minutes * 60
        self._signing = Ed25519PrivateKey.generate() if settings.dev_issuer else None
        self._verifying: Ed25519PublicKey | None = self._signing.public_key() if self._signing else None
        if self._signing is None and settings.verify_key_pem is not None:
            key = load_pem_public_key(settings.verify_key_pem.get_secret_value().encode())
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError("API_VERIFY_KEY_PEM must be an Ed25519 public key (PEM)")
            self._verifying = key

    def issue(self, *, user_id: str, role: str, team: str, now: float) -> tuple[str, float]:
        """Return a token of the development issuer and when it expires.

        Raises:
            Problem: 404, when the development issuer is off: it is as if the route were not there.
        """
        if self._signing is None:
            raise Problem(404, "not-found", "There is no development sign-in here; use your company's.")
        expires_at = now + self._lifetime_seconds
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "role": role,
            "team": team,
            "iat": int(now),
            "exp": int(expires_at),
        }
        return jwt.encode(claims, self._signing, _ALGORITHM, headers={"typ": _TYPE}), expires_at

    def verify(self, token: str) -> Claims:
        """Return what a token says.

        Raises:
            Problem: 401, whatever is wrong with it.
        """
        if self._verifying is None:
            raise unauthorized("This API was started without a token issuer: set API_VERIFY_KEY_PEM.")
        if len(token) > _BYTES_MAX:
            raise unauthorized("The access token is too large; sign in again.")
        try:
            decoded = jwt.decode_complete(
                token,
                self._verifying,
                algorithms=[_ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except jwt.PyJWTError:
            raise unauthorized("The access token is not valid, or no longer; sign in again.") from None
        return _claims(decoded)


def _claims(decoded: dict[str, Any]) -> Claims:
    body = decoded["payload"]
    texts = [body["sub"], body["role"], body["team"]]
    lifetime = body["exp"] - body["iat"]
    if str(decoded["header"].get("typ", "")).lower() != _TYPE or not all(
        isinstance(text, str) for text in texts
    ):
        raise unauthorized("This is not an access token (typ at+jwt); sign in again.")
    if lifetime > _LIFETIME_SECONDS_MAX + _LEEWAY_SECONDS:
        raise unauthorized("The access token lives longer than an hour; ask for a shorter one.")
    return Claims(user_id=body["sub"], role=body["role"], team=body["team"], expires_at=float(body["exp"]))
