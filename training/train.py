"""Trains the model of a pipeline: a job in, models/<name>/<version>/ and training.json out.

In: one JSON object on stdin, made by run-training.ts from a checked config and prepared features.
Out: in the job's folder models/<name>/<version>/ {model.onnx, model.gpu.onnx, golden.json,
parity.json, manifest.json} and training.json, which says what was tried and measured.
Refused: features of another pipeline file, ranges without frauds, graphs that do not score as
LightGBM does. Invariants: what a range trains on was known when the next one begins; test ranges are
only measured; the same job with the same libraries gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import onnx

from weir_training.calibrate import Calibration, fit_calibration
from weir_training.export_onnx import export_booster, read_trees, score_rows
from weir_training.histories import History, Sample, describe, read_history, time_text
from weir_training.lineage import data_sha256, describe_lineage
from weir_training.manifest import scored_rows, write_model
from weir_training.measures import at_threshold, calibration, ranking, threshold_at
from weir_training.parity_rows import choose_parity_rows
from weir_training.search import Candidate, grow, run_search

REPORTED_RATES = (0.001, 0.005, 0.01, 0.05)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    job = json.load(sys.stdin)
    try:
        train_model(job)
    except ValueError as fault:
        # What the user can mend: the ranges, the labels, the calibration.
        sys.exit(f"training: {fault}")


def train_model(job: dict) -> None:
    samples = read_samples(job)
    best, candidates = run_search(job["config"], samples.folds, tell)
    model = fit_final(job, samples, best)
    export = export_model(job, samples, model)
    graph = onnx.load_from_string(export.graphs["cpu"])
    logistic = fit_logistic(samples.final)
    results = [measure(model, graph, logistic, test) for test in samples.tests]
    search = {"candidates": candidates, "chosen": best.describe()}
    write(job, samples, model, export=export, search=search, results=results)


@dataclass
class Samples:
    folds: list[tuple[Sample, Sample]]
    final: Sample
    final_range: dict
    is_last_fold: bool
    tests: list[Sample]


def read_samples(job: dict) -> Samples:
    """Each fold knows what was known when it is validated, the final model what is known at last."""
    split = job["config"]["split"]
    histories = read_histories(job)
    made_at = min(wanted["fromMs"] for wanted in split["test"])

    def take(wanted: dict, known_by: float) -> Sample:
        return histories[wanted["history"]].sample(wanted, known_by)

    folds = [
        (take(fold["train"], fold["validate"]["fromMs"]), take(fold["validate"], made_at))
        for fold in split["folds"]
    ]
    final_range = split["train"] or split["folds"][-1]["train"]
    return Samples(
        folds=folds,
        final=take(split["train"], made_at) if split["train"] else folds[-1][0],
        final_range=final_range,
        is_last_fold=split["train"] is None,
        tests=[take(wanted, np.inf) for wanted in split["test"]],
    )


def read_histories(job: dict) -> dict[str, History]:
    split = job["config"]["split"]
    parts = [part for fold in split["folds"] for part in (fold["train"], fold["validate"])]
    ranges = [*parts, *split["test"], *([split["train"]] if split["train"] else [])]
    return {
        name: read_history(
            name,
            Path(entry["featureFile"]),
            Path(entry["labelFile"]),
            names=job["features"],
            ranges=[wanted for wanted in ranges if wanted["history"] == name],
        )
        for name, entry in job["histories"].items()
        if any(wanted["history"] == name for wanted in ranges)
    }


@dataclass
class Model:
    booster: lgb.Booster
    calibration: Calibration
    thresholds: dict[str, float]
    rates: list[dict]
    """What thresholds at usual false-positive rates come to, out of fold."""
    before: dict
    after: dict
    """How far scores were from the share of frauds, out of fold."""

    def score(self, rows: np.ndarray) -> np.ndarray:
        return self.calibration.apply(self.booster.predict(rows, raw_score=True))


def fit_final(job: dict, samples: Samples, best: Candidate) -> Model:
    """Calibration and thresholds come from scores of rows that their booster did not see."""
    config = job["config"]
    pairs = list(zip(best.boosters, samples.folds, strict=True))
    margins = np.concatenate([b.predict(later.rows, raw_score=True) for b, (_, later) in pairs])
    verdicts = np.concatenate([later.verdicts for _, (_, later) in pairs])
    fitted = fit_calibration(config["calibration"], margins, verdicts)
    scores = fitted.apply(margins)
    rates = config["thresholds"]
    thresholds = {band: threshold_at(verdicts, scores, rates[band]) for band in rates}
    wanted = sorted({*REPORTED_RATES, *rates.values()})
    return Model(
        booster=best.boosters[-1]
        if samples.is_last_fold
        else grow(config, best.parameters, samples.final, best.rounds),
        calibration=fitted,
        thresholds=thresholds,
        rates=[
            {"wanted": rate, **at_threshold(verdicts, scores, threshold_at(verdicts, scores, rate))}
            for rate in wanted
        ],
        before=calibration(verdicts, Calibration().apply(margins)),
        after=calibration(verdicts, scores),
    )


@dataclass
class Export:
    graphs: dict[str, bytes]
    parity_rows: int
    parity: dict
    """Some of those rows with LightGBM's calibrated scores, to be kept."""
    rows: np.ndarray
    """The reference sample: all validation rows, and LightGBM's calibrated scores of them."""
    scores: np.ndarray


def export_model(job: dict, samples: Samples, model: Model) -> Export:
    rows = np.concatenate([later.rows for _, later in samples.folds])
    scores = model.score(rows)
    chosen = choose_parity_rows(read_trees(model.booster), rows, scores, job["config"]["seed"])
    parity_rows, kept = chosen.all(), chosen.kept()
    graphs = export_booster(
        model.booster,
        parity_rows,
        with_gpu=True,
        thresholds=(model.thresholds["review"], model.thresholds["block"]),
        calibration=model.calibration,
    )
    parity = scored_rows(kept, model.score(kept))
    return Export(graphs, len(parity_rows), parity, rows, scores)


def measure(model: Model, graph: onnx.ModelProto, logistic, test: Sample) -> dict:
    """By the graph that is shipped: float32 scores tie where doubles do not."""
    scores = score_rows(graph, test.rows).astype(np.float64)
    return {
        "range": test.what,
        "rows": len(test.rows),
        "frauds": test.frauds,
        **ranking(test.verdicts, scores),
        "review": at_threshold(test.verdicts, scores, model.thresholds["review"]),
        "block": at_threshold(test.verdicts, scores, model.thresholds["block"]),
        "calibration": calibration(test.verdicts, scores),
        "logisticRegression": ranking(test.verdicts, logistic.predict_proba(test.rows)[:, 1]),
    }


def fit_logistic(train: Sample):
    """The comparison: logistic regression on the same rows, standardised."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return model.fit(train.rows, train.verdicts)


def write(
    job: dict, samples: Samples, model: Model, *, export: Export, search: dict, results: list[dict]
) -> None:
    config, lineage = job["config"], describe_lineage(job)
    folder = Path(job["folder"])
    last = results[-1]
    manifest = write_model(
        folder / "models" / config["model"]["name"] / config["model"]["version"],
        name=config["model"]["name"],
        version=config["model"]["version"],
        created_at=config["createdAt"],
        graphs=export.graphs,
        names=job["features"],
        rows=export.rows,
        scores=export.scores,
        parity=export.parity,
        thresholds=model.thresholds,
        calibration={**model.calibration.describe(), "before": model.before, "after": model.after},
        training={
            "from": time_text(samples.final_range["fromMs"]),
            "to": time_text(samples.final_range["toMs"]),
            "rows": len(samples.final.rows),
            "frauds": samples.final.frauds,
            "dataSha256": data_sha256(lineage),
            "seed": config["seed"],
            "code": f"training/train.py {lineage['code']['sha256']}",
            "lineage": lineage,
        },
        metrics={
            "averagePrecision": last["averagePrecision"],
            "rocAuc": last["rocAuc"],
            "logisticRegression": last["logisticRegression"],
            "falsePositiveRates": model.rates,
            "ranges": results,
        },
    )
    record = {
        "trees": model.booster.num_trees(),
        "parityRows": export.parity_rows,
        "thresholds": model.thresholds,
        **search,
        "results": results,
        "test": [describe(wanted) for wanted in config["split"]["test"]],
        "files": manifest["files"],
        "lineage": lineage,
    }
    (folder / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
