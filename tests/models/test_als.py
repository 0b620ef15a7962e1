from kuajie.models.als import ALSConfig
from kuajie.testing.recommenders import RecommenderContract


class TestALSContract(RecommenderContract):
    configs = (
        ALSConfig(factors=16),
        ALSConfig(factors=8, absent=False, binary=False, frequency_power=1),
        ALSConfig(factors=8, prior=True),
    )
