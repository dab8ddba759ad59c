# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random networks with symbolic sizes, as exporters write them: shape chains and all."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

KINDS = ["cnn", "transformer", "shapes", "windows", "audio", "pyramid", "detector", "recurrent", "norms"]


class Graph:
    """Nodes and initializers under construction; values are known by name."""

    def __init__(self, rng):
        self.rng, self.nodes, self.inits = rng, [], {}

    def op(self, kind, *inputs, name=None, **attributes):
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value):
        name = f"c{len(self.inits)}"
        self.inits[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def weight(self, *shape):
        fan = int(np.prod(shape)) // max(shape)
        return self.constant((self.rng.standard_normal(shape) / np.sqrt(fan)).astype(np.float32))

    def model(self, name, inputs, outputs, opset=17):
        def value(spec):
            return helper.make_tensor_value_info(spec[0], spec[1], spec[2])

        graph = helper.make_graph(self.nodes, name, [value(i) for i in inputs], [value(o) for o in outputs],
                                  list(self.inits.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def cnn(rng):
    """Symbolic batch and image size: strides, pads, groups, pools, a residual."""
    g = Graph(rng)
    channels = int(rng.integers(1, 5)) * 8
    x = g.op("Conv", "x", g.weight(channels, 3, 3, 3), g.weight(channels), pads=[1, 1, 1, 1])
    x = g.op("Relu", x)
    if rng.random() < 0.5:
        x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=int(rng.integers(2)))
    wide = g.op("Conv", x, g.weight(2 * channels, channels, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER")
    deep = g.op("Conv", wide, g.weight(2 * channels, 1, 3, 3), pads=[1, 1, 1, 1], group=2 * channels)
    x = g.op("Relu", g.op("Add", wide, deep))
    if rng.random() < 0.5:
        x = g.op("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = g.op("Flatten", g.op("GlobalAveragePool", x))
    g.op("Gemm", x, g.weight(2 * channels, 10), g.weight(10), name="y")
    return g.model("cnn", [("x", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
                   [("y", TensorProto.FLOAT, ["batch", 10])])


def windows(rng):
    """Convolutions and pools of every stride, dilation and padding over images that take several tiles."""
    g = Graph(rng)
    channels = [3] + [int(c) for c in rng.choice([8, 16, 20, 32], 3)]
    x = "x"
    for i, (before, after) in enumerate(zip(channels, channels[1:], strict=False)):
        kernel, dilation = (int(k) for k in rng.integers(1, 4, 2))
        stride = int(rng.integers(1, 3)) if i else 1
        pads = [int(p) for p in rng.integers(0, kernel + 1, 4)]
        x = g.op("Conv", x, g.weight(after, before, kernel, kernel), g.weight(after), pads=pads,
                 dilations=[dilation] * 2, strides=[stride] * 2)
        x = g.op("Clip", x, g.constant(np.float32(0)), g.constant(np.float32(6)))
        if rng.random() < 0.5:
            x = g.op("MaxPool", x, kernel_shape=[2, 2], pads=[0, 1, 1, 0])
    g.op("Conv", x, g.weight(10, channels[-1], 1, 1), name="y")
    return g.model("windows", [("x", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
                   [("y", TensorProto.FLOAT, ["batch", 10, "rows", "columns"])])


def audio(rng):
    """1-D convolutions over signals of any length, the first strided like a filter bank."""
    g = Graph(rng)
    width = int(rng.integers(1, 5)) * 8
    x = g.op("Conv", "x", g.weight(width, 1, 16), g.weight(width), strides=[4], pads=[6, 6])
    x = g.op("Relu", x)
    deep = g.op("Conv", x, g.weight(width, 1, 5), pads=[4, 4], dilations=[2], group=width)
    x = g.op("Add", x, g.op("Conv", g.op("Relu", deep), g.weight(width, width, 1), g.weight(width)))
    g.op("Conv", x, g.weight(12, width, 3), strides=[2], pads=[1, 1], name="y")
    return g.model("audio", [("x", TensorProto.FLOAT, ["batch", 1, "samples"])],
                   [("y", TensorProto.FLOAT, ["batch", 12, "frames"])])


def pyramid(rng):
    """A coarse image enlarged to the sizes of a fine one and added to it, and by a factor."""
    g = Graph(rng)
    width = int(rng.integers(1, 4)) * 8

    def method():
        mode = str(rng.choice(["nearest", "linear", "cubic"]))
        places = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"]
        return {"mode": mode, "coordinate_transformation_mode": str(rng.choice(places)),
                "nearest_mode": str(rng.choice(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]))}

    fine = g.op("Relu", g.op("Conv", "x", g.weight(width, 3, 3, 3), g.weight(width), pads=[1, 1, 1, 1]))
    coarse = g.op("Conv", fine, g.weight(width, width, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])
    back = g.op("Resize", coarse, "", "", g.op("Shape", fine), **method())
    sum_ = g.op("Add", fine, back)
    large = g.op("Resize", sum_, "", g.constant(np.float32([1, 1, 2, 1.5])), **method())
    g.op("Conv", large, g.weight(10, width, 3, 3), pads=[1, 1, 1, 1], name="y")
    return g.model("pyramid", [("x", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
                   [("y", TensorProto.FLOAT, ["batch", 10, "rows", "columns"])])


def detector(rng):
    """A network that halves an image and enlarges it again: sizes that are multiples of 16, several heads, boxes in one
    row."""
    g = Graph(rng)
    width = int(rng.integers(1, 3)) * 8
    twice = g.constant(np.float32([1, 1, 2, 2]))

    def conv(value, before, after, kernel=3, stride=1):
        bias = g.weight(after)
        value = g.op("Conv", value, g.weight(after, before, kernel, kernel), bias, pads=[kernel // 2] * 4,
                     strides=[stride] * 2)
        return g.op("Mul", value, g.op("Sigmoid", value)) if rng.random() < 0.5 else g.op("Relu", value)

    levels, x, channels = [], conv("x", 3, width, stride=2), width
    for _ in range(3):
        # Halves by a convolution or by a pool.
        x = (conv(x, channels, 2 * width, stride=2) if rng.random() < 0.5 else conv(
            g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), channels, 2 * width))
        levels.append(x)
        channels = 2 * width
    pooled = [x := g.op("MaxPool", x, kernel_shape=[5, 5], pads=[2] * 4) for _ in range(2)]
    x = conv(g.op("Concat", levels[-1], *pooled, axis=1), 3 * channels, channels, kernel=1)
    heads = [x]
    for level in reversed(levels[:-1]):
        up = g.op("Resize", x, "", twice, mode="nearest", coordinate_transformation_mode="asymmetric",
                  nearest_mode="floor")
        x = (g.op("Add", up, level) if rng.random() < 0.5 else conv(
            g.op("Concat", up, level, axis=1), 2 * channels, channels, kernel=1))
        heads.append(x)
    mask = g.op("ConvTranspose", x, g.weight(channels, 4, 2, 2), g.weight(4), strides=[2, 2])
    g.op("Sigmoid", mask, name="mask")
    shape = g.constant(np.int64([0, 6, -1]))
    flat = [g.op("Reshape", g.op("Conv", head, g.weight(6, channels, 1, 1), g.weight(6)), shape) for head in heads]
    g.op("Transpose", g.op("Concat", *flat, axis=2), perm=[0, 2, 1], name="boxes")
    return g.model("detector", [("x", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
                   [("mask", TensorProto.FLOAT, ["batch", 4, "rows", "columns"]),
                    ("boxes", TensorProto.FLOAT, ["batch", "places", 6])])


def recurrent(rng):
    """Recurrent layers over any number of steps of any number of sequences, which end where `lengths` says."""
    g = Graph(rng)
    hidden, width = (int(w) for w in rng.choice([8, 12, 16], 2))
    x = g.op("Transpose", "x", perm=[1, 0, 2])

    def layer(kind, gates, value, inputs, direction, lengths, **attributes):
        count = 2 if direction == "bidirectional" else 1
        operands = [value, g.weight(count, gates * hidden, inputs), g.weight(count, gates * hidden, hidden),
                    g.weight(count, 2 * gates * hidden), *(["lengths"] if lengths else [])]
        y = g.op(kind, *operands, hidden_size=hidden, direction=direction, **attributes)
        # (seq, directions, batch, hidden) -> (seq, batch, directions * hidden)
        y = g.op("Transpose", y, perm=[0, 2, 1, 3])
        return g.op("Reshape", y, g.constant(np.int64([0, 0, -1]))), count * hidden

    x, size = layer("LSTM", 4, x, width, str(rng.choice(["forward", "bidirectional"])), rng.random() < 0.5)
    x, size = layer("GRU", 3, x, size, str(rng.choice(["reverse", "bidirectional"])), rng.random() < 0.5,
                    linear_before_reset=int(rng.integers(2)))
    x, size = layer("RNN", 1, x, size, "reverse", True)
    x = g.op("Transpose", x, perm=[1, 0, 2])
    g.op("Add", g.op("MatMul", x, g.weight(size, 5)), g.weight(5), name="y")
    return g.model("recurrent", [("x", TensorProto.FLOAT, ["batch", "seq", width]),
                                 ("lengths", TensorProto.INT32, ["batch"])],
                   [("y", TensorProto.FLOAT, ["batch", "seq", 5])])


def norms(rng):
    """Images of any size normalized over each channel, groups of channels, all of them and single places."""
    g = Graph(rng)
    width = int(rng.integers(1, 4)) * 8

    def affine(size):
        return g.constant(rng.uniform(0.5, 1.5, size).astype(np.float32)), g.weight(size)

    x = g.op("Conv", "x", g.weight(width, 3, 3, 3), g.weight(width), pads=[1, 1, 1, 1])
    x = g.op("Relu", g.op("InstanceNormalization", x, *affine(width)))
    x = g.op("Conv", x, g.weight(width, width, 3, 3), g.weight(width), pads=[1, 1, 1, 1], strides=[2, 2])
    x = g.op("GroupNormalization", x, *affine(width), num_groups=int(rng.choice([1, 4, width])))
    y = g.op("MeanVarianceNormalization", x, axes=[0, 2, 3] if rng.random() < 0.5 else [2, 3])
    z = g.op("LpNormalization", x, axis=1, p=int(rng.integers(1, 3)))
    y = g.op("Conv", g.op("Add", y, z), g.weight(10, width, 1, 1))
    g.op("LogSoftmax", y, axis=int(rng.choice([1, -1])), name="y")
    return g.model("norms", [("x", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
                   [("y", TensorProto.FLOAT, ["batch", 10, "rows", "columns"])], opset=21)


def transformer(rng):
    """An encoder block over token numbers and a mask, its reshapes computed from Shape."""
    g = Graph(rng)
    heads = int(rng.integers(1, 4))
    width = heads * 8
    scalar = [g.constant(np.int64(i)) for i in range(2)]
    axis0, minus = g.constant(np.int64([0])), g.constant(np.int64([-1]))
    x = g.op("Gather", g.constant(rng.standard_normal((50, width)).astype(np.float32)), "ids")
    shape = g.op("Shape", "ids")
    batch, seq = (g.op("Unsqueeze", g.op("Gather", shape, i), axis0) for i in scalar)
    split = g.op("Concat", batch, seq, g.constant(np.int64([heads])), minus, axis=0)
    merge = g.op("Concat", batch, seq, g.constant(np.int64([width])), axis=0)

    def linear(value, size):
        return g.op("Add", g.op("MatMul", value, g.weight(width, size)), g.weight(size))

    def head(permutation):
        return g.op("Transpose", g.op("Reshape", linear(x, width), split), perm=permutation)

    scores = g.op("MatMul", head([0, 2, 1, 3]), head([0, 2, 3, 1]))
    scores = g.op("Mul", scores, g.constant(np.float32(8 ** -0.5)))
    mask = g.op("Unsqueeze", "mask", g.constant(np.int64([1, 2])))
    hidden = g.op("Where", g.op("Equal", mask, g.constant(np.int64(0))), g.constant(np.float32(-1e4)),
                  g.constant(np.float32(0)))
    weights = g.op("Softmax", g.op("Add", scores, hidden), axis=-1)
    mixed = g.op("Transpose", g.op("MatMul", weights, head([0, 2, 1, 3])), perm=[0, 2, 1, 3])
    y = g.op("Add", linear(g.op("Reshape", mixed, merge), width), x)
    y = g.op("LayerNormalization", y, g.weight(width), g.weight(width), axis=-1)
    position = g.op("Cast", g.op("Range", scalar[0], g.op("Gather", shape, scalar[1]), scalar[1]), to=1)
    y = g.op("Add", y, g.op("Unsqueeze", position, g.constant(np.int64([1]))), name="y")
    g.op("ReduceMean", y, axes=[1], keepdims=0, name="pooled")
    ids = TensorProto.INT64
    return g.model("transformer", [("ids", ids, ["batch", "seq"]), ("mask", ids, ["batch", "seq"])],
                   [("y", TensorProto.FLOAT, ["batch", "seq", width]), ("pooled", TensorProto.FLOAT, ["batch", width])])


def shapes(rng):
    """Arithmetic on sizes: slices from both ends, Expand by Shape, ConstantOfShape, Concat of unequal lengths."""
    g = Graph(rng)
    one, big, zero = g.constant(np.int64([1])), g.constant(np.int64([2**63 - 1])), g.constant(np.int64([0]))
    shape = g.op("Shape", "x")
    seq = g.op("Slice", shape, one, g.constant(np.int64([2])))
    half = g.op("Div", g.op("Add", seq, one), g.constant(np.int64([2])))
    tail = g.op("Slice", "x", g.constant(np.int64([-1])), big, one)
    front = g.op("Slice", "x", zero, half, one)
    g.op("Concat", "x", tail, front, axis=1, name="y")
    rows = g.op("ReduceMax", "x", axes=[1], keepdims=1)
    spread = g.op("Expand", rows, shape)
    fill = g.op("ConstantOfShape", shape, value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5]))
    z = g.op("Mul", g.op("Sub", spread, "x"), fill)
    count = g.op("Cast", g.op("ReduceProd", shape, keepdims=0), to=1)
    g.op("Div", z, count, name="z")
    return g.model("shapes", [("x", TensorProto.FLOAT, ["batch", "seq", 8])],
                   [("y", TensorProto.FLOAT, ["batch", "longer", 8]), ("z", TensorProto.FLOAT, ["batch", "seq", 8])])


def build(kind, rng):
    """(model, bounds by symbol, with a step where it has one, the sizes to run it at)."""
    if kind == "cnn":
        bounds = {"batch": (1, 16), "height": (4, 64), "width": (4, 64)}
    elif kind == "windows":
        bounds = {"batch": (1, 4), "height": (24, 80), "width": (24, 80)}
    elif kind == "detector":
        bounds = {"batch": (1, 4), "height": (16, 128, 16), "width": (16, 128, 16)}
    elif kind == "pyramid":
        bounds = {"batch": (1, 4), "height": (2, 40), "width": (2, 40)}
    elif kind == "norms":  # of more than one place: ONNX Runtime divides the zeros of one by zero
        bounds = {"batch": (1, 4), "height": (4, 40), "width": (4, 40)}
    elif kind == "audio":
        bounds = {"batch": (1, 4), "samples": (16, 4000)}
    else:
        bounds = {"batch": (1, 16), "seq": (1, 64)}
    most = {"windows": 80, "audio": 4000, "detector": 96}.get(kind, 40)
    sizes = [{name: low for name, (low, *_) in bounds.items()}]
    for _ in range(3):
        sizes.append({name: int(rng.choice(np.arange(low, min(high, most) + 1, *step)))
                      for name, (low, high, *step) in bounds.items()})
    return globals()[kind](rng), bounds, sizes


def feeds(kind, size, rng, model=None):
    """Inputs of one size."""
    if kind == "recurrent":
        shape = [size.get(d.dim_param, d.dim_value) for d in model.graph.input[0].type.tensor_type.shape.dim]
        return {"x": rng.standard_normal(shape).astype(np.float32),
                "lengths": rng.integers(1, size["seq"] + 1, size["batch"]).astype(np.int32)}
    if kind == "audio":
        return {"x": rng.standard_normal((size["batch"], 1, size["samples"])).astype(np.float32)}
    if kind in ("cnn", "windows", "pyramid", "detector", "norms"):
        return {"x": rng.standard_normal((size["batch"], 3, size["height"], size["width"])).astype(np.float32)}
    shape = (size["batch"], size["seq"])
    if kind == "shapes":
        return {"x": rng.standard_normal((*shape, 8)).astype(np.float32)}
    mask = (rng.random(shape) < 0.8).astype(np.int64)
    mask[:, 0] = 1
    return {"ids": rng.integers(0, 50, shape), "mask": mask}
