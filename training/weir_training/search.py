"""Which parameters, and how many trees: the search over the folds.

In: the grid of the config and, per fold, a training and a later validation sample.
Out: every candidate with its measures, the best of them, and per fold its booster.
Refused: nothing that the config's schema lets through. Invariants: candidates are drawn with the
seed and tried in one order; the measure is taken on validation rows only, at the number of trees that
early stopping chose there; of equal candidates the first wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import lightgbm as lgb
import numpy as np

from .histories import Sample
from .measures import ranking

METRICS = {"averagePrecision": "average_precision", "rocAuc": "auc"}


@dataclass
class Candidate:
    parameters: dict
    boosters: list[lgb.Booster]
    """Per fold, cut to the trees that early stopping kept."""
    measures: list[float]

    @property
    def measure(self) -> float:
        return float(np.mean(self.measures))

    @property
    def rounds(self) -> int:
        return max(1, round(float(np.mean([booster.num_trees() for booster in self.boosters]))))

    def describe(self) -> dict:
        return {
            "parameters": self.parameters,
            "measure": self.measure,
            "folds": [
                {"measure": measure, "trees": booster.num_trees()}
                for measure, booster in zip(self.measures, self.boosters, strict=True)
            ],
        }


def list_candidates(search: dict, seed: int) -> list[dict]:
    """All combinations of the grid in order, or as many of them as `draws` says."""
    names = sorted(search["grid"])
    every = [
        dict(zip(names, values, strict=True))
        for values in product(*(search["grid"][name] for name in names))
    ]
    draws = search["draws"]
    if draws is None or draws >= len(every):
        return every
    chosen = np.random.default_rng(seed).choice(len(every), draws, replace=False)
    return [every[i] for i in sorted(chosen)]


def lightgbm_parameters(config: dict, chosen: dict) -> dict:
    return {
        **config["boosting"],
        **chosen,
        "objective": "binary",
        "metric": METRICS[config["objective"]],
        "seed": config["seed"],
        "deterministic": True,
        "force_row_wise": True,
        # One thread: sums of gradients depend on how rows are shared out.
        "num_threads": 1,
        "use_missing": False,
        "verbose": -1,
    }


def grow(config: dict, chosen: dict, sample: Sample, rounds: int) -> lgb.Booster:
    data = lgb.Dataset(sample.rows, sample.verdicts)
    return lgb.train(lightgbm_parameters(config, chosen), data, rounds)


def grow_with_stop(config: dict, chosen: dict, train: Sample, validate: Sample) -> lgb.Booster:
    rounds = config["rounds"]
    if rounds["patience"] is None:
        return grow(config, chosen, train, rounds["max"])
    data = lgb.Dataset(train.rows, train.verdicts)
    later = lgb.Dataset(validate.rows, validate.verdicts, reference=data)
    stop = lgb.early_stopping(rounds["patience"], verbose=False)
    best = lgb.train(
        lightgbm_parameters(config, chosen),
        data,
        rounds["max"],
        valid_sets=[later],
        callbacks=[stop],
    )
    # Only the trees up to the best round are exported and used.
    return lgb.Booster(model_str=best.model_to_string(num_iteration=best.best_iteration))


def try_candidate(config: dict, chosen: dict, folds: list[tuple[Sample, Sample]]) -> Candidate:
    boosters = [grow_with_stop(config, chosen, train, validate) for train, validate in folds]
    measures = [
        ranking(validate.verdicts, booster.predict(validate.rows))[config["objective"]]
        for booster, (_, validate) in zip(boosters, folds, strict=True)
    ]
    return Candidate(chosen, boosters, measures)


def run_search(config: dict, folds: list[tuple[Sample, Sample]], tell=print):
    """The best candidate, and the descriptions of all."""
    best, described = None, []
    candidates = list_candidates(config["search"], config["seed"])
    for number, chosen in enumerate(candidates, 1):
        candidate = try_candidate(config, chosen, folds)
        described.append(candidate.describe())
        tell(
            f"candidate {number} of {len(candidates)}: {candidate.measure:.4f} "
            f"{config['objective']}, {candidate.rounds} trees, {chosen}"
        )
        if best is None or candidate.measure > best.measure:
            best = candidate
    return best, described
