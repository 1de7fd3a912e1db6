"""From a booster's margin to a probability: a strictly rising map, the same in Python and in ONNX.

In: margins (log-odds, before the sigmoid) and verdicts that the booster was not fitted to.
Out: a Calibration: `apply` maps margins in doubles, `nodes` gives the same map as ONNX operations.
  none      sigmoid(m)
  platt     sigmoid(slope * m + shift), fitted by maximum likelihood
  isotonic  the best rising steps, joined by straight lines between their centres, so that a small
            difference of margins stays one; 1 % of sigmoid(m) keeps the order beyond the outer knots
Refused: a fit that would turn the order of scores round.
Invariants: no two margins change their order; every constant is a float32, so both sides compute
with the same numbers; no line is steeper than STEEPEST, which bounds what rounding can do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto, helper

STEEPEST = 1.0
ORDER_SHARE = np.float32(0.01)
"""A step needs so many frauds or so large a share of the rows."""
FRAUDS_PER_BIN = 12
ROWS_SHARE_PER_BIN = 0.05


def sigmoid(margins: np.ndarray) -> np.ndarray:
    # Far below 0 the exponential is infinite and the sigmoid 0, which is right.
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-np.asarray(margins, np.float64)))


@dataclass
class Calibration:
    method: str = "none"
    slope: np.float32 = np.float32(1)
    shift: np.float32 = np.float32(0)
    margins: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    probabilities: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    def apply(self, margins: np.ndarray) -> np.ndarray:
        margins = np.asarray(margins, np.float64)
        if self.method == "none":
            return sigmoid(margins)
        if self.method == "platt":
            return sigmoid(float(self.slope) * margins + float(self.shift))
        lines = np.interp(margins, self.margins.astype(float), self.probabilities.astype(float))
        share = float(ORDER_SHARE)
        return (1 - share) * lines + share * sigmoid(margins)

    def nodes(self, margin: str, score: str) -> tuple[list[NodeProto], dict[str, np.ndarray]]:
        """Operations from `margin` [n, 1] to `score` [n, 1], and their constants by name."""
        if self.method == "none":
            return [helper.make_node("Sigmoid", [margin], [score])], {}
        if self.method == "platt":
            return _platt_nodes(margin, score), {
                "slope": np.array([self.slope], np.float32),
                "shift": np.array([self.shift], np.float32),
            }
        return _line_nodes(margin, score), self._line_constants()

    def _line_constants(self) -> dict[str, np.ndarray]:
        widths = np.diff(self.margins)
        share = ORDER_SHARE
        return {
            "knots": self.margins[:-1].reshape(1, -1),
            "widths": widths.reshape(1, -1),
            "slopes": ((1 - share) * np.diff(self.probabilities) / widths).reshape(1, -1),
            "lowest": np.array([(1 - share) * self.probabilities[0]], np.float32),
            "order_share": np.array([share], np.float32),
            "knot_axis": np.array([1], np.int64),
        }

    def describe(self) -> dict:
        if self.method == "platt":
            return {"method": "platt", "slope": float(self.slope), "shift": float(self.shift)}
        if self.method == "isotonic":
            return {
                "method": "isotonic",
                "margins": [float(x) for x in self.margins],
                "probabilities": [float(y) for y in self.probabilities],
                "orderShare": float(ORDER_SHARE),
            }
        return {"method": "none"}


def _platt_nodes(margin: str, score: str) -> list[NodeProto]:
    return [
        helper.make_node("Mul", [margin, "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["shifted"]),
        helper.make_node("Sigmoid", ["shifted"], [score]),
    ]


def _line_nodes(margin: str, score: str) -> list[NodeProto]:
    """lowest + sum over lines of slope * clip(m - knot, 0, width), by Relu alone.

    min(x, w) is w - Relu(w - x): a line that is passed gives its width exactly, and a GPU needs no
    kernel for Min with two tensors.
    """
    node = helper.make_node
    return [
        node("Sub", [margin, "knots"], ["beyond"]),
        node("Relu", ["beyond"], ["entered"]),
        node("Sub", ["widths", "entered"], ["left_over"]),
        node("Relu", ["left_over"], ["rest"]),
        node("Sub", ["widths", "rest"], ["covered"]),
        node("Mul", ["covered", "slopes"], ["rises"]),
        node("ReduceSum", ["rises", "knot_axis"], ["risen"], keepdims=1),
        node("Add", ["risen", "lowest"], ["lines"]),
        node("Sigmoid", [margin], ["plain"]),
        node("Mul", ["plain", "order_share"], ["kept_order"]),
        node("Add", ["lines", "kept_order"], [score]),
    ]


def fit_calibration(method: str, margins: np.ndarray, verdicts: np.ndarray) -> Calibration:
    if method == "none":
        return Calibration()
    if method == "platt":
        return _fit_platt(margins, verdicts)
    return _fit_isotonic(margins, verdicts)


def _fit_platt(margins: np.ndarray, verdicts: np.ndarray) -> Calibration:
    """Newton's method on two parameters, on Platt's softened targets."""
    frauds = verdicts.sum()
    high, low = (frauds + 1) / (frauds + 2), 1 / (len(verdicts) - frauds + 2)
    targets = np.where(verdicts == 1, high, low)
    inputs = np.column_stack([np.asarray(margins, np.float64), np.ones(len(margins))])
    weights = np.array([1.0, 0.0])
    for _ in range(100):
        found = sigmoid(inputs @ weights)
        gradient = inputs.T @ (found - targets)
        curvature = (inputs * (found * (1 - found))[:, None]).T @ inputs
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    if not weights[0] > 0:
        raise ValueError(f"calibration: found the slope {weights[0]}, expected one above 0")
    return Calibration("platt", slope=np.float32(weights[0]), shift=np.float32(weights[1]))


def _fit_isotonic(margins: np.ndarray, verdicts: np.ndarray) -> Calibration:
    order = np.argsort(margins, kind="stable")
    sorted_margins = np.asarray(margins, np.float64)[order]
    blocks = _rising_blocks(sorted_margins, verdicts[order].astype(np.float64))
    knots = _bounded_knots(blocks)
    if len(knots) < 2:
        raise ValueError("calibration: found one step, expected two or more; use platt or none")
    return Calibration(
        "isotonic",
        margins=np.array([x for x, _ in knots], np.float32),
        probabilities=np.array([y for _, y in knots], np.float32),
    )


def _rising_blocks(margins: np.ndarray, verdicts: np.ndarray) -> list[tuple[float, float, float]]:
    """(mean margin, fraud share, rows) of bins, pooled until the shares rise.

    Each bin is given one row more that has the overall share of frauds: a few rows that are all
    frauds do not make the next one certain.
    """
    blocks: list[tuple[float, float, float]] = []
    overall = verdicts.mean()
    for part in _bins(verdicts):
        rows = part.stop - part.start
        share = (verdicts[part].sum() + overall) / (rows + 1)
        blocks.append((margins[part].mean(), share, float(rows)))
        while len(blocks) > 1 and blocks[-2][1] >= blocks[-1][1]:
            blocks.append(_pool(blocks.pop(-2), blocks.pop()))
    return blocks


def _pool(a: tuple, b: tuple) -> tuple[float, float, float]:
    rows = a[2] + b[2]
    return (a[0] * a[2] + b[0] * b[2]) / rows, (a[1] * a[2] + b[1] * b[2]) / rows, rows


def _bins(verdicts: np.ndarray) -> list[slice]:
    """From the highest margin down, so that the frauds, which are few, decide the borders there."""
    bins: list[slice] = []
    rows_min = max(2, int(len(verdicts) * ROWS_SHARE_PER_BIN))
    end, frauds = len(verdicts), 0.0
    for i in range(len(verdicts) - 1, -1, -1):
        frauds += verdicts[i]
        if frauds >= FRAUDS_PER_BIN or end - i >= rows_min:
            bins.append(slice(i, end))
            end, frauds = i, 0.0
    if end > 0 and bins:
        bins[-1] = slice(0, bins[-1].stop)
    return bins[::-1]


def _bounded_knots(blocks: list[tuple[float, float, float]]) -> list[tuple[float, float]]:
    """Blocks whose joining line would be too steep are pooled with the one before."""
    knots: list[tuple[float, float, float]] = []
    for block in blocks:
        knots.append(block)
        while len(knots) > 1 and _is_too_steep(knots[-2], knots[-1]):
            knots.append(_pool(knots.pop(-2), knots.pop()))
    return [(np.float32(x), np.float32(y)) for x, y, _ in knots]


def _is_too_steep(a: tuple, b: tuple) -> bool:
    is_one_place = np.float32(b[0]) <= np.float32(a[0])
    return is_one_place or b[1] - a[1] > STEEPEST * (b[0] - a[0])
