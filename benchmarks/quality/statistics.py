"""Means, Frechet distances and their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


def resamples(count: int, seed: int = 0) -> np.ndarray:
    """Bootstrap weights (RESAMPLES, count), each row summing to 1; the same for every setting of a count, so
    that differences between settings are paired."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES) / count


def estimate(value: float, drawn: np.ndarray) -> Estimate:
    """The basic (pivotal) bootstrap interval, which undoes the bias of resampled distances."""
    low, high = np.quantile(drawn, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Estimate(float(value), float(2 * value - high), float(2 * value - low))


def mean_over(values: np.ndarray) -> Callable[[np.ndarray], float]:
    """The weighted mean of values (N,) as a function of weights (N,)."""
    return lambda weights: float(weights @ values)


def ratio_over(top: np.ndarray, bottom: np.ndarray) -> Callable[[np.ndarray], float]:
    """Sum of top over sum of bottom, (N,) each, as a function of weights (N,)."""
    return lambda weights: float(weights @ top / max(weights @ bottom, 1e-12))


@dataclass(frozen=True)
class FeatureSpace:
    """The principal components of real features: a Frechet distance on few dimensions needs few samples."""

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


def frechet_over(drawn: np.ndarray, real: np.ndarray) -> Callable[[np.ndarray], float]:
    """Frechet distance of projected features (N, C) to real ones (N, C) of the same prompts, both weighted:
    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2) (arXiv 1706.08500).

    A resample takes a prompt's drawn and real picture together; else it would measure how far two draws of
    prompts are from each other.
    """

    def distance(weights: np.ndarray) -> float:
        mean, spread = _moments(drawn, weights)
        real_mean, real_spread = _moments(real, weights)
        values, vectors = np.linalg.eigh(real_spread)
        root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
        cross = np.sqrt(np.linalg.eigvalsh(root @ spread @ root).clip(0)).sum()
        gap = np.square(mean - real_mean).sum()
        return float(gap + np.trace(spread) + np.trace(real_spread) - 2 * cross)

    return distance


def _moments(features: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean (C,) and covariance (C, C)."""
    mean = weights @ features
    away = features - mean
    return mean, (away * weights[:, None]).T @ away


def bootstrap(statistic: Callable[[np.ndarray], float], count: int) -> tuple[float, np.ndarray]:
    """The statistic of all samples alike, and of every resample (RESAMPLES,)."""
    whole = statistic(np.full(count, 1 / count))
    return whole, np.array([statistic(weights) for weights in resamples(count)])
