"""Trains the model of a pipeline: features in, models/<name>/<version>/ out.

In: a config (card-fraud.json) and the features that prepare-histories.ts made from it; `npm run
train` does both.
Out: model.onnx, model.gpu.onnx, golden.json and manifest.json; the policy's thresholds in the
pipeline file; the table of results in training/README.md. Refused: features of another pipeline
file than the one that is there, and graphs that do not score as LightGBM does.
Invariants: the split is by time, with a gap as long as labels take; what is known only later is
used for nothing earlier; the same features, config and requirements give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import datetime, timezone
from pathlib import Path

import lightgbm as lgb
import numpy as np

from weir_training.export_onnx import export_booster
from weir_training.histories import History, read_history
from weir_training.manifest import sha256, write_model
from weir_training.measures import at_threshold, calibration, choose_thresholds, ranking

ROOT = Path(__file__).resolve().parent.parent
PARITY_ROWS = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=ROOT / "training" / "card-fraud.json")
    parser.add_argument("--out", type=Path, help="folder in place of the one in the config")
    parser.add_argument(
        "--keep", action="store_true", help="leave the pipeline file and the README as they are"
    )
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text())
    histories = read_histories(config)
    split = Split(config, histories)

    booster = train_booster(config, split)
    scores = booster.predict(split.validation_rows)
    thresholds = choose_thresholds(
        split.validation_verdicts,
        scores,
        review_alert_share=config["thresholds"]["reviewAlertShare"],
        block_precision=config["thresholds"]["blockPrecision"],
    )
    results = measure_all(config, split, booster, thresholds)
    folder = arguments.out or model_folder(config)
    write(folder, config, split, booster, scores, thresholds, results)
    if not arguments.keep:
        write_policy(ROOT / config["pipeline"], thresholds)
        if "results" in config:
            write_results(ROOT / config["results"], results)
    print(results_table(results))
    print(f"{folder}: {booster.num_trees()} trees, thresholds {thresholds}")


def model_folder(config: dict) -> Path:
    model = config["model"]
    return ROOT / model["folder"] / model["name"] / model["version"]


def read_histories(config: dict) -> dict[str, History]:
    work = ROOT / config["workFolder"]
    histories = {
        spec["name"]: read_history(
            work / f"{spec['name']}.features", work / spec["name"] / "labels.parquet"
        )
        for spec in config["histories"]
    }
    if len({tuple(history.names) for history in histories.values()}) != 1:
        raise ValueError("the histories have different features: run `npm run train`")
    return histories


class Split:
    """Which rows serve for what. Training sees only labels known when validation begins."""

    def __init__(self, config: dict, histories: dict[str, History]) -> None:
        split = config["split"]
        train, validate = split["train"], split["validate"]
        gap = validate["fromDay"] - train["toDay"]
        if train["history"] != validate["history"] or gap < split["labelDelayDays"]:
            raise ValueError(
                f"validation begins {gap} days after training ends, expected the same history "
                f"and split.labelDelayDays ({split['labelDelayDays']}) or more"
            )
        self.histories = histories
        self.tests = split["test"]
        self.history = histories[train["history"]]
        self.names = self.history.names
        chosen = self.history.between(train["fromDay"], train["toDay"])
        known_by = self.history.time_of_day(validate["fromDay"])
        self.rows = self.history.rows[chosen]
        self.verdicts = self.history.frauds(known_by)[chosen]
        self.times = self.history.times[chosen]
        self.validation_rows, self.validation_verdicts = self.range_of(validate)

    def range_of(self, wanted: dict) -> tuple[np.ndarray, np.ndarray]:
        history = self.histories[wanted["history"]]
        chosen = history.between(wanted["fromDay"], wanted["toDay"])
        return history.rows[chosen], history.frauds()[chosen]


def train_booster(config: dict, split: Split) -> lgb.Booster:
    parameters = {
        "objective": "binary",
        "metric": "average_precision",
        "seed": config["seed"],
        "deterministic": True,
        "force_row_wise": True,
        # One thread: sums of gradients depend on how rows are shared out.
        "num_threads": 1,
        "use_missing": False,
        "verbose": -1,
        **config["boosting"],
    }
    data = lgb.Dataset(split.rows, split.verdicts)
    validation = lgb.Dataset(split.validation_rows, split.validation_verdicts, reference=data)
    rounds = config["rounds"]
    if "patience" not in rounds:
        return lgb.train(parameters, data, rounds["max"])
    stop = lgb.early_stopping(rounds["patience"], verbose=False)
    best = lgb.train(parameters, data, rounds["max"], valid_sets=[validation], callbacks=[stop])
    # Only the trees up to the best round are exported and used.
    return lgb.Booster(model_str=best.model_to_string(num_iteration=best.best_iteration))


def measure_all(config: dict, split: Split, booster: lgb.Booster, thresholds: dict) -> list[dict]:
    """One entry per test range: both models' measures."""
    logistic = train_logistic(split)
    results = []
    for wanted in split.tests:
        rows, verdicts = split.range_of(wanted)
        scores = booster.predict(rows)
        history = split.histories[wanted["history"]]
        results.append(
            {
                "range": describe_range(history, wanted),
                "rows": len(rows),
                "frauds": int(verdicts.sum()),
                **ranking(verdicts, scores),
                "review": at_threshold(verdicts, scores, thresholds["review"]),
                "block": at_threshold(verdicts, scores, thresholds["block"]),
                "calibration": calibration(verdicts, scores),
                "logisticRegression": ranking(verdicts, logistic(rows)),
            }
        )
    return results


def train_logistic(split: Split):
    """The comparison: logistic regression on the same rows, standardised."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(split.rows, split.verdicts)
    return lambda rows: model.predict_proba(rows)[:, 1]


def describe_range(history: History, wanted: dict) -> str:
    first, last = (day_text(history, wanted[end]) for end in ("fromDay", "toDay"))
    return f"{wanted['history']}, {first} to {last}"


def day_text(history: History, day: float) -> str:
    moment = datetime.fromtimestamp(history.time_of_day(day) / 1000, tz=timezone.utc)
    return moment.strftime("%Y-%m-%d")


def write(
    folder: Path,
    config: dict,
    split: Split,
    booster: lgb.Booster,
    scores: np.ndarray,
    thresholds: dict,
    results: list[dict],
) -> None:
    train = config["split"]["train"]
    bands = (thresholds["review"], thresholds["block"])
    # The parity rows are those that matter most: the highest scores, and others evenly.
    order = np.argsort(-scores, kind="stable")
    top, rest = order[: PARITY_ROWS // 4], order[PARITY_ROWS // 4 :]
    evenly = rest[np.linspace(0, len(rest) - 1, PARITY_ROWS - len(top)).astype(int)]
    parity_rows = split.validation_rows[np.concatenate([top, evenly])]
    last = results[-1]
    write_model(
        folder,
        name=config["model"]["name"],
        version=config["model"]["version"],
        created_at=config["createdAt"],
        graphs=export_booster(booster, parity_rows, with_gpu=True, thresholds=bands),
        names=split.names,
        rows=split.validation_rows,
        scores=scores,
        thresholds=thresholds,
        calibration={
            "method": "none",
            **calibration(split.validation_verdicts, scores),
        },
        training={
            "from": f"{day_text(split.history, train['fromDay'])}T00:00:00Z",
            "to": f"{day_text(split.history, train['toDay'])}T00:00:00Z",
            "rows": len(split.rows),
            "frauds": int(split.verdicts.sum()),
            "dataSha256": sha256(
                "\n".join(history.sha256 for history in split.histories.values()).encode()
            ),
            "seed": config["seed"],
            "code": "training/train.py",
        },
        metrics={
            "averagePrecision": last["averagePrecision"],
            "rocAuc": last["rocAuc"],
            "logisticRegression": last["logisticRegression"],
            "ranges": results,
        },
    )


def write_policy(pipeline_file: Path, thresholds: dict[str, float]) -> None:
    text = pipeline_file.read_text()
    for band, threshold in thresholds.items():
        text, count = re.subn(rf"(?m)^(  {band}: )[0-9.]+$", rf"\g<1>{threshold}", text)
        if count != 1:
            raise ValueError(f"{pipeline_file}: found {count} lines `  {band}: <number>`, not 1")
    pipeline_file.write_text(text)


RESULT_COLUMNS = (
    "later range",
    "rows",
    "frauds",
    "average precision",
    "ROC AUC",
    "logistic regression: AP, AUC",
    "alerts",
    "precision",
    "recall",
    "blocked: precision, recall",
)


def results_table(results: list[dict]) -> str:
    """Markdown with padded cells, as `npm run check` wants it."""
    rows = [RESULT_COLUMNS, *(result_cells(result) for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(RESULT_COLUMNS))]
    rows.insert(1, tuple("-" * width for width in widths))
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(f"| {line} |" for line in lines)


def result_cells(result: dict) -> tuple[str, ...]:
    logistic, review, block = (result[key] for key in ("logisticRegression", "review", "block"))
    return (
        result["range"],
        f"{result['rows']:,}",
        f"{result['frauds']:,}",
        f"**{result['averagePrecision']:.3f}**",
        f"{result['rocAuc']:.3f}",
        f"{logistic['averagePrecision']:.3f}, {logistic['rocAuc']:.3f}",
        f"{review['alertShare']:.2%}",
        f"{review['precision']:.2f}",
        f"{review['recall']:.2f}",
        f"{block['precision']:.2f}, {block['recall']:.2f}",
    )


def write_results(page: Path, results: list[dict]) -> None:
    begin, end = "<!-- results: written by train.py -->", "<!-- end of results -->"
    before, rest = page.read_text().split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n\n{results_table(results)}\n\n{end}{after}")


if __name__ == "__main__":
    main()
