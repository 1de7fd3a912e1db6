"""Measures of scores against verdicts, and the choice of thresholds.

In: verdicts (0 or 1) and scores of the same rows. Out: plain floats, for the manifest and README.
Refused: nothing. Invariant: thresholds are chosen on the validation range and only reported on
later ones.
"""

from __future__ import annotations

import math

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def ranking(verdicts: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return {
        "averagePrecision": float(average_precision_score(verdicts, scores)),
        "rocAuc": float(roc_auc_score(verdicts, scores)),
    }


def at_threshold(verdicts: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, float]:
    is_flagged = scores >= threshold
    hits = int(verdicts[is_flagged].sum())
    flagged = int(is_flagged.sum())
    return {
        "threshold": threshold,
        "alertShare": flagged / len(scores),
        "precision": hits / flagged if flagged else 0.0,
        "recall": hits / max(1, int(verdicts.sum())),
    }


def calibration(verdicts: np.ndarray, scores: np.ndarray, bins: int = 20) -> dict[str, float]:
    """Mean score against the share of frauds, over bins of equal size in the order of scores."""
    order = np.argsort(scores, kind="stable")
    gaps = [
        abs(float(scores[part].mean()) - float(verdicts[part].mean())) * len(part)
        for part in np.array_split(order, bins)
    ]
    return {
        "meanScore": float(scores.mean()),
        "fraudShare": float(verdicts.mean()),
        "expectedError": sum(gaps) / len(scores),
    }


def choose_thresholds(
    verdicts: np.ndarray, scores: np.ndarray, *, review_alert_share: float, block_precision: float
) -> dict[str, float]:
    """`review` flags the given share of events; `block` is the lowest with the given precision.

    Rounded up to two digits that matter, because people read and write them in the pipeline file.
    """
    review = float(np.quantile(scores, 1 - review_alert_share))
    order = np.argsort(-scores, kind="stable")
    precision = np.cumsum(verdicts[order]) / np.arange(1, len(order) + 1)
    reached = np.flatnonzero(precision >= block_precision)
    block = float(scores[order][reached[-1]]) if len(reached) else 1.0
    review = math.ceil(review * 100) / 100
    return {"review": review, "block": max(review, math.ceil(block * 100) / 100)}
