"""Public splits whose published or measured values are known; they lie outside the project."""

import os
from pathlib import Path

import numpy as np
import pytest

from kuajie.core.errors import DataError
from kuajie.data.split_folder import SplitFolder, open_split_folder
from kuajie.evaluation.leaks import find_leaks
from kuajie.evaluation.metrics import mean_metrics
from kuajie.evaluation.protocols import final_split
from kuajie.evaluation.ranking import rank_task
from kuajie.evaluation.tasks import interactions_of
from kuajie.models.popularity import Popularity

DATA = os.environ.get("KUAJIE_DATA")
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(DATA is None, reason="KUAJIE_DATA names no folder of public splits"),
]


def read(name: str) -> SplitFolder:
    path = Path(DATA or "") / name
    if not path.is_dir():
        pytest.skip(f"{name} is not in KUAJIE_DATA")
    return open_split_folder(path)


def popularity_metrics(
    folder: SplitFolder, candidates: str, names: list[str], parts: tuple[str, ...] = ("train",)
) -> dict[str, list[float]]:
    tasks = final_split(folder, candidates).tasks  # type: ignore[arg-type]
    model = Popularity().fit(interactions_of(folder.rows(*parts), folder.space, folder.order, folder.n_people))
    values = {}
    for domain, task in tasks.items():
        ranks = rank_task(task, lambda histories, domain=domain: model.score(histories, domain))
        values[domain] = list(mean_metrics(ranks, names).values())
    return values


def test_popularity_over_all_rows_is_the_published_poprec() -> None:
    """The full-ranking table of S3-Rec counts popularity over the test rows too (one value differs by 0.0001)."""
    names = ["hr@5", "ndcg@5", "hr@10", "ndcg@10", "hr@20", "ndcg@20"]
    values = popularity_metrics(read("s3rec_beauty_sports_toys"), "full", names, ("train", "valid", "test"))
    np.testing.assert_allclose(values["beauty"], [0.0080, 0.0044, 0.0152, 0.0068, 0.0217, 0.0084], atol=6e-5)
    np.testing.assert_allclose(values["sports"], [0.0056, 0.0041, 0.0094, 0.0053, 0.0192, 0.0078], atol=6e-5)
    np.testing.assert_allclose(values["toys"], [0.0066, 0.0046, 0.0113, 0.0061, 0.0163, 0.0073], atol=1.1e-4)


@pytest.mark.parametrize(
    ("name", "domain", "floor"),
    [
        ("disencdr_sport_phone", "sport", (0.1531, 0.0827, 0.0740)),
        ("disencdr_sport_phone", "phone", (0.1728, 0.0977, 0.0888)),
        ("disencdr_electronic_cloth", "electronic", (0.2335, 0.1371, 0.1206)),
        ("disencdr_electronic_cloth", "cloth", (0.1392, 0.0772, 0.0705)),
        ("cdrib_game_video", "game", (0.0544, 0.0273, 0.0290)),
        ("cdrib_game_video", "video", (0.0734, 0.0399, 0.0400)),
        ("abxi_beauty_electronics", "beauty", (0.0416, 0.0187, 0.0228)),
        ("abxi_beauty_electronics", "electronics", (0.0900, 0.0479, 0.0446)),
    ],
)
def test_popularity_is_near_the_measured_floor(name, domain, floor) -> None:
    """The floors were measured with other negatives (drawn with replacement): near, not equal."""
    values = popularity_metrics(read(name), "sampled-999", ["hr@10", "ndcg@10", "mrr"])[domain]
    np.testing.assert_allclose(values, floor, atol=0.006)


def test_what_is_known_of_the_folders_is_found() -> None:
    abxi = read("abxi_beauty_electronics")
    leaks = {leak.name: leak.count for leak in find_leaks(abxi, final_split(abxi))}
    assert abxi.order == "joint"
    assert leaks["equal_times_by_item"] == pytest.approx(0.315 * 4_474, abs=3)
    cdrib = read("cdrib_game_video")
    split = final_split(cdrib)
    assert cdrib.order == "none"
    assert [len(np.unique(task.people)) for task in split.tasks.values()] == [212, 216]
    assert all((task.target_lengths == 0).all() for task in split.tasks.values())  # validation keeps nobody known


@pytest.mark.parametrize("name", ["lastfm_kg", "mooc_course_kg", "mooc_zh_titles"])
def test_folders_without_the_format_are_refused(name) -> None:
    with pytest.raises(DataError, match="is not a split folder"):
        read(name)
