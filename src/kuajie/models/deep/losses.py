"""Losses that models share; all are means over rows.

Sources: Bengio and Senecal 2003 and Yi et al. 2019, "Sampling-bias-corrected neural modeling for large corpus item
recommendations", for the sampled softmax; Rendle et al. 2009 for BPR; Hidasi and Karatzoglou 2018, "Recurrent neural
networks with top-k gains for session-based recommendations", eq. 10, for BPR-max; van den Oord et al. 2018,
"Representation learning with contrastive predictive coding", eq. 4, for InfoNCE.
"""

import math

import torch
from torch.nn import functional


def softmax_loss(logits: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
    """Cross-entropy over all items.

    Args:
        logits: (n_rows, n_items).
        positives: int64 (n_rows,), the column of each row's item.
    """
    return functional.cross_entropy(logits.float(), positives)


def sampled_softmax_loss(
    positive: torch.Tensor, negative: torch.Tensor, hits: torch.Tensor, n_items: int
) -> torch.Tensor:
    """Cross-entropy over all items, estimated on some drawn uniformly: each stands for n_items / drawn of them.

    Args:
        positive: (n_rows,), scores of the rows' items.
        negative: (n_rows, n_drawn), scores of the drawn ones.
        hits: bool (n_rows, n_drawn), where the drawn item is the row's own.
        n_items: drawn from.
    """
    shift = math.log(max((n_items - 1) / negative.shape[1], 1.0))
    others = (negative.float() + shift).masked_fill(hits, -math.inf)
    return (torch.logsumexp(torch.cat([positive.float()[:, None], others], dim=1), dim=1) - positive.float()).mean()


def bpr_loss(positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
    """-log sigmoid(positive - negative), for scores of equal shape or shapes that broadcast."""
    return -functional.logsigmoid(positive.float() - negative.float()).mean()


def bce_loss(positive: torch.Tensor, negative: torch.Tensor, hits: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of rows' items (yes) and drawn ones (no), all pairs alike.

    Args:
        positive: (n_rows,).
        negative: (n_rows, n_drawn).
        hits: bool (n_rows, n_drawn), where the drawn item is the row's own; they do not count.
    """
    yes = -functional.logsigmoid(positive.float()).sum()
    no = -functional.logsigmoid(-negative.float()).masked_fill(hits, 0.0).sum()
    return (yes + no) / (len(positive) + (~hits).sum())


def bpr_max_loss(
    positive: torch.Tensor, negative: torch.Tensor, hits: torch.Tensor, penalty: float = 1.0
) -> torch.Tensor:
    """BPR against the drawn items weighed by their softmax, with their squared scores as a penalty.

    Args:
        positive: (n_rows,).
        negative: (n_rows, n_drawn).
        hits: bool (n_rows, n_drawn), where the drawn item is the row's own.
        penalty: of the squared scores.
    """
    negative = negative.float()
    share = torch.softmax(negative.masked_fill(hits, -math.inf), dim=1)
    beaten = (share * torch.sigmoid(positive.float()[:, None] - negative)).sum(dim=1)
    return (-torch.log(beaten + 1e-24) + penalty * (share * negative**2).sum(dim=1)).mean()


def info_nce_loss(left: torch.Tensor, right: torch.Tensor, temperature: float = 0.2) -> torch.Tensor:
    """A lower bound of the mutual information of two views: each row must find its own other view among all rows'.

    Args:
        left: (n_rows, dim), what one domain says of each person.
        right: (n_rows, dim), what another says of the same people.
        temperature: of the cosines.
    """
    cosines = functional.normalize(left.float(), dim=1) @ functional.normalize(right.float(), dim=1).T / temperature
    own = torch.arange(len(left), device=left.device)
    return (functional.cross_entropy(cosines, own) + functional.cross_entropy(cosines.T, own)) / 2


def similarity_of_lists(logits: torch.Tensor, vectors: torch.Tensor, sharpness: float = 1.0) -> torch.Tensor:
    """How alike two items are that one draws from a row's scores: what a diversity term lowers.

        p = softmax(sharpness * logits),    E[cos(i, j)] = sum_ij p_i p_j cos(v_i, v_j) = |sum_i p_i v_i / |v_i||^2

    The expected intra-list similarity (Ziegler et al. 2005, eq. 5) of a list drawn from p with replacement, without
    ever forming the (n_items, n_items) matrix.

    Args:
        logits: (n_rows, n_items).
        vectors: (n_items, dim), as the items are compared.
        sharpness: the larger, the more the first places count.
    """
    shares = torch.softmax(sharpness * logits.float(), dim=1)
    return (shares @ functional.normalize(vectors.float(), dim=1)).square().sum(dim=1).mean()
