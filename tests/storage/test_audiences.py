"""Audiences on disk: whole or not at all, damage is told, nobody's row is in them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kuajie.core.errors import ArtifactError
from kuajie.profiles.audience import Audience, fit_audience
from kuajie.profiles.config import ProfilesConfig
from kuajie.profiles.features import people_of
from kuajie.storage.audiences import KEPT, AudienceFolder
from kuajie.testing.profiles import NOW, planted

FIRST = datetime(2026, 6, 1, tzinfo=UTC)
CONFIG = ProfilesConfig(topics=4, segments=(2, 5), sensitive=("age",))


def fitted(moment: datetime = FIRST) -> Audience:
    world = planted(80)
    people = people_of(world.events, world.n, world.catalog, NOW, CONFIG)
    return fit_audience(people, world.catalog, NOW, CONFIG, snapshot_id="s", fitted_at=moment)


def test_an_audience_comes_back_as_it_was(tmp_path: Path) -> None:
    store, audience = AudienceFolder(tmp_path / "人群"), fitted()
    assert store.load() is None
    store.save(audience)
    again = store.load()
    assert again is not None
    assert again.about == audience.about
    assert again.config == CONFIG
    for name, array in audience.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)


def test_the_newest_counts_and_the_last_stay(tmp_path: Path) -> None:
    store = AudienceFolder(tmp_path)
    audience = fitted()
    for day in range(KEPT + 2):
        about = msgspec.structs.replace(audience.about, fitted_at=FIRST + timedelta(days=day))
        store.save(Audience(about, audience.topics, audience.segments))
    again = store.load()
    assert again is not None
    assert again.about.fitted_at == FIRST + timedelta(days=KEPT + 1)
    assert len(list(tmp_path.iterdir())) == KEPT


@pytest.mark.parametrize("file", ["manifest.json", "arrays.safetensors"])
def test_damage_is_told_with_what_to_do(tmp_path: Path, file: str) -> None:
    store = AudienceFolder(tmp_path)
    store.save(fitted())
    path = next(tmp_path.iterdir()) / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="kuajie profile --fit"):
        store.load()


def test_values_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    audience = fitted()
    audience.segments.centres[0, 0] = np.nan
    with pytest.raises(ArtifactError, match="'centres'"):
        AudienceFolder(tmp_path / "x").save(audience)
    assert not (tmp_path / "x").exists()
