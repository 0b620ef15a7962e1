"""Every loss against its formula written out, and its gradient against differences."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="NOT TESTED on deep models: torch is not installed")

from kuajie.models.deep import losses  # noqa: E402 # needs torch

RNG = np.random.default_rng(3)


def rows(*shape: int) -> "torch.Tensor":
    return torch.tensor(RNG.normal(size=shape), dtype=torch.float64)


def test_the_sampled_softmax_on_all_items_is_the_softmax() -> None:
    logits, positives = rows(6, 9), torch.tensor(RNG.integers(0, 9, 6))
    own = logits[torch.arange(6), positives]
    hits = torch.arange(9) == positives[:, None]
    sampled = losses.sampled_softmax_loss(own, logits, hits, n_items=9)
    assert sampled.item() == pytest.approx(losses.softmax_loss(logits, positives).item(), rel=1e-6)


def test_the_sampled_softmax_stands_for_all_items() -> None:
    """With equal scores the loss is that of a guess among all items, however many are drawn."""
    zeros = torch.zeros(2, 5)
    loss = losses.sampled_softmax_loss(torch.zeros(2), zeros, torch.zeros(2, 5, dtype=torch.bool), n_items=101)
    assert loss.item() == pytest.approx(math.log(101), rel=1e-6)


def test_bpr_is_its_formula() -> None:
    positive, negative = rows(5), rows(5)
    wanted = -np.log(1 / (1 + np.exp(-(positive - negative).numpy()))).mean()
    assert losses.bpr_loss(positive, negative).item() == pytest.approx(wanted, rel=1e-6)


def test_bpr_max_is_its_formula() -> None:
    positive, negative, hits = rows(4), rows(4, 6), torch.zeros(4, 6, dtype=torch.bool)
    hits[1, 2] = True
    total = 0.0
    for row in range(4):
        drawn = [float(x) for x, hit in zip(negative[row], hits[row], strict=True) if not hit]
        shares = np.exp(drawn) / np.exp(drawn).sum()
        beaten = sum(s / (1 + math.exp(-(float(positive[row]) - x))) for s, x in zip(shares, drawn, strict=True))
        total += -math.log(beaten) + 0.7 * sum(s * x * x for s, x in zip(shares, drawn, strict=True))
    assert losses.bpr_max_loss(positive, negative, hits, penalty=0.7).item() == pytest.approx(total / 4, rel=1e-5)


def test_info_nce_is_its_formula() -> None:
    left, right = rows(5, 3), rows(5, 3)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (left.numpy(), right.numpy())]
    cosines = unit[0] @ unit[1].T / 0.5
    total = 0.0
    for row in range(5):
        total -= math.log(math.exp(cosines[row, row]) / np.exp(cosines[row]).sum()) / 10
        total -= math.log(math.exp(cosines[row, row]) / np.exp(cosines[:, row]).sum()) / 10
    assert losses.info_nce_loss(left, right, 0.5).item() == pytest.approx(total, rel=1e-5)


def test_info_nce_is_low_where_views_agree() -> None:
    view = torch.eye(8)
    agree = losses.info_nce_loss(view, view, 0.1)
    assert agree < 0.01 < 2 < losses.info_nce_loss(view, view.roll(1, dims=0), 0.1)


def test_the_similarity_of_lists_is_the_double_sum() -> None:
    logits, vectors = rows(3, 6), rows(6, 4)
    shares = torch.softmax(1.5 * logits, dim=1).numpy()
    unit = vectors.numpy() / np.linalg.norm(vectors.numpy(), axis=1, keepdims=True)
    total = sum(
        shares[row, i] * shares[row, j] * float(unit[i] @ unit[j])
        for row in range(3)
        for i in range(6)
        for j in range(6)
    )
    assert losses.similarity_of_lists(logits, vectors, 1.5).item() == pytest.approx(total / 3, rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b: losses.softmax_loss(a, torch.tensor([0, 2, 1])),
        lambda a, b: losses.sampled_softmax_loss(a[:, 0], b, torch.zeros(3, 4, dtype=torch.bool), 40),
        losses.bpr_loss,
        lambda a, b: losses.bpr_max_loss(a[:, 0], b, torch.zeros(3, 4, dtype=torch.bool)),
        losses.info_nce_loss,
        lambda a, b: losses.similarity_of_lists(a, b.T),
    ],
    ids=["softmax", "sampled", "bpr", "bpr-max", "info-nce", "similarity"],
)
def test_gradients_are_the_differences(loss: object) -> None:
    """Losses compute in float32, so differences are wide and agreement is to a hundredth."""
    points = [rows(3, 4).requires_grad_(), rows(3, 4).requires_grad_()]
    loss(*points).backward()  # type: ignore[operator]
    step = 1e-2
    for number, point in enumerate(points):
        for place in np.ndindex(3, 4):
            sides = []
            for sign in (1, -1):
                moved = [p.detach().clone() for p in points]
                moved[number][place] += sign * step
                sides.append(float(loss(*moved)))  # type: ignore[operator]
            slope = (sides[0] - sides[1]) / (2 * step)
            got = 0.0 if point.grad is None else float(point.grad[place])
            assert got == pytest.approx(slope, abs=2e-3, rel=2e-2)


def test_lowering_the_similarity_makes_lists_more_diverse() -> None:
    vectors = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3)
    logits = torch.tensor([[2.0, 2.0, 2.0, 0.0, 0.0, 0.0]], requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=10.0)
    for _ in range(30):
        optimizer.zero_grad()
        losses.similarity_of_lists(logits, vectors).backward()
        optimizer.step()
    shares = torch.softmax(logits, dim=1)[0]
    assert shares[:3].sum().item() == pytest.approx(0.5, abs=0.02)
