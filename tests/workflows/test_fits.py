import pytest

from kuajie.core.recommender import FitOptions
from kuajie.models.deep.order_configs import OrderTraining, SASRecConfig
from kuajie.models.itemknn import ItemKNNConfig
from kuajie.models.popularity import PopularityConfig
from kuajie.models.trend import TrendConfig
from kuajie.testing.planted import two_domain_interactions
from kuajie.workflows import fits as module
from kuajie.workflows.fits import MOST_PACE, Fits


@pytest.fixture
def fits() -> Fits:
    return Fits(two_domain_interactions()[0], FitOptions())


def test_what_was_fitted_is_not_fitted_again(fits: Fits) -> None:
    config = ItemKNNConfig()
    first = fits.get(config, None)
    assert fits.get(config, None) is first
    assert fits.seconds(config, None) == 0
    assert fits.get(config, "a") is not first
    fits.forget()
    assert fits.get(config, None) is not first


def test_settings_of_scoring_reuse_the_arrays(fits: Fits) -> None:
    first, other = fits.get(ItemKNNConfig(), None), fits.get(ItemKNNConfig(popularity_power=0.5), None)
    assert other.config != first.config
    assert other.weights_ is first.weights_  # type: ignore[attr-defined]


def test_what_can_stop_early_does_so_in_the_seconds_left(fits: Fits) -> None:
    pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")
    endless = OrderTraining(epochs=1_000_000, validation_people=0)
    config = SASRecConfig(dim=4, blocks=1, training=endless)
    model = fits.get(config, None, seconds=0.3)
    trended = fits.get(config.model_copy(update={"trend": TrendConfig()}), None, seconds=0.3)
    assert trended.network_ is model.network_  # type: ignore[attr-defined]


def test_the_oldest_fit_goes(fits: Fits) -> None:
    first = fits.get(ItemKNNConfig(), None)
    for k in range(1, module.KEPT + 1):
        fits.get(ItemKNNConfig(k=k), None)
    assert fits.get(ItemKNNConfig(), None) is not first


def test_a_slow_machine_is_expected_to_stay_slow_within_reason(fits: Fits) -> None:
    fits._learn_pace(planned=1.0, took=2.0)
    assert fits.pace == pytest.approx(2.0)
    fits._learn_pace(planned=1.0, took=98.0)
    assert fits.pace == MOST_PACE
    assert fits.seconds(PopularityConfig(), None) > 0
