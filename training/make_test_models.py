"""Makes test/fixtures/models: models of a few KB, so that the tests need no Python.

In: nothing but the seed. Out, each as <name>/1/ with manifest.json and golden.json:
  trees       16 small trees, as TreeEnsemble (cpu) and as tensors (gpu)
  challenger  the same task with other trees, cpu only
  network     a network of one hidden layer, the same graph for cpu and gpu
  pair        output [n, 2] of which the second column counts
  unbounded   gives its first feature back: scores outside [0, 1] on demand
  lopsided    a manifest whose gpu graph is the TreeEnsemble: no GPU can execute it
  endless     loads like any other, and its first run never ends
  shifted     trees that count four times as many events of a customer as there are
  slow        trees after some milliseconds of adding zero
"""

from __future__ import annotations

from pathlib import Path

import lightgbm as lgb
import numpy as np
from onnx import ModelProto, TensorProto, helper, load_model_from_string, numpy_helper

from weir_training.export_onnx import INPUT, OUTPUT, export_booster, make_model
from weir_training.manifest import sha256, write_model

SEED = 7
ROWS = 4000
FEATURES = ["amount", "is_night", "customer_count_1d", "customer_amount_mean_7d"]
THRESHOLDS = {"review": 0.5, "block": 0.9}
FOLDER = Path(__file__).resolve().parent.parent / "test" / "fixtures" / "models"


def simulate() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    mean = rng.gamma(3, 20, ROWS)
    is_stolen = rng.random(ROWS) < 0.1
    amount = mean * rng.uniform(0.5, 1.5, ROWS) * np.where(is_stolen, 5, 1)
    is_night, count = rng.random(ROWS) < 0.2, rng.poisson(2, ROWS) + 4 * is_stolen + 1
    rows = np.column_stack([amount, is_night, count, mean]).astype(np.float32)
    return rows, is_stolen.astype(np.int8)


def train(rows: np.ndarray, labels: np.ndarray, seed: int) -> lgb.Booster:
    parameters = {"objective": "binary", "num_leaves": 8, "learning_rate": 0.3, "seed": seed}
    parameters |= {"use_missing": False, "deterministic": True, "verbose": -1, "num_threads": 1}
    parameters |= {"feature_fraction": 0.75, "force_row_wise": True}
    return lgb.train(parameters, lgb.Dataset(rows, labels), 16)


def network(rows: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Random weights, scored here in double precision: the golden check needs no training."""
    rng = np.random.default_rng(SEED)
    scale = (1 / rows.std(axis=0)).astype(np.float32)
    first = (rng.normal(0, 1, (4, 8)) * scale[:, None]).astype(np.float32)
    second = rng.normal(0, 1, (8, 1)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", [INPUT, "first"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "second"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], [OUTPUT]),
    ]
    model = make_model("network", nodes, {"first": first, "second": second}, 4)
    margin = np.maximum(rows.astype(np.float64) @ first, 0) @ second
    return model.SerializeToString(deterministic=True), (1 / (1 + np.exp(-margin))).reshape(-1)


def first_feature(columns: int) -> bytes:
    """Gives feature 0 back, as [n, 1] or beside its complement as [n, 2]."""
    constants = {"one": np.array([1], np.float32), "first": np.array([0], np.int64)}
    last = OUTPUT if columns == 1 else "value"
    nodes = [helper.make_node("Gather", [INPUT, "first"], [last], axis=1)]
    if columns == 2:
        nodes.append(helper.make_node("Sub", ["one", "value"], ["rest"]))
        nodes.append(helper.make_node("Concat", ["rest", "value"], [OUTPUT], axis=1))
    model = make_model("first_feature", nodes, constants, 4)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = columns
    return model.SerializeToString(deterministic=True)


def add_zero():
    """One turn of a loop that ends when its turns are over."""
    value = helper.make_tensor_value_info
    return helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["goes_on_again"]),
            helper.make_node("Add", ["before", "zero"], ["after"]),
        ],
        "turn",
        [
            value("turn", TensorProto.INT64, []),
            value("goes_on", TensorProto.BOOL, []),
            value("before", TensorProto.FLOAT, None),
        ],
        [value("goes_on_again", TensorProto.BOOL, []), value("after", TensorProto.FLOAT, None)],
    )


def endless() -> bytes:
    """Adds zero to feature 0 more often than anybody can wait for."""
    constants = {
        "turns": np.array(2**62, np.int64),
        "yes": np.array(True),
        "zero": np.array([0], np.float32),
        "first": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("Gather", [INPUT, "first"], ["start"], axis=1),
        helper.make_node("Loop", ["turns", "yes", "start"], [OUTPUT], body=add_zero()),
    ]
    model = make_model("endless", nodes, constants, 4)
    return model.SerializeToString(deterministic=True)


def shifted(trees: bytes, factors: np.ndarray) -> bytes:
    """Every feature times its factor, then the trees."""
    node = helper.make_node("Mul", [INPUT, "factors"], ["prepared"])
    return prepend(trees, node, {"factors": factors})


def slow(trees: bytes, turns: int) -> bytes:
    """Adds zero to all features so many times, then the trees."""
    node = helper.make_node("Loop", ["turns", "yes", INPUT], ["prepared"], body=add_zero())
    constants = {
        "turns": np.array(turns, np.int64),
        "yes": np.array(True),
        "zero": np.array([0], np.float32),
    }
    return prepend(trees, node, constants)


def prepend(graph: bytes, node, constants: dict[str, np.ndarray]) -> bytes:
    """The node's output `prepared` takes the place of the graph's input."""
    model: ModelProto = load_model_from_string(graph)
    for other in model.graph.node:
        for index, name in enumerate(other.input):
            if name == INPUT:
                other.input[index] = "prepared"
    model.graph.node.insert(0, node)
    for name, values in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model.SerializeToString(deterministic=True)


def write(name: str, graphs: dict[str, bytes], rows: np.ndarray, scores: np.ndarray) -> None:
    measures = {"averagePrecision": 0.0, "rocAuc": 0.0}
    write_model(
        FOLDER / name / "1",
        name=name,
        version="1",
        created_at="2026-01-01T00:00:00Z",
        graphs=graphs,
        names=FEATURES,
        rows=rows,
        scores=scores,
        thresholds=THRESHOLDS,
        training={
            "from": "none",
            "to": "none",
            "rows": len(rows),
            "frauds": 0,
            "dataSha256": sha256(rows.tobytes()),
            "seed": SEED,
            "code": "training/make_test_models.py",
        },
        metrics={**measures, "logisticRegression": measures},
    )


def main() -> None:
    rows, labels = simulate()
    booster, other = train(rows, labels, SEED), train(rows, labels, SEED + 1)
    trees = export_booster(booster, rows, with_gpu=True)
    write("trees", trees, rows, booster.predict(rows))
    write("lopsided", {**trees, "gpu": trees["cpu"]}, rows, booster.predict(rows))
    write("challenger", export_booster(other, rows, with_gpu=False), rows, other.predict(rows))
    graph, scores = network(rows)
    write("network", {"cpu": graph, "gpu": graph}, rows, scores)
    shares = rows.copy()
    shares[:, 0] = np.linspace(0, 1, ROWS, dtype=np.float32)
    write("pair", {"cpu": first_feature(2)}, shares, shares[:, 0].astype(np.float64))
    write("endless", {"cpu": endless()}, shares, shares[:, 0].astype(np.float64))
    factors = np.array([1, 1, 4, 1], np.float32)
    write("shifted", {"cpu": shifted(trees["cpu"], factors)}, rows, booster.predict(rows * factors))
    write("slow", {"cpu": slow(trees["cpu"], 4000)}, rows, booster.predict(rows))
    write("unbounded", {"cpu": first_feature(1)}, shares, shares[:, 0].astype(np.float64))


if __name__ == "__main__":
    main()
