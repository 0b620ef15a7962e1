"""Tokens open what their key allows, and nothing else."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from kuajie.core.records import Organisation
from kuajie.testing.memory_store import MemoryStore
from kuajie.workflows.keys import authenticate, new_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.access.put_organisation(Organisation(organisation_id="平台", name="p", created_at=NOW))
    return store


def test_a_token_opens_its_key(store: MemoryStore) -> None:
    token, key = new_key("平台", "publishable", NOW, origins=["https://shop.example"], scopes=["events"])
    other, other_key = new_key("平台", "secret", NOW)
    store.access.add_key(key)
    store.access.add_key(other_key)
    assert authenticate(store.access, token, NOW) == key
    assert authenticate(store.access, other, NOW) == other_key
    secret = token.split("_", 3)[3]
    assert secret not in repr(key)
    assert key.origins == ("https://shop.example",)


def test_many_tokens_survive_their_own_underscores(store: MemoryStore) -> None:
    for _ in range(200):
        token, key = new_key("平台", "secret", NOW)
        store.access.add_key(key)
        assert authenticate(store.access, token, NOW) == key


def test_nothing_else_opens_anything(store: MemoryStore) -> None:
    token, key = new_key("平台", "secret", NOW)
    unknown, _ = new_key("平台", "secret", NOW)
    store.access.add_key(key)
    wrong = ["", "kj", "kj___", token[:-1], token + "x", unknown, token.replace("secret", "publishable", 1), "é" * 9]
    wrong += [token.upper(), f" {token}", "kj_secret_" + "a" * 1_000 + "_b", "kj_secret_\ud800_x", key.key_id]
    for each in wrong:
        assert authenticate(store.access, each, NOW) is None, each


def test_expired_and_revoked_keys_open_nothing(store: MemoryStore) -> None:
    later = NOW + timedelta(hours=1)
    token, key = new_key("平台", "secret", NOW, expires_at=later)
    store.access.add_key(key)
    assert authenticate(store.access, token, later - timedelta(microseconds=1)) == key
    assert authenticate(store.access, token, later) is None
    token, key = new_key("平台", "secret", NOW)
    store.access.add_key(key)
    store.access.revoke_key(key.key_id, later)
    assert authenticate(store.access, token, NOW) == msgspec.structs.replace(key, revoked_at=later)
    assert authenticate(store.access, token, later) is None
