"""Reads what `weir replay --features-only` wrote, with the labels that were known at a moment.

In: a run folder (features.parquet, manifest.json) and the label file beside its transactions.
Out: a History: float32 rows, event times, days since the history's first midnight, verdicts.
Refused: features that differ from the manifest's, which would shift every column of the model.
Invariant: a verdict is used only where its label time lies before the moment asked for. A
transaction without such a label counts as genuine, as it does in practice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

DAY_MS = 86_400_000
OTHER_COLUMNS = ("transactionId", "eventTime", "isFraud")


@dataclass
class History:
    names: list[str]
    rows: np.ndarray
    times: np.ndarray
    days: np.ndarray
    """Label time of the transaction's fraud label; infinite where there is none."""
    fraud_known: np.ndarray
    sha256: str
    pipeline_hash: str

    def between(self, from_day: float, to_day: float) -> np.ndarray:
        return (self.days >= from_day) & (self.days < to_day)

    def frauds(self, known_by_ms: float = np.inf) -> np.ndarray:
        """1 where a label that was known by then says fraud."""
        is_known = np.isfinite(self.fraud_known) & (self.fraud_known <= known_by_ms)
        return is_known.astype(np.int8)

    def time_of_day(self, day: float) -> int:
        """The moment, in ms, at which a day of the history begins."""
        return int(self.times[0] // DAY_MS * DAY_MS + day * DAY_MS)


def read_history(run: Path, label_file: Path) -> History:
    manifest = json.loads((run / "manifest.json").read_text())
    table = pq.read_table(run / "features.parquet")
    names = [name for name in table.column_names if name not in OTHER_COLUMNS]
    if names != manifest["features"]:
        raise ValueError(f"{run}: columns are {names}, the manifest has {manifest['features']}")
    times = pc.cast(table["eventTime"], "int64").to_numpy()
    return History(
        names=names,
        rows=np.column_stack([table[name].to_numpy() for name in names]).astype(np.float32),
        times=times,
        days=(times - times[0] // DAY_MS * DAY_MS) / DAY_MS,
        fraud_known=_fraud_label_times(table["transactionId"].to_pylist(), label_file),
        sha256=manifest["outputs"]["features.parquet"]["sha256"],
        pipeline_hash=manifest["pipeline"]["hash"],
    )


def _fraud_label_times(ids: list[str], label_file: Path) -> np.ndarray:
    labels = pq.read_table(label_file, columns=["transactionId", "isFraud", "labelTime"])
    frauds = labels.filter(labels["isFraud"])
    known = dict(
        zip(
            frauds["transactionId"].to_pylist(),
            pc.cast(frauds["labelTime"], "int64").to_pylist(),
            strict=True,
        )
    )
    return np.array([known.get(transaction, np.inf) for transaction in ids], np.float64)
