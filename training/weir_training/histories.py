"""Features of a history, and what was known of its verdicts at a moment.

In: features.parquet of `weir replay --features-only`, labels.parquet (transactionId, isFraud,
labelTime), and the ranges of time that are wanted.
Out: a History of those rows: float32 vectors, event times, and verdicts as of a moment.
Refused: features that are not the pipeline's, which would shift every column of the model; a range
without rows.
Invariants: a verdict is used only where its label time is not after the moment asked for; of several
labels the latest by then says. The column isFraud, which knows all labels, is never read. Where
labels name frauds alone, a transaction without one counts as genuine, as it does in practice;
otherwise it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

OTHER_COLUMNS = ("transactionId", "eventTime", "isFraud")
UNKNOWN, GENUINE, FRAUD = -1, 0, 1


@dataclass
class Labels:
    """In the order of label time: the row of the transaction, its verdict, when it was known."""

    rows: np.ndarray
    frauds: np.ndarray
    times: np.ndarray
    names_frauds_alone: bool


@dataclass
class History:
    name: str
    rows: np.ndarray
    times: np.ndarray
    labels: Labels

    def verdicts(self, known_by_ms: float) -> np.ndarray:
        """FRAUD, GENUINE or UNKNOWN of every row, as the labels said at that moment."""
        known = self.labels.times <= known_by_ms
        unlabelled = GENUINE if self.labels.names_frauds_alone else UNKNOWN
        verdicts = np.full(len(self.times), unlabelled, np.int8)
        # Of several values for one place numpy keeps the last.
        verdicts[self.labels.rows[known]] = self.labels.frauds[known]
        return verdicts

    def sample(self, wanted: dict, known_by_ms: float = np.inf) -> Sample:
        """The rows of a range of event times whose verdict counts at that moment."""
        is_inside = (self.times >= wanted["fromMs"]) & (self.times < wanted["toMs"])
        verdicts = self.verdicts(known_by_ms)
        chosen = np.flatnonzero(is_inside & (verdicts != UNKNOWN))
        sample = Sample(describe(wanted), self.rows[chosen], verdicts[chosen])
        if sample.frauds in (0, len(chosen)):
            raise ValueError(
                f"{sample.what}: found {len(chosen)} rows with {sample.frauds} frauds, "
                "expected some of either kind"
            )
        return sample


@dataclass
class Sample:
    what: str
    rows: np.ndarray
    verdicts: np.ndarray

    @property
    def frauds(self) -> int:
        return int(self.verdicts.sum())


def describe(wanted: dict) -> str:
    midnight = "T00:00:00Z"
    first, last = (time_text(wanted[end]).removesuffix(midnight) for end in ("fromMs", "toMs"))
    return f"{wanted['history']}, {first} to {last}"


def time_text(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, tz=timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_history(
    name: str, features: Path, labels: Path, *, names: list[str], ranges: list[dict]
) -> History:
    """Only the rows that some range wants are kept."""
    file = pq.ParquetFile(features)
    found = [column for column in file.schema_arrow.names if column not in OTHER_COLUMNS]
    if found != names:
        raise ValueError(f"{features}: columns are {found}, the pipeline has {names}")
    parts = [
        _wanted_rows(file.read_row_group(group, columns=["transactionId", "eventTime", *names]), ranges)
        for group in range(file.num_row_groups)
    ]
    table = pa.concat_tables(parts)
    return History(
        name=name,
        rows=np.column_stack([table[column].to_numpy() for column in names]).astype(np.float32),
        times=pc.cast(table["eventTime"], "int64").to_numpy(),
        labels=_read_labels(labels, table["transactionId"].combine_chunks()),
    )


def _wanted_rows(table: pa.Table, ranges: list[dict]) -> pa.Table:
    times = pc.cast(table["eventTime"], "int64").to_numpy()
    wanted = np.zeros(len(times), bool)
    for entry in ranges:
        wanted |= (times >= entry["fromMs"]) & (times < entry["toMs"])
    return table.filter(pa.array(wanted))


def _read_labels(path: Path, transactions: pa.Array) -> Labels:
    table = pq.read_table(path, columns=["transactionId", "isFraud", "labelTime"])
    rows = pc.index_in(table["transactionId"].combine_chunks(), value_set=transactions)
    is_here = pc.is_valid(rows).to_numpy(zero_copy_only=False)
    all_frauds = table["isFraud"].to_numpy()
    times = pc.cast(table["labelTime"], "int64").to_numpy()[is_here]
    order = np.argsort(times, kind="stable")
    return Labels(
        rows=rows.drop_null().to_numpy()[order],
        frauds=all_frauds[is_here][order].astype(np.int8),
        times=times[order],
        names_frauds_alone=bool(len(all_frauds) > 0 and all_frauds.all()),
    )
