"""Makes models/bench/1: the model of `npm run bench`, 100 trees of depth 6 over 15 features.

In: nothing but the seed. Out: model.onnx, golden.json, manifest.json; the same bytes each time with
the pinned requirements. The data is synthetic: customers with habits, exact windows, and frauds by
large amounts and multiplied amounts of stolen cards, so that about 1 % of the events score 0.5 or more.
The model serves measurements; its metrics are about the synthetic data and say nothing about cards.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import lightgbm as lgb
import numpy as np

from weir_training.export_onnx import export_booster
from weir_training.manifest import sha256, write_model

SEED = 20260101
DAYS = 31
CUSTOMERS = 5000
TERMINALS = 10000
TREES = 100
DEPTH = 6
THRESHOLDS = {"review": 0.5, "block": 0.9}
WINDOWS = {"1d": 1, "7d": 7, "30d": 30}
TRAINED_SHARE = 0.7
FEATURES = (
    ["amount", "is_weekend", "is_night"]
    + [f"customer_count_{w}" for w in WINDOWS]
    + [f"customer_amount_mean_{w}" for w in WINDOWS]
    + [f"terminal_count_{w}" for w in WINDOWS]
    + [f"terminal_amount_mean_{w}" for w in WINDOWS]
)


def simulate(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Transactions in time order: seconds since a Monday, customer, terminal, cents, is_fraud."""
    per_day = rng.gamma(4.0, 0.5, CUSTOMERS)
    mean_amount = rng.uniform(5, 100, CUSTOMERS)
    counts = rng.poisson(per_day * DAYS)
    customer = np.repeat(np.arange(CUSTOMERS), counts)
    size = len(customer)
    hours = np.clip(rng.normal(13, 5.5, size), 0, 23.999)
    seconds = rng.integers(0, DAYS, size) * 86400 + (hours * 3600).astype(np.int64)
    terminal = rng.integers(0, TERMINALS, size)
    amount = np.abs(rng.normal(mean_amount[customer], mean_amount[customer] / 2)) + 0.5
    stolen_from = np.full(CUSTOMERS, 10**9)
    stolen = rng.choice(CUSTOMERS, CUSTOMERS // 12, replace=False)
    stolen_from[stolen] = rng.integers(0, DAYS * 86400, len(stolen))
    is_stolen = (seconds >= stolen_from[customer]) & (seconds < stolen_from[customer] + 10 * 86400)
    is_multiplied = is_stolen & (rng.random(size) < 0.4)
    amount = np.where(is_multiplied, amount * 5, amount)
    is_fraud = is_multiplied | (amount > 230)
    order = np.argsort(seconds, kind="stable")
    columns = {"seconds": seconds, "customer": customer, "terminal": terminal, "fraud": is_fraud}
    columns["cents"] = np.round(amount * 100).astype(np.int64)
    return {name: column[order] for name, column in columns.items()}


def window_columns(entity: np.ndarray, seconds: np.ndarray, cents: np.ndarray) -> list[np.ndarray]:
    """Counts, then means, over (t - window, t], the event itself included."""
    order = np.lexsort((seconds, entity))
    position = np.arange(len(order))
    sums = np.concatenate([[0], np.cumsum(cents[order])])
    span = (DAYS + max(WINDOWS.values()) + 1) * 86400
    keys = entity[order] * span + seconds[order]
    counts, means = [], []
    for days in WINDOWS.values():
        earliest = np.maximum(seconds[order] - days * 86400, -1)
        first = np.searchsorted(keys, entity[order] * span + earliest, side="right")
        count = np.empty(len(order))
        mean = np.empty(len(order))
        count[order] = position + 1 - first
        mean[order] = (sums[position + 1] - sums[first]) / (position + 1 - first) * 0.01
        counts.append(count)
        means.append(mean)
    return counts + means


def feature_rows(events: dict[str, np.ndarray]) -> np.ndarray:
    seconds, cents = events["seconds"], events["cents"]
    flags = [(seconds // 86400) % 7 >= 5, (seconds // 3600) % 24 <= 6]
    columns = [cents * 0.01, *flags]
    columns += window_columns(events["customer"], seconds, cents)
    columns += window_columns(events["terminal"], seconds, cents)
    return np.column_stack(columns).astype(np.float32)


def train(rows: np.ndarray, labels: np.ndarray) -> lgb.Booster:
    parameters = {
        "objective": "binary",
        "max_depth": DEPTH,
        "num_leaves": 2**DEPTH,
        "min_data_in_leaf": 5,
        "min_sum_hessian_in_leaf": 1e-6,
        "learning_rate": 0.05,
        "use_missing": False,
        "seed": SEED,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,
        "verbose": -1,
    }
    return lgb.train(parameters, lgb.Dataset(rows, labels), TREES)


def main() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parent.parent
    parser.add_argument("--out", type=Path, default=root / "models" / "bench" / "1")
    out = parser.parse_args().out

    events = simulate(np.random.default_rng(SEED))
    rows, labels = feature_rows(events), events["fraud"].astype(np.int8)
    cut = int(len(rows) * TRAINED_SHARE)
    booster = train(rows[:cut], labels[:cut])
    later, later_labels = rows[cut:], labels[cut:]
    scores = booster.predict(later)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    logistic_scores = logistic.fit(rows[:cut], labels[:cut]).predict_proba(later)[:, 1]

    def measures(values: np.ndarray) -> dict:
        return {
            "averagePrecision": float(average_precision_score(later_labels, values)),
            "rocAuc": float(roc_auc_score(later_labels, values)),
        }

    write_model(
        out,
        name="bench",
        version="1",
        created_at="2026-01-01T00:00:00Z",
        graphs=export_booster(booster, later, with_gpu=False, thresholds=(0.5, 0.9)),
        names=FEATURES,
        rows=later,
        scores=scores,
        thresholds=THRESHOLDS,
        training={
            "from": "day 0 of the simulation",
            "to": f"day {events['seconds'][cut] // 86400} of the simulation",
            "rows": cut,
            "frauds": int(labels[:cut].sum()),
            "dataSha256": sha256(rows[:cut].tobytes() + labels[:cut].tobytes()),
            "seed": SEED,
            "code": "training/make_bench_model.py",
        },
        metrics={**measures(scores), "logisticRegression": measures(logistic_scores)},
    )
    print(f"{out}: share >= 0.5 is {np.mean(scores >= 0.5):.4f}, trees {booster.num_trees()}")


if __name__ == "__main__":
    main()
