"""Graphs against LightGBM: equal on rows made to break them, and refused where they differ."""

import unittest

import lightgbm as lgb
import numpy as np

from weir_training.calibrate import fit_calibration
from weir_training.export_onnx import (
    PARITY_ROWS_MIN,
    check_parity,
    export_booster,
    read_trees,
    tree_graph,
)
from weir_training.parity_rows import choose_parity_rows


def make_booster(rows: int = 4_000, seed: int = 5):
    """Whole numbers and halves as features, so that many values lie on a split's border."""
    rng = np.random.default_rng(seed)
    inputs = np.column_stack(
        [rng.integers(0, 30, rows) / 10, rng.gamma(2, 50, rows), rng.integers(0, 2, rows)]
    ).astype(np.float32)
    odds = inputs[:, 0] + inputs[:, 1] / 100 + inputs[:, 2] - 5
    verdicts = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    parameters = {"objective": "binary", "num_leaves": 15, "use_missing": False, "verbose": -1}
    parameters |= {"num_threads": 1, "deterministic": True, "force_row_wise": True}
    return lgb.train(parameters, lgb.Dataset(inputs, verdicts), 30), inputs, verdicts


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.booster, cls.rows, cls.verdicts = make_booster()
        cls.trees = read_trees(cls.booster)
        cls.chosen = choose_parity_rows(
            cls.trees, cls.rows, cls.booster.predict(cls.rows), seed=1
        )
        cls.parity_rows = cls.chosen.all()
        margins = cls.booster.predict(cls.rows, raw_score=True)
        cls.calibrations = {
            method: fit_calibration(method, margins, cls.verdicts)
            for method in ("none", "platt", "isotonic")
        }

    def test_parity_rows_are_many_and_hold_zeros_extremes_and_borders(self):
        rows = self.parity_rows
        self.assertGreaterEqual(len(rows), PARITY_ROWS_MIN)
        self.assertEqual(rows.dtype, np.float32)
        self.assertFalse(np.isnan(rows).any())
        self.assertTrue((rows == 0).all(axis=1).any())
        for feature in range(rows.shape[1]):
            self.assertEqual(rows[:, feature].max(), np.finfo(np.float32).max)
            self.assertEqual(rows[:, feature].min(), np.finfo(np.float32).min)
        for tree in self.trees[:3]:
            for feature, threshold in zip(tree.features, tree.thresholds, strict=True):
                beside = np.nextafter(threshold, np.float32(np.inf))
                self.assertTrue((rows[:, feature] == threshold).any())
                self.assertTrue((rows[:, feature] == beside).any())

    def test_both_graphs_score_as_lightgbm_does_with_each_calibration(self):
        for method, fitted in self.calibrations.items():
            graphs = export_booster(
                self.booster, self.parity_rows, with_gpu=True, calibration=fitted
            )
            self.assertEqual(set(graphs), {"cpu", "gpu"}, method)
            again = export_booster(
                self.booster, self.parity_rows, with_gpu=True, calibration=fitted
            )
            self.assertEqual(graphs, again, method)

    def test_scores_that_are_not_the_calibrated_ones_are_refused(self):
        graph = tree_graph(self.trees, 3)
        with self.assertRaisesRegex(ValueError, "cpu: scores differ by"):
            check_parity(
                self.booster,
                {"cpu": graph},
                self.parity_rows,
                calibration=self.calibrations["isotonic"],
            )

    def test_a_threshold_rounded_the_wrong_way_is_refused(self):
        """Only a row on the border itself can show it."""
        trees = read_trees(self.booster)
        for tree in trees:
            tree.thresholds = [np.nextafter(t, np.float32(np.inf)) for t in tree.thresholds]
        with self.assertRaisesRegex(ValueError, "scores differ"):
            check_parity(self.booster, {"cpu": tree_graph(trees, 3)}, self.parity_rows)

    def test_a_leaf_that_differs_is_refused(self):
        trees = read_trees(self.booster)
        trees[-1].leaf_values[0] += 1e-3
        with self.assertRaisesRegex(ValueError, "scores differ"):
            check_parity(self.booster, {"cpu": tree_graph(trees, 3)}, self.parity_rows)

    def test_the_rows_that_are_kept_are_some_of_each_kind(self):
        kept = self.chosen.kept()
        self.assertEqual((len(kept), kept.dtype), (256, np.float32))
        known = {row.tobytes() for row in self.parity_rows}
        self.assertTrue(all(row.tobytes() in known for row in kept))
        for kind, least in (("real", 100), ("borders", 60), ("extremes", 20)):
            rows = {row.tobytes() for row in getattr(self.chosen, kind).astype(np.float32)}
            self.assertGreaterEqual(sum(row.tobytes() in rows for row in kept), least)
        self.assertTrue((np.abs(kept) > 1e38).any())

    def test_rows_that_are_kept_are_filled_up_where_real_ones_are_few(self):
        chosen = choose_parity_rows(self.trees, self.rows[:50], np.zeros(50), seed=1)
        self.assertEqual(len(chosen.kept()), 256)

    def test_few_real_rows_are_mixed_to_enough(self):
        rows = choose_parity_rows(self.trees, self.rows[:50], np.zeros(50), seed=1).all()
        self.assertGreaterEqual(len(rows), PARITY_ROWS_MIN)
        again = choose_parity_rows(self.trees, self.rows[:50], np.zeros(50), seed=1).all()
        self.assertEqual(rows.tobytes(), again.tobytes())


if __name__ == "__main__":
    unittest.main()
