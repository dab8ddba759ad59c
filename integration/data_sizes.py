# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes that depend on data: detectors with their tails, and the operators that choose, from ONNX to the binary.

A detector (int8 backbone, boxes and scores, NonMaxSuppression, GatherND, outputs of as many rows as boxes were found) and
small graphs of each operator, at inputs that find nothing, everything, ties and NaN. Results are compared with ONNX
Runtime (those of int8 models: the tail on the model's own boxes and scores) and with the interpreter, bit for bit;
one instance runs all inputs one after the other.
"""

import argparse
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper

from evaluation import peers
from evaluation.tools import Tools
from integration.dynamic_graphs import Graph

I64 = np.int64


class Case:
    """A model, its feeds, and flags for the compiler."""

    def __init__(self, name, model, feeds, flags=()):
        self.name, self.model, self.feeds, self.flags = name, model, feeds, flags


def model_of(g, name, inputs, outputs):
    kinds = {np.float32: TensorProto.FLOAT, np.int64: TensorProto.INT64, np.bool_: TensorProto.BOOL}
    return g.model(name, [(n, kinds[k], s) for n, k, s in inputs], [(n, kinds[k], s) for n, k, s in outputs])


def boxes_of(rng, images, count):
    """Corners of boxes that crowd, some with their corners swapped."""
    low = rng.integers(0, 30, (images, count, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + rng.integers(1, 20, (images, count, 2))], -1).astype(np.float32)
    swapped = rng.random((images, count)) < 0.3
    boxes[swapped] = boxes[swapped][:, [2, 3, 0, 1]]
    return boxes


def suppression(rng, centers, most, overlap, threshold):
    g = Graph(rng)
    inputs = ["boxes", "scores", g.constant(np.array([most], I64))]
    inputs.append(g.constant(np.array([overlap], np.float32)))
    if threshold is not None:
        inputs.append(g.constant(np.array([threshold], np.float32)))
    g.op("NonMaxSuppression", *inputs, name="y", center_point_box=centers)
    model = model_of(
        g, "nms", [("boxes", np.float32, ["n", "m", 4]), ("scores", np.float32, ["n", 3, "m"])], [("y", np.int64, ["k", 3])]
    )
    feeds = []
    for images, count in ((1, 1), (1, 40), (2, 17)):
        for low, high in ((0, 1), (2, 3), (-2, -1)):
            scores = rng.uniform(low, high, (images, 3, count)).astype(np.float32)
            scores[rng.random(scores.shape) < 0.4] = scores[0, 0, 0]  # ties
            if threshold is not None:
                scores[rng.random(scores.shape) < 0.1] = np.nan
            boxes = boxes_of(rng, images, count)
            boxes[rng.random(boxes.shape[:2]) < 0.2] = boxes[0, 0]  # the same box again
            feeds.append({"boxes": boxes, "scores": scores})
    return Case(
        f"NonMaxSuppression centers={centers} most={most} overlap={overlap} threshold={threshold}",
        model,
        feeds,
        ["--dim=n=1..4", "--dim=m=1..64"],
    )


def exact_overlap(rng):
    """Intersection over union of exactly 1/3 against that very number: not more, so both stay."""
    g = Graph(rng)
    boxes = np.array([[[0, 0, 2, 2], [0, 1, 2, 3], [5, 5, 5, 9]]], np.float32)
    third = np.float32(2) / np.float32(6)
    g.op("NonMaxSuppression", "boxes", "scores", g.constant(np.array(9, I64)), "overlap", name="y")
    model = model_of(
        g,
        "nms",
        [("boxes", np.float32, [1, 3, 4]), ("scores", np.float32, [1, 1, 3]), ("overlap", np.float32, [])],
        [("y", np.int64, ["k", 3])],
    )
    scores = np.array([[[0.5, 0.7, 0.5]]], np.float32)
    feeds = [
        {"boxes": boxes, "scores": scores, "overlap": np.asarray(o, np.float32)}
        for o in (third, np.nextafter(third, np.float32(0)), 0, 1)
    ]
    return Case("NonMaxSuppression at the very overlap", model, feeds)


def asked_at_run_time(rng):
    """The number of boxes, the overlap and the threshold are inputs of the model."""
    g = Graph(rng)
    g.op("NonMaxSuppression", "boxes", "scores", "most", "overlap", "threshold", name="y")
    model = model_of(
        g,
        "nms",
        [
            ("boxes", np.float32, [1, 20, 4]),
            ("scores", np.float32, [1, 2, 20]),
            ("most", np.int64, [1]),
            ("overlap", np.float32, [1]),
            ("threshold", np.float32, [1]),
        ],
        [("y", np.int64, ["k", 3])],
    )
    feeds = [
        {
            "boxes": boxes_of(rng, 1, 20),
            "scores": rng.random((1, 2, 20), np.float32),
            "most": np.array([most], I64),
            "overlap": np.array([0.4], np.float32),
            "threshold": np.array([0.3], np.float32),
        }
        for most in (0, 3, 100)
    ]
    return Case("NonMaxSuppression asked at run time", model, feeds)


def chosen(rng):
    """What reads a result of unknown size: Gather, element-wise, Concat, Slice, Shape, TopK, reductions, softmax."""
    g = Graph(rng)
    places = g.op("NonZero", g.op("Greater", "x", g.constant(np.float32(0))))
    rows = g.op("Transpose", places, name="rows", perm=[1, 0])
    values = g.op("GatherND", "x", rows, name="values")
    columns = g.op(
        "Squeeze",
        g.op("Slice", places, g.constant(np.array([1])), g.constant(np.array([2])), g.constant(np.array([0]))),
        g.constant(np.array([0])),
    )
    weight = g.op("Gather", "table", columns, axis=0)
    both = g.op("Concat", weight, g.op("Unsqueeze", values, g.constant(np.array([1]))), axis=1, name="both")
    g.op("Add", both, g.constant(np.float32(1)), name="shifted")
    g.op("MatMul", both, g.weight(4, 5), name="product")
    g.op("Softmax", values, name="share", axis=0)
    g.op("ReduceSum", both, g.constant(np.array([0])), name="sum", keepdims=0)
    g.op("Slice", values, g.constant(np.array([1])), g.constant(np.array([2**31])), name="rest")
    g.op("Shape", both, name="shape")
    g.op("Expand", g.constant(np.float32(7)), g.op("Shape", values), name="sevens")
    most = g.op("Min", g.constant(np.array([3])), g.op("Shape", values))
    g.nodes.append(helper.make_node("TopK", [values, most], ["best", "where"], name="best"))
    outputs = [
        ("rows", np.int64, ["k", 2]),
        ("values", np.float32, ["k"]),
        ("both", np.float32, ["k", 4]),
        ("shifted", np.float32, ["k", 4]),
        ("product", np.float32, ["k", 5]),
        ("share", np.float32, ["k"]),
        ("sum", np.float32, [4]),
        ("rest", np.float32, ["r"]),
        ("shape", np.int64, [2]),
        ("sevens", np.float32, ["k"]),
        ("best", np.float32, ["t"]),
        ("where", np.int64, ["t"]),
    ]
    model = model_of(g, "chosen", [("x", np.float32, ["n", 6]), ("table", np.float32, [6, 3])], outputs)
    feeds = [
        {"x": (rng.standard_normal((n, 6)) + shift).astype(np.float32), "table": rng.random((6, 3), np.float32)}
        for n, shift in ((4, 0), (1, -9), (9, 9), (4, 0), (2, -1))
    ]
    return Case("NonZero and what follows", model, feeds, ["--dim=n=1..16"])


def compressed(rng):
    g = Graph(rng)
    g.op("Compress", "x", "which", name="y", axis=1)
    g.op("Compress", "x", "all", name="z")
    model = model_of(
        g,
        "compress",
        [("x", np.float32, [3, 8]), ("which", np.bool_, [6]), ("all", np.bool_, [24])],
        [("y", np.float32, [3, "k"]), ("z", np.float32, ["l"])],
    )
    feeds = [
        {"x": rng.random((3, 8), np.float32), "which": rng.random(6) < p, "all": rng.random(24) < p} for p in (0, 0.5, 1)
    ]
    return Case("Compress", model, feeds)


def unique(rng):
    g = Graph(rng)
    cases = [("a", {}), ("b", {"sorted": 0}), ("c", {"axis": 0}), ("d", {"axis": 1, "sorted": 0})]
    outputs = []
    for name, attributes in cases:
        ends = [f"{name}{i}" for i in range(4)]
        g.nodes.append(helper.make_node("Unique", ["x"], ends, name=name, **attributes))
        rank = 2 if "axis" in attributes else 1
        outputs.append((ends[0], np.float32, [f"{name}s{i}" for i in range(rank)]))
        outputs += [(end, np.int64, [f"{end}s"]) for end in ends[1:]]
    model = model_of(g, "unique", [("x", np.float32, [4, 3])], outputs)
    feeds = [{"x": rng.integers(0, high, (4, 3)).astype(np.float32)} for high in (1, 2, 4, 100)]
    return Case("Unique", model, feeds)


def gathering_loop(rng):
    """A loop that gathers what its body makes, as often as an input says, or until its body ends it."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Add", ["v", "x"], ["w"]),
            helper.make_node("Mul", ["w", "w"], ["t"]),
            helper.make_node("ReduceSum", ["w"], ["s"], keepdims=0),
            helper.make_node("Less", ["s", "limit"], ["more"]),
        ],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("v", TensorProto.FLOAT, [2])],
        [value("more", TensorProto.BOOL, []), value("w", TensorProto.FLOAT, [2]), value("t", TensorProto.FLOAT, [2])],
    )
    steady = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["more"]),
            helper.make_node("Cast", ["i"], ["j"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["x", "j"], ["t"]),
        ],
        "steady",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, [])],
        [value("more", TensorProto.BOOL, []), value("t", TensorProto.FLOAT, [2])],
    )
    g = Graph(rng)
    g.nodes.append(helper.make_node("Loop", ["any", "", "x"], ["end", "all"], name="ends", body=body))
    g.nodes.append(helper.make_node("Loop", ["most", ""], ["scaled"], name="counts", body=steady))
    model = model_of(
        g,
        "loop",
        [("x", np.float32, [2]), ("limit", np.float32, []), ("most", np.int64, []), ("any", np.int64, [])],
        [("end", np.float32, [2]), ("all", np.float32, ["k", 2]), ("scaled", np.float32, ["l", 2])],
    )
    bounds = ((100, 5), (10, 9), (-1, 3), (100, 0), (1e9, 1000))
    feeds = [
        {
            "x": np.array([1, 2], np.float32),
            "limit": np.asarray(limit, np.float32),
            "most": np.asarray(most, I64),
            "any": np.asarray(limitless, I64),
        }
        for limit, most, limitless in (*((limit, n, n) for limit, n in bounds), (10, 1, 2**63 - 1))
    ]
    return Case("Loop that gathers", model, feeds)


def detector(rng, images=1):
    """A small backbone with a box and a score head, and the tail that torchvision's export has."""
    g = Graph(rng)
    x = "image"
    for before, after in ((3, 16), (16, 32)):
        x = g.op("Conv", x, g.weight(after, before, 3, 3), g.weight(after), pads=[1] * 4, strides=[2, 2])
        x = g.op("Relu", x)
    cells = 8 * 8

    def head(width, name):
        y = g.op("Conv", x, g.weight(width, 32, 1, 1), g.weight(width))
        return g.op("Reshape", y, g.constant(np.array([images, width, cells])), name=name)

    corners = g.op("Transpose", head(4, "raw"), perm=[0, 2, 1])
    at, size = g.op("Split", corners, axis=2, name="at"), "size"
    g.nodes[-1].output.append(size)
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(1, cells, 2).astype(np.float32)
    center = g.op("Add", at, g.constant(grid))
    half = g.op("Mul", g.op("Exp", g.op("Tanh", size)), g.constant(np.float32(0.9)))
    g.op("Concat", g.op("Sub", center, half), g.op("Add", center, half), axis=2, name="boxes")
    g.op("Sigmoid", head(5, "logits"), name="scores")
    found = g.op(
        "NonMaxSuppression",
        "boxes",
        "scores",
        g.constant(np.array([20])),
        g.constant(np.array([0.5], np.float32)),
        g.constant(np.array([0.6], np.float32)),
        name="found",
    )
    g.op("GatherND", "scores", found, name="score")
    columns = g.op("Gather", found, g.constant(np.array([0, 2])), axis=1)
    g.op("GatherND", "boxes", columns, name="box")
    g.op("Gather", found, g.constant(np.array(1)), axis=1, name="label")
    model = model_of(
        g,
        "detector",
        [("image", np.float32, [images, 3, 32, 32])],
        [
            ("boxes", np.float32, [images, cells, 4]),
            ("scores", np.float32, [images, 5, cells]),
            ("found", np.int64, ["k", 3]),
            ("score", np.float32, ["k"]),
            ("box", np.float32, ["k", 4]),
            ("label", np.int64, ["k"]),
        ],
    )
    feeds = [{"image": (rng.standard_normal((images, 3, 32, 32)) * scale).astype(np.float32)} for scale in (1, 0, 3, 1)]
    return Case("detector", model, feeds)


def tail_of(model):
    """The nodes behind boxes and scores, which become inputs."""
    kept, known = [], {"boxes", "scores"}
    inits = {init.name for init in model.graph.initializer}
    for node in model.graph.node:
        if node.output[0] not in known and all(i in known or i in inits for i in node.input):
            kept.append(node)
            known.update(node.output)
    inputs = [o for o in model.graph.output if o.name in ("boxes", "scores")]
    outputs = [o for o in model.graph.output if o.name not in ("boxes", "scores")]
    graph = helper.make_graph(kept, "tail", inputs, outputs, model.graph.initializer)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def differences(where, got, want, exact=False):
    for name, truth in want.items():
        y = got[name]
        if y.shape != truth.shape or y.dtype != truth.dtype:
            yield f"{where} {name}: {y.dtype}{list(y.shape)}, not {truth.dtype}{list(truth.shape)}"
        elif not np.allclose(y, truth, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-6, equal_nan=True):
            yield f"{where} {name}: {y.reshape(-1)[:8]}, not {truth.reshape(-1)[:8]}"


def interpreted(tools, program, names, feeds, flags):
    folder, data = tools.path("out"), tools.path("in.npz")
    np.savez(data, **feeds)
    tools.run("q-run", "--interpret", program, "--input", data, "--output-dir", folder, *flags)
    return {name: np.load(os.path.join(folder, f"{name}.npy")) for name in names}


def truth_of(session, feeds):
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def check(tools, case, index):
    from qdialect import Model

    path, problems = tools.path(f"{index}.onnx"), []
    onnx.save(case.model, path)
    session = peers.session(path, optimize=False)
    library = tools.compile(path, tools.path(f"{index}.so"), "--recipe=float", *case.flags)
    with Model(library, threads=2) as model:
        for number, feeds in enumerate(case.feeds):
            got = model.run(**feeds)
            problems += differences(f"input {number}", got, truth_of(session, feeds))
            if number < 2:
                wanted = interpreted(tools, path, got, feeds, case.flags)
                problems += differences(f"input {number} interpreted", got, wanted)
    return problems


def check_detector(tools, rng, images, recipe):
    """The tail on the boxes and scores that the model itself made."""
    from qdialect import Model

    case, problems = detector(rng, images), []
    path, tail, samples = tools.path("d.onnx"), tools.path("tail.onnx"), tools.path(f"samples-{recipe}")
    onnx.save(case.model, path)
    onnx.save(tail_of(case.model), tail)
    session = peers.session(tail, optimize=False)
    os.makedirs(samples, exist_ok=True)
    for i in range(8):
        image = rng.standard_normal((images, 3, 32, 32)).astype(np.float32)
        np.savez(os.path.join(samples, f"{i}.npz"), image=image)
    program = path
    if recipe != "float":
        program = tools.compile(
            path, tools.path("d.mlir"), f"--recipe={recipe}", "--calibration", samples, "--stop-after=integerize"
        )
    library = tools.compile(program, tools.path(f"d-{recipe}.so"), *(["--recipe=float"] if recipe == "float" else []))
    counts = []
    with Model(library, threads=2) as model:
        share = model.receipt["totals"]
        if recipe != "float" and share["int_macs"] < 0.95 * share["total_macs"]:
            problems.append(f"only {share['int_macs']} of {share['total_macs']} macs are integer")
        for number, feeds in enumerate(case.feeds):
            got = model.run(**feeds)
            counts.append(len(got["found"]))
            made = {name: got[name] for name in ("boxes", "scores")}
            problems += differences(f"input {number}", got, truth_of(session, made), exact=True)
            if recipe != "float":  # float products may be summed in another order
                problems += differences(f"input {number} interpreted", got, interpreted(tools, program, got, feeds, ()))
    if len(set(counts)) < 2:
        problems.append(f"always {counts[0]} boxes: the test shows nothing")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    tools, rng, failed = Tools(args.build), np.random.default_rng(args.seed), 0
    cases = [
        suppression(rng, 0, 5, 0.5, 0.2),
        suppression(rng, 1, 100, 0.3, None),
        suppression(rng, 0, 0, 0.5, 0.2),
        exact_overlap(rng),
        asked_at_run_time(rng),
        chosen(rng),
        compressed(rng),
        unique(rng),
        gathering_loop(rng),
    ]
    for index, case in enumerate(cases):
        problems = check(tools, case, index)
        failed += bool(problems)
        print(f"{case.name}: {'; '.join(problems[:4]) or 'ok'}", flush=True)
    for images, recipe in ((2, "float"), (1, "w8a8-int")):
        problems = check_detector(tools, rng, images, recipe)
        failed += bool(problems)
        print(f"detector, {recipe}: {'; '.join(problems[:4]) or 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
