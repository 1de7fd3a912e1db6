"""What was known when: verdicts as of a moment."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from weir_training.histories import read_history

DAY = 86_400_000
EVERYTHING = {"history": "h", "fromMs": 0, "toMs": 100 * DAY}


def make_history(labels: list[tuple[str, bool, int]], ranges=None):
    """Ten transactions, one a day, whose feature is their number; labels as (id, verdict, time)."""
    folder = Path(tempfile.mkdtemp())
    table = pa.table(
        {
            "transactionId": [f"t{i}" for i in range(10)],
            "eventTime": pa.array([i * DAY for i in range(10)], pa.timestamp("ms", "UTC")),
            "number": pa.array(range(10), pa.float32()),
            # Knows better than anybody could: it must not be read.
            "isFraud": [True] * 10,
        }
    )
    pq.write_table(table, folder / "features.parquet", row_group_size=3)
    ids, frauds, times = zip(*labels, strict=True)
    pq.write_table(
        pa.table(
            {
                "transactionId": list(ids),
                "isFraud": list(frauds),
                "labelTime": pa.array(times, pa.timestamp("ms", "UTC")),
            }
        ),
        folder / "labels.parquet",
    )
    return read_history(
        "h",
        folder / "features.parquet",
        folder / "labels.parquet",
        names=["number"],
        ranges=ranges or [EVERYTHING],
    )


class Histories(unittest.TestCase):
    def test_a_label_counts_from_its_time_on(self):
        history = make_history([("t1", True, 5 * DAY), ("t2", False, 5 * DAY)])
        self.assertEqual(history.verdicts(5 * DAY - 1).tolist(), [-1] * 10)
        self.assertEqual(history.verdicts(5 * DAY).tolist()[:4], [-1, 1, 0, -1])

    def test_of_several_labels_the_latest_by_then_says(self):
        history = make_history(
            [("t1", False, 7 * DAY), ("t1", True, 5 * DAY), ("t0", False, 1), ("t0", True, 2)]
        )
        self.assertEqual(history.verdicts(6 * DAY)[1], 1)
        self.assertEqual(history.verdicts(7 * DAY)[1], 0)
        self.assertEqual(history.verdicts(2)[0], 1)

    def test_without_a_label_a_row_is_genuine_where_labels_name_frauds_alone(self):
        history = make_history([("t1", True, 5 * DAY)])
        self.assertEqual(history.verdicts(6 * DAY).tolist(), [0, 1] + [0] * 8)

    def test_otherwise_it_is_left_out(self):
        history = make_history([("t1", True, 5 * DAY), ("t2", False, 5 * DAY)])
        sample = history.sample(EVERYTHING)
        self.assertEqual(sample.rows[:, 0].tolist(), [1, 2])
        self.assertEqual(sample.verdicts.tolist(), [1, 0])

    def test_a_range_takes_from_and_not_to(self):
        history = make_history([("t2", True, 0), ("t4", True, 0)])
        wanted = {"history": "h", "fromMs": 2 * DAY, "toMs": 4 * DAY}
        self.assertEqual(history.sample(wanted).rows[:, 0].tolist(), [2, 3])

    def test_labels_find_their_rows_when_only_a_range_is_read(self):
        wanted = {"history": "h", "fromMs": 4 * DAY, "toMs": 9 * DAY}
        history = make_history([("t1", True, 0), ("t5", True, 1), ("nobody", True, 2)], [wanted])
        self.assertEqual(len(history.times), 5)
        self.assertEqual(history.sample(wanted).verdicts.tolist(), [0, 1, 0, 0, 0])

    def test_a_range_without_frauds_is_refused_with_its_name(self):
        history = make_history([("t1", True, 5 * DAY)])
        with self.assertRaisesRegex(ValueError, "h, 1970-01-01 to .* 10 rows with 0 frauds"):
            history.sample(EVERYTHING, 4 * DAY)

    def test_other_columns_than_the_pipelines_are_refused(self):
        history = make_history([("t1", True, 0)])
        self.assertEqual(history.rows.dtype, np.float32)
        folder = Path(tempfile.mkdtemp())
        pq.write_table(pa.table({"transactionId": ["a"], "x": [1.0]}), folder / "f.parquet")
        with self.assertRaisesRegex(ValueError, "columns are .'x'., the pipeline has .'y'."):
            read_history("h", folder / "f.parquet", folder, names=["y"], ranges=[EVERYTHING])


if __name__ == "__main__":
    unittest.main()
