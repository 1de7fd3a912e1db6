"""Margins to probabilities: the fit, the order, and the same map as ONNX operations."""

import unittest

import numpy as np

from weir_training.calibrate import STEEPEST, Calibration, fit_calibration, sigmoid
from weir_training.export_onnx import INPUT, OUTPUT, make_model, score_rows
from weir_training.measures import calibration

METHODS = ("none", "platt", "isotonic")


def make_case(count: int = 40_000, seed: int = 3):
    """Margins that are twice too bold and shifted: the true log-odds are half of them, less 2."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(-3, 3, count)
    verdicts = (rng.random(count) < sigmoid(margins / 2 - 2)).astype(np.int8)
    return margins, verdicts


def graph_of(fitted: Calibration):
    nodes, constants = fitted.nodes(INPUT, OUTPUT)
    return make_model("calibration", nodes, constants, 1)


class Calibrate(unittest.TestCase):
    def test_brings_scores_to_the_share_of_frauds_on_rows_it_has_not_seen(self):
        margins, verdicts = make_case()
        later_margins, later_verdicts = make_case(seed=4)
        raw = calibration(later_verdicts, sigmoid(later_margins))
        for method in ("platt", "isotonic"):
            fitted = fit_calibration(method, margins, verdicts)
            mended = calibration(later_verdicts, fitted.apply(later_margins))
            self.assertLess(mended["expectedError"], raw["expectedError"] / 10, method)
            self.assertLess(mended["brier"], raw["brier"], method)

    def test_platt_finds_the_line_that_was_there(self):
        fitted = fit_calibration("platt", *make_case())
        self.assertAlmostEqual(float(fitted.slope), 0.5, delta=0.03)
        self.assertAlmostEqual(float(fitted.shift), -2, delta=0.1)

    def test_keeps_the_order_of_any_two_margins(self):
        margins, verdicts = make_case(2_000)
        rising = np.linspace(-12, 12, 5_001)
        for method in METHODS:
            scores = fit_calibration(method, margins, verdicts).apply(rising)
            self.assertTrue(np.all(np.diff(scores) > 0), method)
            self.assertTrue(np.all((scores >= 0) & (scores <= 1)), method)

    def test_scores_the_same_as_onnx_operations(self):
        margins, verdicts = make_case(5_000)
        for method in METHODS:
            fitted = fit_calibration(method, margins, verdicts)
            rows = np.concatenate(
                [margins, fitted.margins, [0, -0.0, 1e-45, 80, -80, 1e30, -1e30]]
            ).astype(np.float32)
            found = score_rows(graph_of(fitted), rows.reshape(-1, 1))
            self.assertLess(np.abs(found - fitted.apply(rows)).max(), 1e-6, method)

    def test_no_line_is_steeper_than_allowed_and_no_few_rows_are_certain(self):
        margins = np.concatenate([np.zeros(500), np.full(500, 1e-3)])
        margins[:400] -= np.linspace(5, 1, 400)
        verdicts = (np.arange(1000) >= 500).astype(np.int8)
        fitted = fit_calibration("isotonic", margins, verdicts)
        slopes = np.diff(fitted.probabilities) / np.diff(fitted.margins)
        self.assertLessEqual(slopes.max(), STEEPEST * 1.001)
        self.assertLess(fitted.probabilities.max(), 1)
        self.assertGreater(fitted.probabilities.min(), 0)

    def test_an_order_that_would_turn_round_is_refused(self):
        margins, verdicts = make_case(5_000)
        with self.assertRaisesRegex(ValueError, "slope -.* expected one above 0"):
            fit_calibration("platt", -margins, verdicts)
        with self.assertRaisesRegex(ValueError, "found one step"):
            fit_calibration("isotonic", -margins, verdicts)


if __name__ == "__main__":
    unittest.main()
