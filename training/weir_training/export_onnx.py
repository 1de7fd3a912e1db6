"""LightGBM booster in, ONNX graphs out: trees for the CPU, the same trees as tensors for a GPU.

In: a binary LightGBM booster trained on float32 features without categorical splits, and how its
margins become probabilities (calibrate.py).
Out: `tree_graph` holds one TreeEnsembleRegressor, `tensor_graph` the same trees as Gather,
LessOrEqual, MatMul and Equal, because ONNX Runtime has no GPU kernel for tree ensembles; in both
the calibration follows. They take `features` [n, F] float32 and give `score` [n, 1] float32.
Refused: other objectives, categorical splits, averaged output, and zero taken as missing.
Invariant: every graph takes exactly the branches that LightGBM takes on float32 features. LightGBM
compares with doubles and ONNX with float32, so thresholds are rounded down: for a float32 x,
x <= t holds exactly when x <= floor32(t). `check_parity` proves it on given rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import lightgbm as lgb
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .calibrate import Calibration

INPUT = "features"
OUTPUT = "score"
PARITY_MAX = 1e-5
PARITY_ROWS_MIN = 10_000
# The tensors of a graph grow with rows times trees times leaves.
ROWS_AT_A_TIME = 2_000
# IR and opsets that the pinned onnxruntime-node reads, whatever the installed onnx would write.
IR_VERSION = 10
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
# No path through a tree reaches this many left turns: padded leaves never match.
UNREACHABLE = 1000.0


@dataclass
class Tree:
    """One tree in columns; children are node numbers, or ~leaf where they are negative."""

    features: list[int] = field(default_factory=list)
    thresholds: list[np.float32] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    missing_goes_left: list[bool] = field(default_factory=list)
    leaf_values: list[float] = field(default_factory=list)


def floor32(threshold: float) -> np.float32:
    """The largest float32 that is not above the threshold."""
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
    if float(rounded) > threshold:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return rounded


def read_trees(booster: lgb.Booster) -> list[Tree]:
    """Reads the booster's trees; the sigmoid's slope is multiplied into the leaves."""
    dump = booster.dump_model()
    objective = dump["objective"].split()
    if objective[0] != "binary":
        raise ValueError(f"objective is {objective[0]}, expected binary")
    if dump.get("average_output"):
        raise ValueError("averaged output (random forest mode) is not exported")
    slope = next((float(o.split(":")[1]) for o in objective if o.startswith("sigmoid:")), 1.0)
    return [_read_tree(entry["tree_structure"], slope) for entry in dump["tree_info"]]


def _read_tree(root: dict, slope: float) -> Tree:
    tree = Tree()

    def visit(node: dict) -> int:
        if "leaf_value" in node:
            tree.leaf_values.append(node["leaf_value"] * slope)
            return ~(len(tree.leaf_values) - 1)
        if node["decision_type"] != "<=":
            raise ValueError(f"split {node['decision_type']!r} is not exported, expected '<='")
        if node["missing_type"] == "Zero":
            raise ValueError("zero_as_missing is not exported: zero is a value of Weir's features")
        index = len(tree.features)
        tree.features.append(node["split_feature"])
        tree.thresholds.append(floor32(node["threshold"]))
        is_nan_left = node["default_left"] if node["missing_type"] == "NaN" else False
        tree.missing_goes_left.append(bool(is_nan_left))
        tree.left.append(0)
        tree.right.append(0)
        tree.left[index] = visit(node["left_child"])
        tree.right[index] = visit(node["right_child"])
        return index

    visit(root)
    return tree


def tree_graph(
    trees: list[Tree], feature_count: int, calibration: Calibration = Calibration()
) -> onnx.ModelProto:
    """One TreeEnsembleRegressor, and the way from margin to score.

    The Sigmoid is a node of its own because ONNX Runtime ignores post_transform LOGISTIC on a
    regressor with a single target.
    """
    columns: dict[str, list] = {name: [] for name in _NODE_COLUMNS}
    targets: dict[str, list] = {name: [] for name in _TARGET_COLUMNS}
    for number, tree in enumerate(trees):
        _append_tree(columns, targets, number, tree)
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        ["margin"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        **columns,
        **targets,
    )
    nodes, constants = calibration.nodes("margin", OUTPUT)
    return make_model("trees", [ensemble, *nodes], constants, feature_count)


_NODE_COLUMNS = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
)
_TARGET_COLUMNS = ("target_treeids", "target_nodeids", "target_ids", "target_weights")


def _append_tree(columns: dict, targets: dict, number: int, tree: Tree) -> None:
    inner = len(tree.features)

    def node_id(child: int) -> int:
        return child if child >= 0 else inner + ~child

    def append_node(values: tuple) -> None:
        for name, value in zip(_NODE_COLUMNS, values, strict=True):
            columns[name].append(value)

    for i in range(inner):
        left, right = node_id(tree.left[i]), node_id(tree.right[i])
        threshold, nan_left = float(tree.thresholds[i]), int(tree.missing_goes_left[i])
        append_node((number, i, tree.features[i], threshold, "BRANCH_LEQ", left, right, nan_left))
    for i, value in enumerate(tree.leaf_values):
        append_node((number, inner + i, 0, 0.0, "LEAF", 0, 0, 0))
        for name, entry in zip(_TARGET_COLUMNS, (number, inner + i, 0, float(value)), strict=True):
            targets[name].append(entry)


def tensor_graph(
    trees: list[Tree], feature_count: int, calibration: Calibration = Calibration()
) -> onnx.ModelProto:
    """The same trees as plain tensor operations (the GEMM form of a decision tree).

    A row goes left at node i where x[feature i] <= threshold i. Leaf l is reached exactly when the
    sum over its path of (+1 for a left turn wanted, -1 for a right turn wanted) times "went left"
    equals the number of left turns wanted. Columns are gathered, and leaf values are multiplied and
    summed, instead of using MatMul: reduced-precision matrix units would round features and leaves,
    while they keep the small whole numbers of the path matrix exact.
    """
    inner = max(1, max(len(tree.features) for tree in trees))
    leaves = max(len(tree.leaf_values) for tree in trees)
    count = len(trees)
    features = np.zeros((count, inner), np.int64)
    thresholds = np.zeros((count, inner), np.float32)
    paths = np.zeros((count, inner, leaves), np.int8)
    wanted = np.full((count, 1, leaves), UNREACHABLE, np.float32)
    values = np.zeros((count, 1, leaves), np.float32)
    for number, tree in enumerate(trees):
        size = len(tree.features)
        features[number, :size] = tree.features
        thresholds[number, :size] = tree.thresholds
        values[number, 0, : len(tree.leaf_values)] = tree.leaf_values
        _mark_paths(tree, paths[number], wanted[number, 0])
    constants = {
        "columns": features.reshape(-1),
        "thresholds": thresholds.reshape(1, -1),
        "by_tree": np.array([-1, count, inner], np.int64),
        "paths": paths.astype(np.float32) if paths.size < 4096 else paths,
        "wanted": wanted,
        "leaf_values": values,
        "leaf_axis": np.array([2], np.int64),
        "tree_axis": np.array([0], np.int64),
    }
    nodes, more = calibration.nodes("margin", OUTPUT)
    nodes = [*_tensor_nodes(constants["paths"].dtype), *nodes]
    return make_model("tensors", nodes, {**constants, **more}, feature_count)


def _tensor_nodes(paths_type: np.dtype) -> list[onnx.NodeProto]:
    node = helper.make_node
    # A large path matrix is kept as int8 (a quarter of the file) and folded to float32 at load.
    cast = (
        []
        if paths_type == np.float32
        else [node("Cast", ["paths"], ["paths32"], to=TensorProto.FLOAT)]
    )
    return cast + [
        node("Gather", [INPUT, "columns"], ["compared"], axis=1),
        node("LessOrEqual", ["compared", "thresholds"], ["is_left"]),
        node("Cast", ["is_left"], ["left"], to=TensorProto.FLOAT),
        node("Reshape", ["left", "by_tree"], ["left_by_row"]),
        node("Transpose", ["left_by_row"], ["left_by_tree"], perm=[1, 0, 2]),
        node("MatMul", ["left_by_tree", "paths32" if cast else "paths"], ["turns"]),
        node("Equal", ["turns", "wanted"], ["is_reached"]),
        node("Cast", ["is_reached"], ["reached"], to=TensorProto.FLOAT),
        node("Mul", ["reached", "leaf_values"], ["weighted"]),
        node("ReduceSum", ["weighted", "leaf_axis"], ["by_leaf"], keepdims=1),
        node("ReduceSum", ["by_leaf", "tree_axis"], ["margin"], keepdims=0),
    ]


def _mark_paths(tree: Tree, paths: np.ndarray, wanted: np.ndarray) -> None:
    def visit(child: int, path: list[tuple[int, int]]) -> None:
        if child < 0:
            for node, turn in path:
                paths[node, ~child] = turn
            wanted[~child] = sum(1 for _, turn in path if turn == 1)
            return
        visit(tree.left[child], [*path, (child, 1)])
        visit(tree.right[child], [*path, (child, -1)])

    visit(0 if tree.features else ~0, [])


def make_model(name: str, nodes: list, constants, feature_count: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["rows", feature_count])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(value, key) for key, value in dict(constants).items()],
    )
    model = helper.make_model(
        graph, opset_imports=OPSETS, ir_version=IR_VERSION, producer_name="weir"
    )
    onnx.checker.check_model(model)
    return model


def score_rows(model: onnx.ModelProto, rows: np.ndarray) -> np.ndarray:
    """Scores of a graph under ONNX Runtime on the CPU, [n] float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = rows.astype(np.float32)
    parts = [rows[i : i + ROWS_AT_A_TIME] for i in range(0, len(rows), ROWS_AT_A_TIME)]
    return np.concatenate([session.run([OUTPUT], {INPUT: part})[0].reshape(-1) for part in parts])


def check_parity(
    booster: lgb.Booster,
    models: dict[str, onnx.ModelProto],
    rows: np.ndarray,
    thresholds: tuple[float, ...] = (0.5,),
    calibration: Calibration = Calibration(),
) -> dict[str, float]:
    """The largest difference of each graph from LightGBM; raises above PARITY_MAX.

    Decisions are compared too: a score may cross a threshold only where LightGBM's own score lies
    within PARITY_MAX of it.
    """
    rows = rows.astype(np.float32)
    expected = calibration.apply(booster.predict(rows, raw_score=True))
    differences: dict[str, float] = {}
    for name, model in models.items():
        scores = score_rows(model, rows)
        differences[name] = float(np.abs(scores - expected).max())
        # Not a number is above nothing.
        if not differences[name] <= PARITY_MAX:
            raise ValueError(f"{name}: scores differ by {differences[name]}, allowed {PARITY_MAX}")
        for threshold in thresholds:
            crossed = (scores >= threshold) != (expected >= threshold)
            if np.any(crossed & (np.abs(expected - threshold) > PARITY_MAX)):
                raise ValueError(f"{name}: decisions at {threshold} differ from LightGBM's")
    return differences


def export_booster(
    booster: lgb.Booster,
    rows: np.ndarray,
    *,
    with_gpu: bool,
    thresholds: tuple[float, ...] = (0.5,),
    calibration: Calibration = Calibration(),
) -> dict[str, bytes]:
    """The graphs by manifest role, `cpu` and optionally `gpu`, after the parity check on `rows`."""
    trees = read_trees(booster)
    models = {"cpu": tree_graph(trees, booster.num_feature(), calibration)}
    if with_gpu:
        models["gpu"] = tensor_graph(trees, booster.num_feature(), calibration)
    check_parity(booster, models, rows, thresholds, calibration)
    return {role: model.SerializeToString(deterministic=True) for role, model in models.items()}
