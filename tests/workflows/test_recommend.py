import polars as pl
import pytest

from kuajie.core.records import Account
from kuajie.data.catalog import Catalog
from kuajie.models.itemknn import ItemKNN, ItemKNNConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows.recommend import Engine


@pytest.mark.parametrize(
    ("language", "title", "reason"),
    [("zh", "物品", "因为您用过“物品"), ("en", "Item", "Because of “Item"), (None, "Item", "Because of “Item")],
)
def test_titles_and_reasons_speak_one_language(language: str | None, title: str, reason: str) -> None:
    interactions = two_domain_interactions()[0]
    space = interactions.space
    table = pl.DataFrame(
        {
            "domain": [domain for domain, size in zip(space.domains, space.sizes, strict=True) for _ in range(size)],
            "item": [str(number) for number in range(space.n_items)],
            "title": [f"物品{number}" for number in range(space.n_items)],
            "title_en": [f"Item {number}" for number in range(space.n_items)],
        }
    )
    engine = Engine(
        model=ItemKNN(ItemKNNConfig()).fit(interactions),
        catalog=Catalog.of(table, space.domains),
        popularity=interactions.support(),
        model_version="v",
        **({} if language is None else {"language": language}),
    )
    person = Account(domain=space.domains[0], user="u")
    lists = [engine.recommend(person, interactions.histories.take([row]), space.domains[1], 3) for row in range(60)]
    items = [item for ranked in lists for item in ranked.items]
    reasons = [why for item in items for why in item.reasons]
    assert reasons
    assert all(item.title.startswith(title) for item in items)
    assert all(why.text.startswith(reason) and why.title.startswith(title) for why in reasons)
