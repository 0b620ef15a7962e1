import pytest

from kuajie.models.deep.configs import TrainingConfig
from kuajie.models.deep.order_configs import SASRecConfig
from kuajie.testing.recommenders import RecommenderContract

pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
QUICK = TrainingConfig(epochs=12, batch_size=64, learning_rate=0.02, patience=2, validation_people=50)


class TestSASRecContract(RecommenderContract):
    configs = (
        SASRecConfig(dim=16, length=10, blocks=1, dropout=0.1, training=QUICK),
        SASRecConfig(dim=16, length=5, heads=2, negatives=8, dropout=0.1, training=QUICK),
    )
