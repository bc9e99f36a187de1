"""Who gets in, who does not, and what a refusal gives away."""

from __future__ import annotations

import time
from typing import Any

import asyncpg
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from services.api.access import COOKIE, PUBLIC_PATHS
from tests.integration.api_rig import AMARA, DIEGO, INGRID, Rig, desk


async def signed_in(rig: Rig, user_id: str = DIEGO) -> httpx.AsyncClient:
    """Return a browser's client: the cookie, and no Authorization header."""
    browser = rig.visitor()
    answer = await browser.post("/v1/dev/login", json={"user_id": user_id}, headers={"X-Tierstream": "desk"})
    assert answer.status_code == 200
    return browser


async def test_no_route_answers_somebody_unknown(database_url: str) -> None:
    """Everything but the short public list is 401 without a token, whatever the method."""
    async with desk(database_url, dev_issuer=False) as rig:
        visitor = rig.visitor()
        paths = rig.app.openapi()["paths"]
        asked = [(method, path) for path, methods in paths.items() for method in methods]
        for method, path in asked:
            if path in PUBLIC_PATHS | {"/metrics"}:
                continue
            address = path.replace("{task_id}", "1").replace("{customer_id}", "C-1")
            answer = await visitor.request(method, address, headers={"X-Tierstream": "desk"})
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert len(asked) > 15
        page = await visitor.get("/desk")
        assert (page.status_code, page.headers["location"]) == (303, "/")


async def test_the_development_sign_in_is_off_by_default(database_url: str) -> None:
    """It is as if the route were not there, and the start page shows no figures."""
    async with desk(database_url, dev_issuer=False) as rig:
        visitor = rig.visitor(**{"X-Tierstream": "desk"})
        assert (await visitor.post("/v1/dev/login", json={"user_id": DIEGO})).status_code == 404
        assert (await visitor.get("/v1/overview")).status_code == 401
        page = (await visitor.get("/")).text
        assert "Diego" not in page
        assert "company" in page


async def test_a_cookie_works_only_from_our_own_pages(database_url: str) -> None:
    """CSRF: with the cookie alone, a foreign page can change nothing, not even who is signed in."""
    async with desk(database_url) as rig:
        task = await rig.task(assigned_to=DIEGO)
        browser = await signed_in(rig)
        assert (await browser.get(f"/v1/tasks/{task}")).status_code == 200

        for headers in (
            {},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"X-Tierstream": "other"},
        ):
            answer = await browser.post(f"/v1/tasks/{task}/claim", headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:tierstream:problem:foreign-page")
        # A foreign Origin is refused even with our header.
        both = {"Origin": "https://evil.example", "X-Tierstream": "desk"}
        assert (await browser.post(f"/v1/tasks/{task}/claim", headers=both)).status_code == 403
        login = await browser.post(
            "/v1/dev/login", json={"user_id": AMARA}, headers={"Origin": "https://evil.example"}
        )
        assert login.status_code == 403
        assert (await rig.state(task))["state"] == "open"

        assert (
            await browser.post(f"/v1/tasks/{task}/claim", headers={"Origin": rig.address})
        ).status_code == 200


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(database_url: str) -> None:
    """HttpOnly, SameSite=Strict, and Secure where the setting says so."""
    async with desk(database_url, secure_cookie=True) as rig:
        answer = await rig.visitor().post(
            "/v1/dev/login", json={"user_id": DIEGO}, headers={"X-Tierstream": "desk"}
        )
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith(COOKIE)
        assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/", "secure"))


def forged(rig: Rig) -> dict[str, str]:
    """Return tokens that must not be taken, by what is wrong with them."""
    now = int(time.time())
    good: dict[str, Any] = {
        "iss": rig.settings.issuer, "aud": rig.settings.audience, "sub": INGRID, "role": "manager",
        "team": "senior_advisors", "iat": now, "exp": now + 600,
    }  # fmt: skip
    own = rig.app.state.tokens._signing
    public = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    typ = {"typ": "at+jwt"}

    def sign(key: Any = own, headers: Any = typ, algorithm: str = "EdDSA", **other: Any) -> str:
        claims = {name: value for name, value in {**good, **other}.items() if value is not None}
        return jwt.encode(claims, key, algorithm, headers=headers)

    return {
        "another key": sign(Ed25519PrivateKey.generate()),
        "no signature": sign(None, algorithm="none"),
        "the public key as a secret": sign(public, algorithm="HS256"),
        "expired": sign(iat=now - 700, exp=now - 100),
        "another audience": sign(aud="elsewhere"),
        "another issuer": sign(iss="https://evil.example"),
        "an id token": sign(headers={"typ": "JWT"}),
        "a day long": sign(exp=now + 86_400),
        "no expiry": sign(exp=None),
        "no role": sign(role=None),
        "a role that the person has not": sign(sub=DIEGO),
        "nobody": sign(sub="nobody.known"),
        "critical header": sign(headers={**typ, "crit": ["b64"], "b64": False}),
        "too large": sign(pad="x" * 9000),
        "no token": "x.y.z",
    }


async def test_forged_tokens_are_refused_alike(database_url: str) -> None:
    """401 each, and nothing of why that would help."""
    async with desk(database_url) as rig:
        for name, token in forged(rig).items():
            answer = await rig.visitor(Authorization=f"Bearer {token}").get("/v1/tasks")
            assert answer.status_code == 401, name
        assert (await rig.as_(INGRID).get("/v1/tasks")).status_code == 200


async def test_a_company_s_tokens_are_taken_by_its_key(database_url: str) -> None:
    """Production has no issuer of ours: it verifies with the configured key."""
    key = Ed25519PrivateKey.generate()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    options: dict[str, Any] = {
        "dev_issuer": False,
        "issuer": "https://id.example",
        "verify_key_pem": SecretStr(pem),
    }
    async with desk(database_url, **options) as rig:
        now = int(time.time())
        claims = {
            "iss": "https://id.example", "aud": "tierstream", "sub": DIEGO, "role": "advisor",
            "team": "customer_service", "iat": now, "exp": now + 300,
        }  # fmt: skip
        token = jwt.encode(claims, key, "EdDSA", headers={"typ": "at+jwt"})
        assert (await rig.visitor(Authorization=f"Bearer {token}").get("/v1/tasks")).status_code == 200


async def test_somebody_who_was_switched_off_is_out(database_url: str) -> None:
    """A token outlives a dismissal by five seconds at most, the age of the people's cache."""
    async with desk(database_url) as rig:
        diego = rig.as_(DIEGO)
        assert (await diego.get("/v1/tasks")).status_code == 200
        await rig.database.execute("UPDATE people SET active = false WHERE user_id = $1", DIEGO)
        rig.app.state.parts.people._read_at = float("-inf")
        assert (await diego.get("/v1/tasks")).status_code == 401


async def test_advisors_are_no_managers(database_url: str) -> None:
    """What is for managers says so."""
    async with desk(database_url) as rig:
        for path in ("/v1/ops/lanes", "/v1/ops/dead-letters"):
            answer = await rig.as_(DIEGO).get(path)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:tierstream:problem:role")
            assert (await rig.as_(INGRID).get(path)).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
async def test_a_foreign_host_name_is_refused(database_url: str, host: str) -> None:
    """DNS rebinding: a foreign name that resolves to us gets nothing."""
    async with desk(database_url) as rig:
        assert (await rig.visitor(Host=host).get("/")).status_code in {400, 421}


async def test_every_answer_carries_the_security_headers(database_url: str) -> None:
    """Pages run our own scripts only, and nothing is kept by caches."""
    async with desk(database_url) as rig:
        visitor = rig.visitor()
        for path in ("/", "/livez", "/v1/nothing", "/static/desk.js", "/v1/tasks"):
            headers = (await visitor.get(path)).headers
            assert headers["content-security-policy"].startswith("default-src 'self'")
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")
        page = (await visitor.get("/")).text
        assert "style=" not in page
        assert page.count("<script") == page.count("<script type=")


async def test_a_body_too_large_is_refused_before_it_is_read(database_url: str) -> None:
    """64 KiB, with a length or in chunks."""
    async with desk(database_url) as rig:
        diego, task = rig.as_(DIEGO), await rig.task(assigned_to=DIEGO)

        async def chunks() -> Any:
            for _ in range(80):
                yield b"x" * 1024

        for content in (b"x" * 70_000, chunks()):
            answer = await diego.post(
                f"/v1/tasks/{task}/note", content=content, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 413


async def test_without_its_database_the_api_says_so_and_no_more(database_url: str) -> None:
    """503 as a problem, readiness off, liveness on; no address, password or statement in it."""
    async with desk(database_url) as rig:
        diego = rig.as_(DIEGO)
        assert (await diego.get("/readyz")).status_code == 200
        name = rig.database_url.rsplit("/", 1)[1]
        admin = await asyncpg.connect(database_url)
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await admin.close()
        assert (await diego.get("/readyz")).status_code == 503
        assert (await diego.get("/livez")).status_code == 200
        answer = await diego.get("/v1/tasks")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert answer.headers["retry-after"]
        assert not any(word in answer.text.lower() for word in ("select", "asyncpg", "127.0.0.1", name))


async def test_metrics_count_by_route_and_name_nobody(database_url: str) -> None:
    """Labels are route templates: no customer, no address in them."""
    async with desk(database_url) as rig:
        await rig.as_(INGRID).get("/v1/customers/C-secret-4711")
        await rig.as_(INGRID).get("/wp-admin/C-secret-4711")
        text = (await rig.visitor().get("/metrics")).text
        assert (
            'api_requests_total{method="GET",route="/v1/customers/{customer_id:path}",status="4xx"} 1.0'
            in text
        )
        assert 'route="unmatched"' in text
        assert "4711" not in text
        proxied = await rig.visitor(**{"X-Forwarded-For": "203.0.113.9"}).get("/metrics")
        assert proxied.status_code == 401
    async with desk(database_url, metrics_token=SecretStr("let-me-in")) as rig:
        assert (await rig.visitor().get("/metrics")).status_code == 401
        assert (await rig.visitor(Authorization="Bearer let-me-in").get("/metrics")).status_code == 200
