"""What all deep models share: options of a fit, storing, and what is refused."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from kuajie.core.errors import ArtifactError, MissingExtraError, ResourceError, UsageError
from kuajie.core.histories import Histories, Interactions
from kuajie.core.recommender import DataShape, FitOptions
from kuajie.core.space import ItemSpace
from kuajie.core.tracking import NoRun, Run
from kuajie.models.deep.order_configs import GRU4RecConfig, OrderTraining, SASRecConfig
from kuajie.models.registry import DEEP, build, config_class, installed, model_class, parse_config
from kuajie.testing.planted import two_domain_interactions

NO_TORCH = "NOT TESTED on deep models: torch is not installed"
torch = pytest.importorskip("torch", reason=NO_TORCH)

CONFIG = GRU4RecConfig(dim=4, hidden=4, training=OrderTraining(epochs=3, validation_people=20))


class Notes:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, Mapping[str, object]]] = []
        self.steps: list[int] = []
        self.files: list[Path] = []

    def begin(self, name: str, params: Mapping[str, object]) -> Run:
        self.runs.append((name, params))
        outer = self

        class Noted(NoRun):
            def metrics(self, values: Mapping[str, float], step: int) -> None:
                outer.steps.append(step)
                assert values["validation_ndcg@10"] >= 0

            def artefact(self, path: Path) -> None:
                outer.files.append(path)

        return Noted()


@pytest.fixture(scope="module")
def planted() -> Interactions:
    return two_domain_interactions(n_people=120)[0]


def test_a_fit_goes_on_from_its_checkpoints_and_no_others(planted: Interactions, tmp_path: Path) -> None:
    notes = Notes()
    options = FitOptions(threads=1, checkpoints=tmp_path, tracker=notes)
    first = build(CONFIG).fit(planted, options)
    assert notes.steps == [1, 2, 3]
    again = build(CONFIG).fit(planted, options)
    assert notes.steps == [1, 2, 3]  # nothing was left to do
    histories = planted.histories.take(np.arange(5))
    np.testing.assert_array_equal(first.score(histories, "a"), again.score(histories, "a"))
    assert [name for name, _ in notes.runs] == ["gru4rec", "gru4rec"]
    assert notes.runs[0][1]["hidden"] == 4
    assert all(path.exists() and path.parent.parent == tmp_path for path in notes.files)
    other = Interactions(planted.space, planted.histories.take(np.arange(100)))
    build(CONFIG).fit(other, options)
    build(CONFIG).fit(planted, FitOptions(seed=1, threads=1, checkpoints=tmp_path, tracker=notes))
    assert notes.steps == [1, 2, 3] * 3
    assert len(list(tmp_path.iterdir())) == 3


def test_a_fit_without_time_gives_a_model_all_the_same(planted: Interactions) -> None:
    model = build(CONFIG).fit(planted, FitOptions(threads=1, seconds=0.0))
    assert np.isfinite(model.score(planted.histories.take([0]), "b")).all()


def test_data_with_nothing_in_them_know_nothing() -> None:
    empty = Interactions(ItemSpace(("a", "b"), (3, 0)), Histories.from_lists([[], []], 3, order="joint"))
    model = build(CONFIG).fit(empty)
    assert np.isnan(model.score(Histories.from_lists([[0, 1]], 3), "a")).all()
    assert model.score(Histories.from_lists([[0]], 3), "b").shape == (1, 0)


def test_what_does_not_fit_is_refused_before_it_is_made() -> None:
    shape = DataShape(10, 100, ItemSpace(("a",), (10_000_000,)))
    with pytest.raises(ResourceError, match=r"sasrec with .* parameters needs about .* Choose a smaller 'dim'"):
        build(SASRecConfig()).plan(shape, FitOptions(memory_bytes=2**30))


@pytest.mark.parametrize("name", ["support", "network.items.weight", "network.turns.0.weight"])
def test_arrays_that_are_missing_or_of_another_shape_are_named(planted: Interactions, name: str) -> None:
    model = build(CONFIG).fit(planted, FitOptions(threads=1))
    arrays = model.arrays()
    for wrong in ({n: a for n, a in arrays.items() if n != name}, {**arrays, name: arrays[name][:-1]}):
        with pytest.raises(ArtifactError, match=f"the stored array '{name}' must have the shape"):
            type(model).from_arrays(CONFIG, planted.space, wrong)


def test_configs_are_read_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for kind, entry in DEEP.items():
        assert config_class(kind) is entry.config_type
        assert parse_config({"kind": kind}) == entry.config_type()
        with pytest.raises(MissingExtraError, match=rf"the model '{kind}' needs torch.*pip install .kuajie\[deep\]"):
            model_class(kind)


def test_nothing_imports_pytorch_before_a_model_is_asked_for() -> None:
    code = (
        "import sys, kuajie.models.registry, kuajie.workflows.families, kuajie.cli.train; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


def test_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed("sasrec")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not installed("sasrec")
    assert installed("als")


def test_a_device_that_is_not_there_is_refused(planted: Interactions) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UsageError, match="there is no CUDA device"):
        build(CONFIG).fit(planted, FitOptions(device="cuda"))
