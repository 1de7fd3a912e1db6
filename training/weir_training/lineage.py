"""Where a model comes from: enough to make it again, and to tell that it was not changed.

In: a job. Out: hashes of the config, the code, the pipeline file, every input file, the features and
the manifest of the replay that made them; versions of the libraries. Nothing is refused.
Invariant: nothing here is a path, a clock or a name of a machine: the same inputs give the same bytes.
"""

from __future__ import annotations

import platform
from importlib.metadata import version

from .manifest import sha256

LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxruntime", "pyarrow", "scikit-learn", "scipy")


def describe_lineage(job: dict) -> dict:
    return {
        "configSha256": job["config"]["hash"],
        "code": job["code"],
        "pipeline": job["pipeline"],
        "histories": [
            {
                "name": name,
                "generator": entry["generator"],
                "inputs": entry["inputs"],
                "featuresSha256": entry["featuresSha256"],
                "replayManifestSha256": entry["replayManifestSha256"],
            }
            for name, entry in job["histories"].items()
        ],
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
    }


def data_sha256(lineage: dict) -> str:
    """Of features and labels of all histories."""
    hashes = [
        hash
        for history in lineage["histories"]
        for hash in (
            history["featuresSha256"],
            *(file["sha256"] for file in history["inputs"]["labels"]),
        )
    ]
    return sha256("\n".join(hashes).encode())
