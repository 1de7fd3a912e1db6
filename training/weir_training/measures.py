"""Measures of scores against verdicts, and the choice of thresholds.

In: verdicts (0 or 1) and scores of the same rows. Out: plain floats, for the manifest and README.
Refused: nothing. Invariant: thresholds are chosen on validation ranges and only reported on
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
        "falsePositiveRate": false_positive_rate(verdicts, scores, threshold),
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
        "brier": float(np.mean((scores - verdicts) ** 2)),
    }


def threshold_at(verdicts: np.ndarray, scores: np.ndarray, false_positive_rate: float) -> float:
    """The lowest threshold, to four digits, that flags no larger share of the genuine events.

    Rounded up, because people read it and write it in the pipeline file: it never flags more.
    """
    # A graph gives float32, which may lie above the double that training knows.
    both = np.maximum(scores, np.asarray(scores, np.float32).astype(np.float64))
    genuine = np.sort(both[verdicts == 0])[::-1]
    allowed = int(false_positive_rate * len(genuine))
    if allowed >= len(genuine):
        return 0.0
    if genuine[allowed] >= 1:
        raise ValueError(
            f"found {allowed + 1} genuine events or more with the score 1, expected a threshold that "
            f"flags at most {false_positive_rate:.4%} of them; use calibration: isotonic"
        )
    # Just above the first genuine score that must not be flagged.
    return min(1.0, _round_up(float(np.nextafter(genuine[allowed], np.inf))))


def _round_up(value: float, digits: int = 4) -> float:
    """The smallest number of so many digits that is not below the value."""
    if value <= 0:
        return 0.0
    places = digits - 1 - math.floor(math.log10(value))
    rounded = round(value, places)
    return rounded if rounded >= value else round(rounded + 10.0**-places, places)


def false_positive_rate(verdicts: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    return float((scores[verdicts == 0] >= threshold).mean())
