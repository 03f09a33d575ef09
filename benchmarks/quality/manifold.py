"""Precision and recall of a set of pictures (Kynkäänniemi et al., arXiv 1904.06991).

A set's manifold is the union of balls around its samples' features, each as wide as the distance to the
sample's k-th nearest neighbour in the set. Precision is the share of drawn pictures on the manifold of the
real ones (do they look real?), recall the share of real ones on that of the drawn ones (is all drawn?).
"""

from __future__ import annotations

import numpy as np
import torch

NEIGHBOURS = 3
"""The paper's k."""


def precision_and_recall(
    drawn: np.ndarray, real: np.ndarray, neighbours: int = NEIGHBOURS
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each drawn picture is on the real manifold (N,), and each real one on the drawn one (M,), of
    features (N, C) and (M, C); their means are precision and recall."""
    ours, theirs = (torch.from_numpy(np.ascontiguousarray(some, np.float32)) for some in (drawn, real))
    between = torch.cdist(ours, theirs)
    precise = (between <= _reach(theirs, neighbours)[None, :]).any(1)
    recalled = (between <= _reach(ours, neighbours)[:, None]).any(0)
    return precise.numpy(), recalled.numpy()


def _reach(features: torch.Tensor, neighbours: int) -> torch.Tensor:
    """Distance of each sample (N, C) to its k-th nearest other one, (N,)."""
    if len(features) <= neighbours:
        raise ValueError(f"{len(features)} pictures have no {neighbours} neighbours each; draw more")
    return torch.cdist(features, features).kthvalue(neighbours + 1, dim=1).values
