# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shapes and bounds that the program computes: the operators whose results are as large as an input says.

Slice, Reshape, Expand, Tile, ConstantOfShape, Range, Split, Pad, OneHot, TopK and Resize read their bounds from inputs
of the model, at random, negative and too large ones included; what they make goes on into operators that broadcast,
multiply and reduce. The library is compared with ONNX Runtime and with the interpreter; one instance runs all
inputs. Bounds that do not fit are errors that name the node and both numbers.
"""

import argparse
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper

from evaluation.tools import Tools
from integration.data_sizes import Case, check, model_of
from integration.dynamic_graphs import Graph

I64 = np.int64


def ints(*numbers):
    return np.array(numbers, I64)


def several(g, kind, inputs, outputs, **attributes):
    g.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **attributes))


def sliced(rng):
    """Bounds of every kind: only the end, all of it, steps back, axes too; two slices by the same numbers are added."""
    g = Graph(rng)
    g.op("Slice", "x", "starts", "ends", "axes", "steps", name="all")
    g.op("Slice", "x", "starts", "ends", name="plain")
    zero, back = g.constant(ints(0)), g.constant(ints(-1))
    g.op("Slice", "x", zero, "end", zero, name="first")
    g.op("Slice", "x", g.constant(ints(-2)), "end", g.constant(ints(1)), back, name="reversed")
    other = g.op("Relu", g.op("Slice", "x", zero, "end", zero))
    g.op("Add", "first", other, name="sum")
    g.op("MatMul", "first", g.weight(5, 3), name="product")
    outputs = [("all", np.float32, ["a", "b"]), ("plain", np.float32, ["c", "d"]), ("first", np.float32, ["e", 5]),
               ("reversed", np.float32, [7, "f"]), ("sum", np.float32, ["e", 5]), ("product", np.float32, ["e", 3])]
    two = [(name, np.int64, [2]) for name in ("starts", "ends", "axes", "steps")]
    model = model_of(g, "slices", [("x", np.float32, [7, 5]), *two, ("end", np.int64, [1])], outputs)
    wild = [0, 1, 2, 3, -1, -2, -7, 9, 2**62, -(2**62)]
    feeds = [
        {
            "x": rng.standard_normal((7, 5)).astype(np.float32),
            "starts": rng.choice(wild, 2),
            "ends": rng.choice(wild, 2),
            "axes": ints(*rng.permutation([0, -1])),
            "steps": rng.choice([1, 2, 3, -1, -2, 100], 2),
            "end": rng.choice(wild, 1),
        }
        for _ in range(12)
    ]
    return Case("Slice", model, feeds)


def reshaped(rng):
    """A new shape, whole or in parts, with -1 and 0 in it; what has it is multiplied and summed."""
    g = Graph(rng)
    g.op("Reshape", "x", "shape", name="whole")
    rows = g.op("Concat", "rows", g.constant(ints(-1)), axis=0)
    g.op("Reshape", "x", rows, name="cut")
    g.op("Softmax", g.op("Mul", "cut", "cut"), name="soft", axis=-1)
    again = g.op("Concat", "rows", g.constant(ints(-1)), axis=0)
    g.op("Add", "cut", g.op("Reshape", g.op("Neg", "x"), again), name="zero")
    fixed = g.op("Concat", "rows", g.constant(ints(4)), axis=0)
    g.op("Slice", "x", g.constant(ints(0)), "count", g.constant(ints(0)), name="part")
    g.op("Reshape", "part", fixed, name="four")
    g.op("ReduceSum", "four", g.constant(ints(0)), name="sums", keepdims=0)
    outputs = [("whole", np.float32, ["a", "b", "c"]), ("cut", np.float32, ["r", "s"]), ("soft", np.float32, ["r", "s"]),
               ("zero", np.float32, ["r", "s"]), ("four", np.float32, ["r", 4]), ("sums", np.float32, [4])]
    inputs = [("x", np.float32, [12, 2]), ("shape", np.int64, [3]), ("rows", np.int64, [1]), ("count", np.int64, [1])]
    model = model_of(g, "reshapes", inputs, outputs)
    shapes = [(2, 3, 4), (-1, 2, 6), (0, 0, 1), (24, 1, 1), (0, -1, 2), (1, 4, -1)]
    feeds = [
        {"x": rng.random((12, 2), np.float32), "shape": ints(*shape), "rows": ints(rows), "count": ints(2 * rows)}
        for shape, rows in zip(shapes, (1, 2, 3, 4, 6, 2), strict=True)
    ]
    return Case("Reshape", model, feeds)


def repeated(rng):
    """Expand, Tile and ConstantOfShape; the same number twice broadcasts."""
    g = Graph(rng)
    g.op("Expand", "x", "shape", name="wide")
    g.op("Tile", "x", "times", name="tiled")
    g.op("ConstantOfShape", "times", name="ones", value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1.5]))
    both = g.op("Concat", "n", g.constant(ints(3)), axis=0)
    g.op("Expand", "x", both, name="rows")
    g.op("Add", "rows", g.op("ConstantOfShape", both), name="same")
    g.op("MatMul", "rows", g.weight(3, 4), name="product")
    outputs = [("wide", np.float32, ["a", "b", 3]), ("tiled", np.float32, ["c", "d"]), ("ones", np.float32, ["e", "f"]),
               ("rows", np.float32, ["n", 3]), ("same", np.float32, ["n", 3]), ("product", np.float32, ["n", 4])]
    inputs = [("x", np.float32, [1, 3]), ("shape", np.int64, [3]), ("times", np.int64, [2]), ("n", np.int64, [1])]
    model = model_of(g, "repeats", inputs, outputs)
    feeds = [
        {
            "x": rng.random((1, 3), np.float32),
            "shape": ints(*rng.integers(0, 4, 2), rng.choice([1, 3])),
            "times": rng.integers(0, 4, 2),
            "n": rng.integers(0, 9, 1),
        }
        for _ in range(6)
    ]
    return Case("Expand, Tile, ConstantOfShape", model, feeds)


def ranges(rng):
    g = Graph(rng)
    g.op("Range", "start", "limit", "delta", name="whole")
    g.op("Range", "from", "to", "by", name="floats")
    g.op("Range", g.constant(np.array(0, I64)), "limit", g.constant(np.array(1, I64)), name="count")
    g.op("Gather", "table", g.op("Mod", "count", g.constant(np.array(5, I64))), name="rows")
    outputs = [("whole", np.int64, ["a"]), ("floats", np.float32, ["b"]), ("count", np.int64, ["c"]),
               ("rows", np.float32, ["c", 2])]
    inputs = [(name, np.int64, []) for name in ("start", "limit", "delta")]
    inputs += [(name, np.float32, []) for name in ("from", "to", "by")] + [("table", np.float32, [5, 2])]
    model = model_of(g, "ranges", inputs, outputs)
    feeds = [
        {
            "start": np.array(start, I64),
            "limit": np.array(limit, I64),
            "delta": np.array(delta, I64),
            "from": np.array(start / 2, np.float32),
            "to": np.array(limit / 4, np.float32),
            "by": np.array(delta / 8, np.float32),
            "table": rng.random((5, 2), np.float32),
        }
        for start, limit, delta in ((0, 5, 1), (3, 20, 4), (9, -9, -2), (4, 4, 1), (5, 2, 1), (-3, 8, 5))
    ]
    return Case("Range", model, feeds)


def parted(rng):
    g = Graph(rng)
    several(g, "Split", ["x", "parts"], ["a", "b", "c"], axis=1)
    g.op("Concat", "c", "a", axis=1, name="swapped")
    outputs = [(name, np.float32, [2, name]) for name in "abc"] + [("swapped", np.float32, [2, "s"])]
    model = model_of(g, "parts", [("x", np.float32, [2, 6]), ("parts", np.int64, [3])], outputs)
    parts = [(1, 2, 3), (6, 0, 0), (0, 3, 3), (2, 2, 2)]
    return Case("Split", model, [{"x": rng.random((2, 6), np.float32), "parts": ints(*part)} for part in parts])


def padded(rng):
    g = Graph(rng)
    for mode in ("constant", "edge", "reflect"):
        inputs = ["x", "pads", "value"] if mode == "constant" else ["x", "pads"]
        g.op("Pad", *inputs, name=mode, mode=mode)
    outputs = [(mode, np.float32, [f"{mode}{i}" for i in range(2)]) for mode in ("constant", "edge", "reflect")]
    model = model_of(g, "pads", [("x", np.float32, [4, 5]), ("pads", np.int64, [4]), ("value", np.float32, [])], outputs)
    feeds = [
        {"x": rng.random((4, 5), np.float32), "pads": pads, "value": np.array(7, np.float32)}
        for pads in (rng.integers(0, 4, 4), ints(0, 0, 0, 0), ints(-1, 2, -2, 0), rng.integers(-1, 4, 4))
    ]
    return Case("Pad", model, feeds)


def padded_nothing(rng):
    """Rows that may be none: the padding reads none of them."""
    g = Graph(rng)
    rows = g.op("Slice", "x", g.constant(ints(0)), "count", g.constant(ints(0)))
    g.op("Pad", rows, "pads", "value", name="y")
    specs = [("x", np.float32, [4, 3]), ("count", np.int64, [1]), ("pads", np.int64, [4]), ("value", np.float32, [])]
    model = model_of(g, "nothing", specs, [("y", np.float32, ["a", "b"])])
    cases = [(0, (2, 1, 1, 0)), (0, (0, 0, 0, 0)), (1, (-1, 0, 0, 0)), (2, (0, -4, 1, 2)), (4, (1, 0, 2, 0))]
    feeds = [
        {"x": rng.random((4, 3), np.float32), "count": ints(n), "pads": ints(*pads), "value": np.array(7, np.float32)}
        for n, pads in cases
    ]
    return Case("Pad of no rows", model, feeds)


def chosen(rng):
    """OneHot's depth, TopK's k and Resize's sizes."""
    g = Graph(rng)
    g.op("OneHot", "places", "depth", "values", name="hot", axis=1)
    several(g, "TopK", ["x", "k"], ["best", "where"], axis=1)
    g.op("Mul", "best", g.op("Cast", "where", to=TensorProto.FLOAT), name="both")
    sizes = g.op("Concat", g.constant(ints(1, 2)), "image", axis=0)
    for mode in ("nearest", "linear"):
        g.op("Resize", "picture", "", "", sizes, name=mode, mode=mode, coordinate_transformation_mode="asymmetric",
             **({"nearest_mode": "floor"} if mode == "nearest" else {}))
    g.op("Conv", "linear", g.weight(4, 2, 3, 3), g.weight(4), pads=[1] * 4, name="features")
    images = [(name, np.float32, [1, c, "h", "w"]) for name, c in (("nearest", 2), ("linear", 2), ("features", 4))]
    outputs = [("hot", np.float32, [3, "d"]), ("best", np.float32, [2, "k"]), ("where", np.int64, [2, "k"]),
               ("both", np.float32, [2, "k"]), *images]
    inputs = [("places", np.int64, [3]), ("depth", np.int64, [1]), ("values", np.float32, [2]), ("x", np.float32, [2, 9]),
              ("k", np.int64, [1]), ("picture", np.float32, [1, 2, 5, 6]), ("image", np.int64, [2])]
    model = model_of(g, "choices", inputs, outputs)
    feeds = [
        {
            "places": rng.integers(-4, 4, 3),
            "depth": rng.integers(4, 9, 1),
            "values": ints(0, 5).astype(np.float32),
            "x": rng.standard_normal((2, 9)).astype(np.float32),
            "k": ints(k),
            "picture": rng.random((1, 2, 5, 6), np.float32),
            "image": rng.integers(1, 14, 2),
        }
        for k in (0, 1, 5, 9)
    ]
    return Case("OneHot, TopK, Resize", model, feeds)


def of_symbols(rng):
    """Bounds and symbolic sizes together: a mask of `n` rows cut to as many as were found."""
    g = Graph(rng)
    length = g.op("Shape", "x", start=0, end=1)
    half = g.op("Min", "count", length)
    g.op("Slice", "x", g.constant(ints(0)), half, g.constant(ints(0)), name="kept")
    left = g.op("Concat", g.op("Sub", length, half), g.constant(ints(4)), axis=0)
    g.op("Concat", "kept", g.op("ConstantOfShape", left), axis=0, name="refilled")
    g.op("Reshape", "kept", g.op("Concat", g.constant(ints(2, -1)), half, axis=0), name="turned")
    outputs = [("kept", np.float32, ["k", 4]), ("refilled", np.float32, ["r", 4]), ("turned", np.float32, [2, 2, "k"])]
    model = model_of(g, "symbols", [("x", np.float32, ["n", 4]), ("count", np.int64, [1])], outputs)
    feeds = [{"x": rng.random((n, 4), np.float32), "count": ints(c)} for n, c in ((3, 2), (8, 8), (1, 4), (5, 1))]
    return Case("bounds and symbols", model, feeds, ["--dim=n=1..16"])


def refusals(tools):
    """What does not fit: the error names the node and both numbers, from the library and from the interpreter."""
    from qdialect import Model, ModelError

    x = np.zeros((4, 3), np.float32)
    cases = [
        ("Reshape", ["x", "s"], ints(5, 3), ["node 'n' (Reshape, opset 17)", "15", "12"]),
        ("Reshape", ["x", "s"], ints(-2, 6), ["node 'n' (Reshape, opset 17)", "-2"]),
        ("Expand", ["x", "s"], ints(2, 3), ["node 'n' (Expand, opset 17)", "2", "4"]),
        ("ConstantOfShape", ["s"], ints(-1, 3), ["node 'n' (ConstantOfShape, opset 17)", "-1"]),
        ("Tile", ["x", "s"], ints(2, -3), ["node 'n' (Tile, opset 17)", "-3"]),
        ("Slice", ["x", "z", "s", "a", "t"], ints(2, 2), ["node 'n' (Slice, opset 17)", "steps"]),
        ("Slice", ["x", "z", "t", "s"], ints(1, -1), ["node 'n' (Slice, opset 17)", "named again", "1", "0"]),
        ("Pad", ["x", "s"], ints(4, 0, 0, 0), ["node 'n' (Pad, opset 17)", "'reflect'", "1", "0"], {"mode": "reflect"}),
    ]
    problems = []
    for index, (kind, inputs, number, words, *attributes) in enumerate(cases):
        g = Graph(np.random.default_rng(0))
        known = {"z": "z", "a": "a"}
        names = [g.constant(ints(0, 1)) if name in known else name for name in inputs]
        g.op(kind, *names, name="n", **(attributes[0] if attributes else {}))
        specs = [("x", np.float32, [4, 3])] if "x" in inputs else []
        feeds = {"x": x} if specs else {}
        feeds |= {name: number if name == "s" else ints(0, 1) for name in inputs if name in ("s", "t")}
        specs += [(name, np.int64, [feed.size]) for name, feed in feeds.items() if name != "x"]
        path = tools.path(f"bad{index}.onnx")
        onnx.save(model_of(g, "bad", specs, [("n", np.float32, ["a", "b"])]), path)
        with Model(tools.compile(path, tools.path(f"bad{index}.so"), "--recipe=float")) as model:
            try:
                problems.append(f"{kind} {number} gives {model.run(**feeds)['n'].shape}")
            except ModelError as error:
                said = str(error)
                problems += [f"{kind}: '{word}' is not in: {said}" for word in words if word not in said]
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    tools, rng, failed = Tools(args.build), np.random.default_rng(args.seed), 0
    print(f"seed {args.seed}")
    cases = [sliced, reshaped, repeated, ranges, parted, padded, padded_nothing, chosen, of_symbols]
    for index, make in enumerate(cases):
        case = make(rng)
        problems = check(tools, case, index)
        failed += bool(problems)
        print(f"{case.name}: {'; '.join(problems[:4]) or 'ok'}", flush=True)
    problems = refusals(tools)
    failed += bool(problems)
    print(f"refusals: {'; '.join(problems) or 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
