"""Who a visitor is: tokens of ours, identities signed by the site, and what is forged."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from widget_site import Sites, Visitor, two_sites

pytestmark = pytest.mark.anyio
NOW = int(time.time())
DAY = 24 * 60 * 60


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    return b".".join([*parts, b""]).decode()


def _signed_by_the_bank(sites: Sites) -> str:
    key = sites.setup.sites.add_key("bank")
    return jwt.encode({"aud": "shop", "sub": "u", "exp": NOW + 600}, key.secret, headers={"kid": key.kid})


def _changed(token: str) -> str:
    header, _, signature = token.split(".")
    claims = base64.urlsafe_b64encode(json.dumps({"aud": "shop", "sub": "boss", "exp": NOW + 600}).encode())
    return f"{header}.{claims.rstrip(b'=').decode()}.{signature}"


FORGED_IDENTITIES: dict[str, Callable[[Sites], str]] = {
    "alg none": lambda s: _unsigned(
        {"aud": "shop", "sub": "u", "exp": NOW + 600}, {"alg": "none", "kid": s.key.kid}
    ),
    "RS256 in the header": lambda s: _unsigned(
        {"aud": "shop", "sub": "u", "exp": NOW + 600}, {"alg": "RS256", "kid": s.key.kid}
    ),
    "HS512": lambda s: jwt.encode(
        {"aud": "shop", "sub": "u", "exp": NOW + 600},
        s.key.secret * 2,
        algorithm="HS512",
        headers={"kid": s.key.kid},
    ),
    "another secret": lambda s: jwt.encode(
        {"aud": "shop", "sub": "u", "exp": NOW + 600}, "x" * 43, headers={"kid": s.key.kid}
    ),
    "no kid": lambda s: jwt.encode({"aud": "shop", "sub": "u", "exp": NOW + 600}, s.key.secret),
    "unknown kid": lambda s: s.identity(header={"kid": "nobody"}),
    "a kid that is no text": lambda s: _unsigned({"sub": "u"}, {"alg": "HS256", "kid": 7}),
    "expired": lambda s: s.identity(exp=NOW - 120),
    "not yet valid": lambda s: s.identity(nbf=NOW + 7200),
    "no end": lambda s: s.identity(exp=None),
    "an end that is no number": lambda s: s.identity(exp="soon"),
    "lives for two days": lambda s: s.identity(exp=NOW + 2 * DAY),
    "lives for two days, half of them over": lambda s: s.identity(iat=NOW - DAY, exp=NOW + DAY),
    "no user": lambda s: s.identity(sub=None),
    "an empty user": lambda s: s.identity(sub=""),
    "a user that is no text": lambda s: s.identity(sub=5),
    "a user with control characters": lambda s: s.identity(sub="u\x00v"),
    "a user without end": lambda s: s.identity(sub="u" * 300),
    "for another site": lambda s: s.identity(aud="bank"),
    "for several sites": lambda s: s.identity(aud=["shop", "bank"]),
    "for no site": lambda s: s.identity(aud=None),
    "signed with a key of another site": _signed_by_the_bank,
    "signature cut off": lambda s: s.identity()[:-6],
    "claims changed": lambda s: _changed(s.identity()),
    "empty": lambda s: "",
    "no token at all": lambda s: "not.a.token",
}


async def test_a_forged_expired_or_foreign_identity_is_401_and_says_nothing_of_why(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        answers = {
            what: await sites.session(identity=forge(sites)) for what, forge in FORGED_IDENTITIES.items()
        }
        refusals = [log for log in sites.app.state.logs if log["event"] == "widget.refused"]

    assert {what: answer.status_code for what, answer in answers.items()} == dict.fromkeys(answers, 401)
    assert {answer.json()["type"] for answer in answers.values()} == {"urn:kefu:bad-identity"}
    assert len({answer.json()["detail"] for answer in answers.values()}) == 1
    assert len(refusals) == len(answers)


async def test_an_identity_within_a_minute_of_its_end_is_taken_as_clocks_differ(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        late = await sites.session(identity=sites.identity(exp=int(time.time()) - 30))
        early = await sites.session(
            identity=sites.identity(nbf=int(time.time()) + 30, iat=int(time.time()) + 30)
        )
        longest = await sites.session(identity=sites.identity(exp=int(time.time()) + DAY))

    assert [late.status_code, early.status_code, longest.status_code] == [200, 200, 200]


async def test_a_key_that_is_replaced_is_good_during_its_overlap_only(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        store, old = sites.setup.sites, sites.identity()
        store.add_key("shop", "new")

        store.remove_key("shop", sites.key.kid, expires_at=datetime.now(UTC) + timedelta(hours=1))
        during = await sites.session(identity=old)
        store.remove_key("shop", sites.key.kid, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        after = await sites.session(identity=old)

    assert during.status_code == 200
    assert after.status_code == 401


async def test_a_user_who_signs_in_keeps_what_was_just_said_and_the_old_token_is_dead(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        stranger = await sites.visitor()
        await stranger.say("Where is my order?")

        user = await sites.visitor(token=stranger.token, identity=sites.identity(name="Ann"))
        read = await user.get("conversation")
        dead = [
            await stranger.get("conversation"),
            await stranger.say("me again"),
            await stranger.post("reset"),
        ]
        back = await sites.session(token=stranger.token)

    assert user.opened["user"] == {"id": "user-1", "name": "Ann"}
    assert [turn["message"]["text"] for turn in read.json()["turns"]] == ["Where is my order?"]
    assert {answer.status_code for answer in dead} == {401}
    assert back.json()["new"] is True
    assert back.json()["conversation_id"] != user.opened["conversation_id"]


async def test_a_token_chosen_before_the_sign_in_never_sees_what_is_said_after_it(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        fixed = await sites.visitor()

        user = await sites.visitor(token=fixed.token, identity=sites.identity())
        turn = (await user.say("my address is 5 Elm Street")).json()
        answers = [
            await fixed.get("conversation"),
            await fixed.get("transcript"),
            await fixed.post(f"turns/{turn['id']}/feedback", {"value": "up"}),
            await sites.client.get(f"/api/conversations/{fixed.opened['conversation_id']}"),
            await sites.client.get(f"/api/turns/{turn['id']}"),
            await sites.client.post(f"/api/turns/{turn['id']}/feedback", json={"value": "up"}),
        ]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 404, 404, 404]
    assert all("Elm" not in answer.text for answer in answers)


async def test_a_user_finds_the_conversation_on_another_device(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        phone = await sites.visitor(identity=sites.identity())
        await phone.say("hello from the phone")

        laptop = await sites.visitor(identity=sites.identity())
        read = await laptop.get("conversation")
        other = await sites.visitor(identity=sites.identity("user-2"))

    assert (phone.opened["new"], laptop.opened["new"], other.opened["new"]) == (True, False, True)
    assert laptop.opened["conversation_id"] == phone.opened["conversation_id"]
    assert [turn["message"]["text"] for turn in read.json()["turns"]] == ["hello from the phone"]
    assert other.opened["conversation_id"] != phone.opened["conversation_id"]


async def test_a_stranger_who_said_nothing_gets_the_users_own_conversation(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        before = await sites.visitor(identity=sites.identity())
        await before.say("long ago")
        stranger = await sites.visitor()

        user = await sites.visitor(token=stranger.token, identity=sites.identity())

    assert user.opened["conversation_id"] == before.opened["conversation_id"]


async def test_a_user_does_not_become_a_stranger_or_another_user_without_a_new_proof(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        ann = await sites.visitor(identity=sites.identity("ann"))
        await ann.say("I am Ann")

        hour_old = _ours(sites, sub=_id_in(ann.token), user=True)
        again = await sites.visitor(token=hour_old)
        bob = await sites.visitor(token=ann.token, identity=sites.identity("bob"))
        read = await bob.get("conversation")
        still = await ann.get("conversation")

    assert again.token == hour_old
    assert again.opened["expires_at"] < ann.opened["expires_at"]
    assert again.opened["user"] == ann.opened["user"]
    assert read.json()["turns"] == []
    assert len(still.json()["turns"]) == 1
    assert datetime.fromisoformat(ann.opened["expires_at"]) <= datetime.now(UTC) + timedelta(hours=24)


def _ours(sites: Sites, **changes: Any) -> str:
    said = {
        "iss": "kefu-widget",
        "aud": "shop",
        "sub": "somebody",
        "iat": int(time.time()),
        "exp": int(time.time()) + 600,
        "user": False,
        **changes,
    }
    key = sites.setup.visitors.derived("token")
    return jwt.encode({name: value for name, value in said.items() if value is not None}, key)


FORGED_TOKENS: dict[str, Callable[[Sites], str]] = {
    "none": lambda s: "",
    "no token": lambda s: "abc",
    "alg none": lambda s: _unsigned({"iss": "kefu-widget", "aud": "shop", "sub": "x"}, {"alg": "none"}),
    "another server's": lambda s: jwt.encode(
        {"iss": "kefu-widget", "aud": "shop", "sub": "x", "iat": NOW, "exp": NOW + 60, "user": False},
        b"k" * 32,
    ),
    "signed with the site's key": lambda s: s.identity(iss="kefu-widget", iat=int(time.time()), user=True),
    "expired": lambda s: _ours(s, exp=NOW - 120),
    "no end": lambda s: _ours(s, exp=None),
    "no beginning": lambda s: _ours(s, iat=None),
    "another issuer": lambda s: _ours(s, iss="somebody"),
    "no visitor": lambda s: _ours(s, sub=None),
    "no site": lambda s: _ours(s, aud=None),
    "several sites": lambda s: _ours(s, aud=["shop", "bank"]),
    "a site that is gone": lambda s: _ours(s, aud="gone"),
    "claims of another shape": lambda s: _ours(s, user="yes"),
    "too long": lambda s: _ours(s, sub="x" * 5000),
}
ROUTES = [
    ("GET", "conversation", None),
    ("POST", "messages", {"text": "hi", "key": "key-1"}),
    ("POST", "turns/turn-1/feedback", {"value": "up"}),
    ("POST", "csat", {"score": 5}),
    ("POST", "prechat", {"fields": {}}),
    ("POST", "context", {"fields": {"page": "Order 5"}}),
    ("POST", "reset", None),
    ("GET", "transcript", None),
    ("POST", "transcript", {"email": "ann@shop.example"}),
]


async def test_no_route_takes_a_forged_expired_or_foreign_token(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        wrong = {}
        for what, forge in FORGED_TOKENS.items():
            headers = {"Authorization": f"Bearer {forge(sites)}".strip()}
            for method, path, body in ROUTES:
                answer = await sites.client.request(method, f"/api/widget/{path}", json=body, headers=headers)
                if (answer.status_code, answer.json()["type"]) != (401, "urn:kefu:bad-token"):
                    wrong[what, path] = answer.text
                assert answer.headers["www-authenticate"] == "Bearer"
            session = await sites.session(token=forge(sites))
            assert session.json()["new"] is True
        good = await sites.session(token=_ours(sites))
        assert good.json()["new"] is False, "what the forged ones are made from is a good token"

    assert wrong == {}
    assert not sites.shop.bot.began


async def test_every_route_of_the_widget_but_the_session_wants_a_token(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        schema = (await sites.client.get("/openapi.json")).json()

    known = {
        (method.upper(), path.removeprefix("/api/widget/").replace("{turn_id}", "turn-1"))
        for path, methods in schema["paths"].items()
        if path.startswith("/api/widget/")
        for method in methods
    }
    assert known == {(method, path) for method, path, _ in ROUTES} | {("POST", "session")}


async def test_a_token_of_one_site_is_none_of_another(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        shopper = await sites.visitor("shop")
        await shopper.say("hi")

        banked = await sites.visitor("bank", token=shopper.token)
        read = await banked.get("conversation")

    assert banked.opened["new"] is True
    assert banked.opened["conversation_id"] != shopper.opened["conversation_id"]
    assert read.json()["turns"] == []


async def test_visitors_stay_who_they_are_over_a_restart(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        key, first = sites.setup.visitors.derived("token"), await sites.visitor()

        again = type(sites.setup.visitors)(sites.setup.visitors._engine)

    assert again.derived("token") == key
    assert again.derived("token") != again.derived("alias")
    assert again.find("shop", jwt.decode(first.token, key, ["HS256"], {"verify_aud": False})["sub"])


async def test_what_a_visitor_claims_in_a_request_is_not_believed(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        visitor = await sites.visitor()
        said = {"text": "hi", "key": "key-1"}
        extra = [
            await visitor.post("messages", {**said, "conversation_id": "site:shop:other"}),
            await visitor.post("messages", {**said, "user": {"id": "ann"}}),
            await visitor.post("csat", {"score": 5, "conversation_id": "other"}),
            await sites.session(user={"id": "ann"}),
            await sites.session(visitor_id="ann"),
        ]

    assert {answer.status_code for answer in extra} == {422}
    assert not sites.shop.bot.began


async def test_a_token_of_a_site_that_was_removed_and_made_anew_is_401(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        old = _ours(sites, iat=NOW - DAY)

        answer = await sites.client.get(
            "/api/widget/conversation", headers={"Authorization": f"Bearer {old}"}
        )
        fresh = await sites.session(token=old)

    assert answer.status_code == 401
    assert fresh.json()["new"] is True


async def test_a_users_visitor_takes_no_token_that_was_given_without_a_proof(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        user = _id_in((await sites.visitor(identity=sites.identity())).token)
        shopper = await sites.visitor()
        await shopper.post("reset")

        answers = [
            await Visitor(sites.client, {"token": token}).get("conversation")
            for token in (
                _ours(sites, sub=user, user=True),
                _ours(sites, sub=user, user=False),
                _ours(sites, sub=_id_in(shopper.token), aud="bank"),
            )
        ]

    assert [answer.status_code for answer in answers] == [200, 401, 401]


async def test_the_conversation_that_was_spoken_in_last_goes_on_after_signing_in(tmp_path: Path) -> None:
    async with two_sites(tmp_path) as sites:
        stranger = await sites.visitor()
        await stranger.say("asked before signing in")
        phone = await sites.visitor(identity=sites.identity())
        await phone.say("asked on the phone since then")

        user = await sites.visitor(token=stranger.token, identity=sites.identity())
        read = await user.get("conversation")

    assert [turn["message"]["text"] for turn in read.json()["turns"]] == ["asked on the phone since then"]


def _id_in(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["sub"])
