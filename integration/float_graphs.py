# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random ONNX graphs of float operators. Every value is computed while the graph grows, by the ONNX reference evaluator,
so that each next operator fits what is there and values stay tame."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 20
UNARY = ["Relu", "Tanh", "Sigmoid", "Erf", "Abs", "Neg", "Floor", "Ceil", "Round", "LeakyRelu", "Elu", "Selu", "Softplus",
         "Softsign", "HardSwish", "HardSigmoid", "Sin", "Cos", "Atan", "Mish", "Gelu", "Sign", "Celu",
         "ThresholdedRelu"]  # fmt: skip
BINARY = ["Add", "Sub", "Mul", "Min", "Max"]
REDUCE = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceLogSumExp"]
LARGEST = 4096  # elements of one value


class Graph:
    def __init__(self, rng):
        self.rng, self.nodes, self.inits, self.inputs = rng, [], [], []
        self.values, self.feeds = {}, {}

    def pick(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def normal(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def input(self, *shape):
        name = f"x{len(self.inputs)}"
        self.feeds[name] = self.values[name] = self.normal(*shape)
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def const(self, array):
        name = f"c{len(self.inits)}"
        self.values[name] = np.asarray(array)
        self.inits.append(numpy_helper.from_array(self.values[name], name))
        return name

    def op(self, kind, inputs, outputs=1, **attrs):
        """Adds a node; its (first) result's name, or None if the result is too large or wild to go on with."""
        names = [f"{kind}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        node = helper.make_node(kind, inputs, names, name=names[0], **attrs)
        given = {i: self.values[i] for i in inputs if i}
        infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
                 for n, v in given.items()]  # fmt: skip
        ends = [helper.make_empty_tensor_value_info(n) for n in names]
        single = helper.make_model(helper.make_graph([node], "one", infos, ends),
                                   opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)  # fmt: skip
        results = ReferenceEvaluator(single).run(None, given)
        tame = all(v.size <= LARGEST and np.isfinite(v).all() and np.abs(v).max(initial=0) < 1e4 for v in results)
        if not tame:
            return None
        self.nodes.append(node)
        self.values.update(zip(names, results))
        return names[0]


def shape_of(g, x):
    return g.values[x].shape


def unary(g, x):
    return g.op(g.pick(*UNARY), [x])


def positive(g, x):
    """Functions with a bounded domain."""
    kind = g.pick("Sqrt", "Log", "Reciprocal", "Exp")
    bounded = g.op("Clip", [x, g.const(np.float32(0.2)), g.const(np.float32(5))])
    return g.op(kind, [bounded])


def binary(g, x):
    shape = shape_of(g, x)
    same = [n for n, v in g.values.items() if v.shape == shape and v.dtype == np.float32]
    other = g.pick(*same)
    if g.rng.random() < 0.5:
        keep = [int(s) if g.rng.random() < 0.5 else 1 for s in shape[int(g.rng.integers(0, len(shape) + 1)) :]]
        other = g.const(g.normal(*keep))
    operands = [x, other] if g.rng.random() < 0.5 else [other, x]
    return g.op(g.pick(*BINARY), operands)


def matmul(g, x):
    k = shape_of(g, x)[-1]
    return g.op("MatMul", [x, g.const(g.normal(k, int(g.rng.integers(1, 20))) / np.float32(np.sqrt(k)))])


def attention(g, x):
    """Products of activations: x * transpose(x)."""
    rank = len(shape_of(g, x))
    order = [*range(rank - 2), rank - 1, rank - 2]
    scores = g.op("MatMul", [x, g.op("Transpose", [x], perm=order)])
    return g.op("Softmax", [scores], axis=-1) if scores else None


def convolution(g, x):
    rank, channels = len(shape_of(g, x)), shape_of(g, x)[1]
    groups = g.pick(1, channels)
    out = groups * int(g.rng.integers(1, 4))
    spatial = rank - 2
    kernel = [int(min(g.rng.integers(1, 4), s)) for s in shape_of(g, x)[2:]]
    weight = g.normal(out, channels // groups, *kernel) / np.float32(np.sqrt(channels // groups * np.prod(kernel)))
    inputs = [x, g.const(weight)] + ([g.const(g.normal(out))] if g.rng.random() < 0.5 else [])
    pads = [int(p) for p in g.rng.integers(0, 2, 2 * spatial)]
    return g.op("Conv", inputs, group=int(groups), strides=[int(s) for s in g.rng.integers(1, 3, spatial)],
                kernel_shape=kernel, pads=pads)  # fmt: skip


def pool(g, x):
    kernel = [int(min(g.rng.integers(1, 4), s)) for s in shape_of(g, x)[2:]]
    kind = g.pick("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
    if kind == "GlobalMaxPool" and len(kernel) != 2:
        return None  # the reference evaluator (onnx 1.22) reduces other axes then, and later nodes get shapes of its own
    if kind.startswith("Global"):
        return g.op(kind, [x])
    return g.op(kind, [x], kernel_shape=kernel, strides=[int(g.rng.integers(1, 3)) for _ in kernel])


def normalization(g, x):
    shape = shape_of(g, x)
    kind = g.pick(
        "Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "BatchNormalization", "LpNormalization"
    )
    if kind in ("InstanceNormalization", "BatchNormalization"):
        if len(shape) < 3 or shape[1] == 0:
            return None
        c = shape[1]
        parameters = [g.const(g.normal(c)), g.const(g.normal(c))]
        if kind == "BatchNormalization":
            parameters += [g.const(g.normal(c)), g.const(np.abs(g.normal(c)) + np.float32(0.5))]
        return g.op(kind, [x, *parameters])
    if kind == "LayerNormalization":
        return g.op(kind, [x, g.const(g.normal(shape[-1])), g.const(g.normal(shape[-1]))], axis=-1)
    return g.op(kind, [x], axis=int(g.rng.integers(-len(shape), len(shape))))


def reduction(g, x):
    rank = len(shape_of(g, x))
    axes = g.rng.permutation(rank)[: int(g.rng.integers(1, rank + 1))].astype(np.int64)
    return g.op(g.pick(*REDUCE), [x, g.const(axes)], keepdims=1)


def movement(g, x):
    shape = shape_of(g, x)
    rank = len(shape)
    axis = int(g.rng.integers(rank))
    kind = g.pick("Transpose", "Reshape", "Concat", "Slice", "Pad", "Gather", "Tile", "Unsqueeze", "Flatten", "Split")
    if kind == "Transpose":
        return g.op(kind, [x], perm=[int(p) for p in g.rng.permutation(rank)])
    if kind == "Reshape":
        return g.op(kind, [x, g.const(np.array([*shape[:axis], -1], np.int64))])
    if kind == "Concat":
        return g.op(kind, [x, g.pick(x, g.const(g.normal(*shape)))], axis=axis)
    if kind == "Slice":
        start = int(g.rng.integers(shape[axis]))
        ends = [[start], [2**31], [axis], [g.pick(1, 2)]]
        return g.op(kind, [x, *(g.const(np.array(e, np.int64)) for e in ends)])
    if kind == "Pad":
        mode = g.pick("constant", "edge")
        return g.op(kind, [x, g.const(g.rng.integers(0, 3, 2 * rank))], mode=mode)
    if kind == "Gather":
        return g.op(kind, [x, g.const(g.rng.integers(0, shape[axis], 3))], axis=axis)
    if kind == "Tile":
        return g.op(kind, [x, g.const(g.rng.integers(1, 3, rank))])
    if kind == "Unsqueeze":
        return g.op(kind, [x, g.const(np.array([axis], np.int64))]) if rank < 5 else None
    if kind == "Flatten":
        return g.op(kind, [x], axis=axis)
    if shape[axis] < 2:
        return None
    return g.op("Split", [x, g.const(np.array([1, shape[axis] - 1], np.int64))], outputs=2, axis=axis)


def choice(g, x):
    shape = shape_of(g, x)
    kind = g.pick("Where", "CumSum", "TopK", "ArgMax")
    axis = int(g.rng.integers(len(shape)))
    if kind == "Where":
        mask = g.op(g.pick("Greater", "LessOrEqual"), [x, g.const(g.normal())])
        return g.op(kind, [mask, x, g.const(g.normal(*shape[-1:]))])
    if kind == "CumSum":
        return g.op(kind, [x, g.const(np.array(axis, np.int64))], exclusive=g.pick(0, 1), reverse=g.pick(0, 1))
    if kind == "TopK":
        return g.op(kind, [x, g.const(np.array([min(2, shape[axis])], np.int64))], outputs=2, axis=axis)
    place = g.op(kind, [x], axis=axis)
    return g.op("Cast", [place], to=TensorProto.FLOAT)


STEPS = [unary, unary, binary, binary, positive, matmul, attention, convolution, pool, normalization, reduction, movement,
         movement, choice]  # fmt: skip


def build(rng, size):
    """(model, feeds, outputs of the reference evaluator by name)."""
    g = Graph(rng)
    shape = g.pick((2, 3, 8), (1, 4, 6, 6), (3, 5), (2, 4, 5, 7), (1, 6, 9))
    x = g.input(*shape)
    if g.rng.random() < 0.5:
        g.input(*shape)
    while len(g.nodes) < size:
        rank, elements = len(shape_of(g, x)), g.values[x].size
        step = g.pick(*STEPS)
        needs = {matmul: 2, attention: 2, convolution: 3, pool: 3, normalization: 2, reduction: 1, movement: 1, choice: 1}
        if rank < needs.get(step, 0) or rank > 4 or elements == 0:
            step = unary if elements else None
        if step is None:
            break
        # Sometimes an earlier value is read again, so that graphs have branches.
        floats = [n for n, v in g.values.items() if v.dtype == np.float32 and v.size and not n.startswith("c")]
        y = step(g, x)
        x = y or g.pick(*floats)
        if rank > 4:
            x = g.pick(*floats)
    read = {i for node in g.nodes for i in node.input}
    ends = [o for node in g.nodes for o in node.output if o not in read]
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(g.values[n].dtype), g.values[n].shape)
             for n in ends]  # fmt: skip
    used = [i for i in g.inputs if i.name in read]
    model = helper.make_model(helper.make_graph(g.nodes, "floats", used, infos, [i for i in g.inits if i.name in read]),
                              opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)  # fmt: skip
    return model, {i.name: g.feeds[i.name] for i in used}, {n: g.values[n] for n in ends}
