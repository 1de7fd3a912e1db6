"""Writes models/<name>/<version>/: the graphs, golden.json, parity.json and manifest.json.

In: graphs by role, the reference rows with their scores, and what is known about the training.
Out: a folder that `weir` loads; docs/reference/model-manifest.md describes every field, and
services/models/manifest.ts is the reader that refuses what does not match.
Invariant: the sha-256 of every file is taken from the bytes that were written, and the feature
set's hash is the sha-256 of the names in order, joined by newlines.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

FORMAT = 1
GOLDEN_ROWS = 64
BINS = 10
FILE_NAMES = {
    "cpu": "model.onnx",
    "gpu": "model.gpu.onnx",
    "golden": "golden.json",
    "parity": "parity.json",
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def feature_set(names: list[str]) -> dict:
    return {"names": list(names), "hash": sha256("\n".join(names).encode())}


def histogram(values: np.ndarray, extra_edges: tuple[float, ...] = ()) -> dict:
    """Bins by quantile. Bin i holds edges[i-1] < x <= edges[i]; there is one bin more than edges."""
    values = np.asarray(values, np.float32)
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="lower"))
    edges = np.unique(np.concatenate([edges, np.asarray(extra_edges, np.float32)]))
    # An edge at the largest value would leave the last bin empty for ever.
    edges = edges[edges < values.max()] if len(extra_edges) == 0 else edges
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return {"edges": [float(e) for e in edges], "counts": [int(c) for c in counts]}


def reference(names: list[str], rows: np.ndarray, scores: np.ndarray, thresholds: dict) -> dict:
    """Reference histograms and medians; a median is a value that occurs, so flags stay 0 or 1."""
    features = [
        {
            "name": name,
            **histogram(rows[:, i]),
            "median": float(np.quantile(rows[:, i].astype(np.float32), 0.5, method="lower")),
        }
        for i, name in enumerate(names)
    ]
    return {
        "features": features,
        "score": histogram(scores, (thresholds["review"], thresholds["block"])),
    }


def choose_golden(rows: np.ndarray, scores: np.ndarray, count: int = GOLDEN_ROWS) -> dict:
    """Half spread evenly over the scores' ranks, half ever denser towards the highest scores.

    Frauds are rare: even ranks alone would hardly reach the review and block bands.
    """
    order = np.argsort(-scores, kind="stable")
    evenly = np.linspace(0, len(order) - 1, count // 2)
    to_the_top = np.geomspace(1, len(order), count - count // 2) - 1
    chosen = order[np.concatenate([evenly, to_the_top]).astype(int)]
    return scored_rows(rows[chosen], scores[chosen])


def scored_rows(rows: np.ndarray, scores: np.ndarray) -> dict:
    """Rows with the trainer's scores, as golden.json and parity.json have them."""
    return {
        "vectors": [[float(x) for x in row] for row in rows.astype(np.float32)],
        "scores": [float(s) for s in scores],
    }


def write_model(
    folder: Path,
    *,
    name: str,
    version: str,
    created_at: str,
    graphs: dict[str, bytes],
    names: list[str],
    rows: np.ndarray,
    scores: np.ndarray,
    thresholds: dict[str, float],
    training: dict,
    metrics: dict,
    calibration: dict | None = None,
    bias_table: list | None = None,
    input_name: str = "features",
    output_name: str = "score",
    golden: dict | None = None,
    parity: dict | None = None,
) -> dict:
    """Writes the folder and returns the manifest.

    rows [n, F] and scores [n]: the reference sample, scored by the trainer and not by ONNX Runtime,
    so that the golden check at load compares two implementations. parity: more such rows, which
    `weir models validate` scores.
    """
    folder.mkdir(parents=True, exist_ok=True)
    thresholds = {band: thresholds[band] for band in ("review", "block")}
    golden_json = json.dumps(golden or choose_golden(rows, scores)).encode() + b"\n"
    contents = {**graphs, "golden": golden_json}
    if parity is not None:
        contents["parity"] = json.dumps(parity).encode() + b"\n"
    files = {}
    for role, content in contents.items():
        (folder / FILE_NAMES[role]).write_bytes(content)
        files[role] = {"path": FILE_NAMES[role], "sha256": sha256(content)}
    manifest = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "createdAt": created_at,
        "files": files,
        "featureSet": feature_set(names),
        "input": input_name,
        "output": output_name,
        "thresholds": thresholds,
        "calibration": calibration or {"method": "none"},
        "reference": reference(names, rows, scores, thresholds),
        "training": training,
        "metrics": metrics,
        "biasTable": bias_table or [],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest
