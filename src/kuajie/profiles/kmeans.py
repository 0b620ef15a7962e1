"""K-means, through scikit-learn (the extra `ml`): the same result in every run."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from kuajie.core.errors import MissingExtraError
from kuajie.core.texts import Text

F32 = npt.NDArray[np.float32]
STARTS = 2


def k_means(points: F32, k: int, seed: int, start: F32 | None = None) -> tuple[F32, npt.NDArray[np.int32]]:
    """Centres of k clusters (k, d) and the cluster of each point.

    Lloyd's steps from k-means++ (Arthur and Vassilvitskii 2007).

    Args:
        points: (n, d); where fewer than k differ, some clusters have no members.
        k: how many.
        seed: of the starts.
        start: centres to start from; None: the best of several starts.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    cluster = _sklearn("cluster")
    starting = {"n_init": STARTS} if start is None else {"n_init": 1, "init": start}
    with threadpool_limits(1), warnings.catch_warnings():  # threads would add up in any order
        warnings.simplefilter("ignore", _sklearn("exceptions").ConvergenceWarning)  # that clusters are empty
        model = cluster.KMeans(k, random_state=seed, **starting).fit(points)
    return model.cluster_centers_.astype(np.float32), model.labels_.astype(np.int32)


def silhouettes(points: F32, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """The silhouette of each point, -1..1: -1 for all where there is one cluster alone (Rousseeuw 1987).

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    if not 1 < len(np.unique(labels)) < len(points):
        return np.full(len(points), -1.0)
    with threadpool_limits(1):
        found: npt.NDArray[np.float64] = _sklearn("metrics").silhouette_samples(points, labels)
    return found


def _sklearn(module: str) -> Any:  # noqa: ANN401 # the package has no types
    try:
        from sklearn import cluster, exceptions, metrics
    except ImportError:
        raise MissingExtraError(Text("finding segments"), "scikit-learn", "ml") from None
    return {"cluster": cluster, "exceptions": exceptions, "metrics": metrics}[module]
