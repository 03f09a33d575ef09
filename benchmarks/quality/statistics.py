"""Means, Frechet distances and their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RESAMPLES = 400
CONFIDENCE = 0.95
COMPONENTS = 64


@dataclass(frozen=True)
class Estimate:
    """A figure and its confidence interval."""

    value: float
    low: float
    high: float


@lru_cache(maxsize=8)
def resamples(count: int, seed: int = 0) -> np.ndarray:
    """Bootstrap weights (RESAMPLES, count), each row summing to 1; the same for every setting of a count, so
    that differences between settings are paired."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES) / count


def estimate(value: float, drawn: np.ndarray) -> Estimate:
    """The basic (pivotal) bootstrap interval, which undoes the bias of resampled distances."""
    low, high = np.quantile(drawn, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Estimate(float(value), float(2 * value - high), float(2 * value - low))


def unbiased(value: float, drawn: np.ndarray) -> Estimate:
    """The same interval, and the value less the bias that resampling shows: of two distances of few samples
    the one with more spread is taken for smaller."""
    plain = estimate(value, drawn)
    return Estimate(float(2 * value - drawn.mean()), plain.low, plain.high)


Statistic = Callable[[np.ndarray], np.ndarray]
"""Of samples with weights (..., N) that sum to 1: (...)."""


def mean_over(values: np.ndarray) -> Statistic:
    """The weighted mean of values (N,)."""
    return lambda weights: weights @ values


def ratio_over(top: np.ndarray, bottom: np.ndarray) -> Statistic:
    """Sum of top over sum of bottom, (N,) each."""
    return lambda weights: weights @ top / np.maximum(weights @ bottom, 1e-12)


@dataclass(frozen=True)
class FeatureSpace:
    """The principal components of real features: a Frechet distance on few dimensions needs few samples.

    They are to be those of other pictures than are judged or judged against: fitted to few of these, they
    hold more of their spread than of what is drawn, and reward what has too much.
    """

    mean: np.ndarray
    basis: np.ndarray
    """(features, COMPONENTS)."""

    @classmethod
    def of(cls, features: np.ndarray) -> FeatureSpace:
        """Of real features (N, features)."""
        mean = features.mean(0)
        basis = np.linalg.svd(features - mean, full_matrices=False)[2][:COMPONENTS].T
        return cls(mean, basis)

    def project(self, features: np.ndarray) -> np.ndarray:
        """(N, features) to (N, COMPONENTS), float64."""
        return ((features - self.mean) @ self.basis).astype(np.float64)


@dataclass(frozen=True)
class Moments:
    """Weighted means (..., C) and covariances (..., C, C) of features."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, weights: np.ndarray) -> Moments:
        """Of features (N, C) under weights (..., N)."""
        mean = weights @ features
        square = np.einsum("...n,nc,nd->...cd", weights, features, features, optimize=True)
        return cls(mean, square - mean[..., :, None] * mean[..., None, :])

    def root(self) -> np.ndarray:
        """The symmetric square roots of the covariances."""
        values, vectors = np.linalg.eigh(self.spread)
        return (vectors * np.sqrt(values.clip(0))[..., None, :]) @ vectors.swapaxes(-1, -2)


def frechet_over(drawn: np.ndarray, real: np.ndarray) -> Statistic:
    """Frechet distance of projected features (N, C) to real ones (N, C) of the same prompts, both weighted:
    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2) (arXiv 1706.08500).

    A resample takes a prompt's drawn and real picture together; else it would measure how far two draws of
    prompts are from each other.
    """
    centre = real.mean(0)
    drawn, real = drawn - centre, real - centre

    def distance(weights: np.ndarray) -> np.ndarray:
        ours, theirs = Moments.of(drawn, weights), Moments.of(real, weights)
        root = theirs.root()
        cross = np.sqrt(np.linalg.eigvalsh(root @ ours.spread @ root).clip(0)).sum(-1)
        spread = np.trace(ours.spread + theirs.spread, axis1=-2, axis2=-1)
        return np.square(ours.mean - theirs.mean).sum(-1) + spread - 2 * cross

    return distance


def bootstrap(statistic: Statistic, count: int) -> tuple[float, np.ndarray]:
    """The statistic of all samples alike, and of every resample (RESAMPLES,)."""
    whole = float(statistic(np.full(count, 1 / count)))
    return whole, np.asarray(statistic(resamples(count)))
