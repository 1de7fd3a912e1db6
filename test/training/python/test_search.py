"""Candidates, early stopping, thresholds."""

import unittest

import numpy as np

from weir_training.histories import Sample
from weir_training.measures import false_positive_rate, threshold_at
from weir_training.search import list_candidates, run_search

GRID = {"num_leaves": [4, 8], "learning_rate": [0.05, 0.3]}


def make_sample(seed: int, rows: int = 1_500) -> Sample:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(0, 1, (rows, 6)).astype(np.float32)
    odds = 2 * inputs[:, 0] * (inputs[:, 1] > 0) + inputs[:, 2] - 2
    verdicts = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    return Sample("made", inputs, verdicts)


def make_config(**changes) -> dict:
    return {
        "seed": 5,
        "objective": "averagePrecision",
        "boosting": {"min_data_in_leaf": 5},
        "search": {"grid": GRID, "draws": None},
        "rounds": {"max": 300, "patience": 5},
        **changes,
    }


FOLDS = [(make_sample(1), make_sample(2)), (make_sample(3), make_sample(4))]


def quiet(_: str) -> None:
    pass


class Search(unittest.TestCase):
    def test_lists_all_combinations_or_as_many_as_are_drawn_with_the_seed(self):
        every = list_candidates({"grid": GRID, "draws": None}, 1)
        self.assertEqual(len(every), 4)
        self.assertEqual(every[0], {"learning_rate": 0.05, "num_leaves": 4})
        drawn = [list_candidates({"grid": GRID, "draws": 2}, seed) for seed in range(20)]
        self.assertTrue(all(len(d) == 2 and d[0] != d[1] for d in drawn))
        self.assertEqual(drawn, [list_candidates({"grid": GRID, "draws": 2}, s) for s in range(20)])
        self.assertGreater(len({str(d) for d in drawn}), 3)
        self.assertEqual(list_candidates({"grid": {}, "draws": None}, 1), [{}])

    def test_takes_the_best_mean_over_the_folds(self):
        best, described = run_search(make_config(), FOLDS, quiet)
        self.assertEqual(len(described), 4)
        for entry in described:
            folds = [fold["measure"] for fold in entry["folds"]]
            self.assertAlmostEqual(entry["measure"], sum(folds) / 2)
        self.assertEqual(best.measure, max(entry["measure"] for entry in described))
        self.assertGreater(best.measure, min(entry["measure"] for entry in described))

    def test_stops_where_more_trees_bring_nothing_and_keeps_only_those_before(self):
        config = make_config(search={"grid": {}, "draws": None})
        stopped, _ = run_search(config, FOLDS, quiet)
        full, _ = run_search({**config, "rounds": {"max": 300, "patience": None}}, FOLDS, quiet)
        self.assertTrue(all(booster.num_trees() < 150 for booster in stopped.boosters))
        self.assertTrue(all(booster.num_trees() == 300 for booster in full.boosters))
        self.assertGreater(stopped.measure, full.measure)

    def test_the_objective_decides(self):
        by_area, _ = run_search(make_config(objective="rocAuc"), FOLDS, quiet)
        self.assertGreater(by_area.measure, 0.8)
        by_precision, _ = run_search(make_config(), FOLDS, quiet)
        self.assertLess(by_precision.measure, by_area.measure)

    def test_gives_the_same_trees_again(self):
        models = [
            [b.model_to_string() for b in run_search(make_config(), FOLDS, quiet)[0].boosters]
            for _ in range(2)
        ]
        self.assertEqual(models[0], models[1])


class Thresholds(unittest.TestCase):
    def test_flag_no_larger_share_of_the_genuine_than_allowed_and_nearly_that_many(self):
        rng = np.random.default_rng(8)
        for case in range(200):
            rows = int(rng.integers(5, 3_000))
            scores = rng.random(rows) ** int(rng.integers(1, 8))
            if case % 3 == 0:
                scores = np.round(scores, 2) * 0.99
            verdicts = (rng.random(rows) < 0.3).astype(np.int8)
            verdicts[0] = 0
            rate = float(rng.choice([0.0005, 0.01, 0.2]))
            threshold = threshold_at(verdicts, scores, rate)
            self.assertLessEqual(false_positive_rate(verdicts, scores, threshold), rate)
            genuine = np.sort(scores[verdicts == 0])[::-1]
            kept_out = genuine[int(rate * len(genuine))]
            self.assertLessEqual(threshold, min(1, kept_out * 1.002 + 1e-6), f"case {case}")

    def test_cannot_be_above_one(self):
        with self.assertRaisesRegex(ValueError, "1 genuine events or more with the score 1"):
            threshold_at(np.array([0, 1]), np.array([1.0, 0.5]), 0.01)

    def test_have_four_digits(self):
        scores = np.array([0.123456, 0.9])
        self.assertEqual(threshold_at(np.array([0, 1]), scores, 0.01), 0.1235)
        self.assertEqual(threshold_at(np.array([0, 1]), scores / 1000, 0.01), 0.0001235)


if __name__ == "__main__":
    unittest.main()
