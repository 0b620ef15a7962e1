from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.ranker import Generator, RankerConfig
from kuajie.testing.recommenders import RecommenderContract

SMALL = RankerConfig(
    generators=(
        Generator(name="knn", model=ItemKNNConfig()),
        Generator(name="popular", model=PopularityConfig(), scope="target"),
    ),
    rounds=20,
    least_rows=20,
)


class TestRankerContract(RecommenderContract):
    configs = (SMALL, SMALL.model_copy(update={"fold": "people"}))
