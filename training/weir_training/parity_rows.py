"""The rows on which a graph has to score as LightGBM does: real ones, and those made to break it.

In: a booster's trees and real rows. Out: PARITY_ROWS_MIN rows or more, float32, none of them NaN
(Weir's features never are): the highest scores, others evenly, values on a split's threshold and one
float32 to either side of it, all zeros, negative zeros, the smallest and largest numbers there are.
Where real rows are few, more are made by mixing their columns. Some of each kind are kept beside
the model, so that whoever has it can prove it again without LightGBM. Seeded; nothing is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .export_onnx import PARITY_ROWS_MIN, Tree

KEPT = {"real": 144, "borders": 80, "extremes": 32}
REAL_ROWS_MAX = 9_000
SPLITS_MAX = 1_500
EXTREMES = np.array(
    [0.0, -0.0, 1e-45, -1e-45, 1e-35, -1.0, 3.4028235e38, -3.4028235e38], np.float32
)


@dataclass
class ParityRows:
    real: np.ndarray
    borders: np.ndarray
    extremes: np.ndarray
    mixed: np.ndarray

    def all(self) -> np.ndarray:
        parts = [self.real, self.borders, self.extremes, self.mixed]
        return np.concatenate(parts).astype(np.float32)

    def kept(self) -> np.ndarray:
        """At most as many of each kind as KEPT says, evenly over them; mixed ones fill the gaps."""
        parts = [_evenly(getattr(self, kind), count) for kind, count in KEPT.items()]
        missing = sum(KEPT.values()) - sum(len(part) for part in parts)
        return np.concatenate([*parts, _evenly(self.mixed, missing)]).astype(np.float32)


def choose_parity_rows(
    trees: list[Tree], rows: np.ndarray, scores: np.ndarray, seed: int
) -> ParityRows:
    rng = np.random.default_rng(seed)
    borders, extremes = _on_thresholds(trees, rows, rng), _extremes(rows, rng)
    real = _real_rows(rows, scores)
    missing = max(0, PARITY_ROWS_MIN - len(borders) - len(extremes) - len(real))
    mixed = np.column_stack([rng.choice(column, missing) for column in rows.T])
    return ParityRows(real, borders, extremes, mixed)


def _evenly(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def _real_rows(rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """A third from the top, where it matters most, the rest evenly over the ranks."""
    if len(rows) <= REAL_ROWS_MAX:
        return rows
    order = np.argsort(-scores, kind="stable")
    top, rest = order[: REAL_ROWS_MAX // 3], order[REAL_ROWS_MAX // 3 :]
    evenly = np.linspace(0, len(rest) - 1, REAL_ROWS_MAX - len(top)).astype(int)
    return rows[np.concatenate([top, rest[evenly]])]


def _on_thresholds(trees: list[Tree], rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    splits = sorted(
        {
            (feature, float(threshold))
            for tree in trees
            for feature, threshold in zip(tree.features, tree.thresholds, strict=True)
        }
    )
    if len(splits) > SPLITS_MAX:
        splits = [splits[i] for i in sorted(rng.choice(len(splits), SPLITS_MAX, replace=False))]
    made = rows[rng.integers(len(rows), size=3 * len(splits))].copy()
    for i, (feature, threshold) in enumerate(splits):
        at = np.float32(threshold)
        below = np.nextafter(at, np.float32(-np.inf))
        above = np.nextafter(at, np.float32(np.inf))
        for j, value in enumerate((at, below, above)):
            # Beyond the largest float32 there is nothing to try.
            made[3 * i + j, feature] = value if np.isfinite(value) else at
    return made


def _extremes(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    features = rows.shape[1]
    everywhere = np.repeat(EXTREMES[:, None], features, axis=1)
    single = rows[rng.integers(len(rows), size=features * len(EXTREMES))].copy()
    single[np.arange(len(single)), np.repeat(np.arange(features), len(EXTREMES))] = np.tile(
        EXTREMES, features
    )
    return np.concatenate([everywhere, single])
