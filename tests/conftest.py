"""For all tests: Hypothesis measures no time, since machines under load would fail by chance."""

from hypothesis import settings

settings.register_profile("kuajie", deadline=None)
settings.load_profile("kuajie")
