# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random one-operator models. A generator takes a numpy Generator and returns a Case, or raises Retry when the random
choice is not a legal model. The shapes are small, odd and unequal, so that a swapped axis or pad shows."""

from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto, helper, numpy_helper


class Retry(Exception):
    pass


@dataclass
class Case:
    op: str
    inputs: dict  # name -> array, fed at run time
    constants: dict = field(default_factory=dict)
    attributes: dict = field(default_factory=dict)
    order: list = None  # names of the node's inputs; default: inputs, then constants
    outputs: int = 1
    opset: int = 17
    tolerance: float = 1e-5  # relative to the largest reference value; 0 = bit-equal
    domain: str = ""
    types: list = None  # of the outputs, where they do not follow from the first input

    def model(self, output_types):
        order = self.order if self.order is not None else [*self.inputs, *self.constants]
        names = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(self.op, order, names, name="node", domain=self.domain, **self.attributes)
        info = [
            helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for k, v in self.inputs.items()
        ]
        outs = [helper.make_tensor_value_info(n, t, None) for n, t in zip(names, output_types)]
        inits = [numpy_helper.from_array(v, k) for k, v in self.constants.items()]
        graph = helper.make_graph([node], "case", info, outs, inits)
        opsets = [helper.make_opsetid("", self.opset)] + ([helper.make_opsetid(self.domain, 1)] if self.domain else [])
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def output_types(self):
        if self.types:
            return self.types
        if self.op in ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Not", "And", "Or"):
            return [TensorProto.BOOL]
        if self.op == "QuantizeLinear":
            return [helper.np_dtype_to_tensor_dtype(self.constants["z"].dtype)]
        if self.op == "Cast":
            return [self.attributes["to"]]
        if self.op == "DequantizeLinear":
            return [TensorProto.FLOAT]
        first = self.order[0] if self.order else next(iter({**self.inputs, **self.constants}))
        if self.op == "Where":
            first = self.order[1]
        return [helper.np_dtype_to_tensor_dtype({**self.inputs, **self.constants}[first].dtype)] * self.outputs


def f32(r, *shape):
    return np.asarray(r.standard_normal(shape), np.float32)


def i64(*values):
    return np.array(values, np.int64)


def pick(r, *options):
    return options[r.integers(len(options))]


def window(r, image, kernel):
    """strides, dilations and pads (or auto_pad) for a window that fits."""
    rank = len(image)
    attrs = {"strides": [int(r.integers(1, 4)) for _ in image]}
    auto = pick(r, None, None, None, "SAME_UPPER", "SAME_LOWER", "VALID")
    attrs["dilations"] = [1] * rank if auto in ("SAME_UPPER", "SAME_LOWER") else [int(r.integers(1, 3)) for _ in image]
    pads = [0] * (2 * rank)
    if auto:
        attrs["auto_pad"] = auto
    else:
        # A pad as large as the kernel is refused by ONNX Runtime's pools.
        pads = [int(r.integers(0, k)) for k in kernel] + [int(r.integers(0, k)) for k in kernel]
        attrs["pads"] = pads
    if auto in (None, "VALID"):
        for i in range(rank):
            if image[i] + pads[i] + pads[i + rank] < (kernel[i] - 1) * attrs["dilations"][i] + 1:
                raise Retry
    return attrs


def conv(r):
    rank = pick(r, 1, 2, 2, 2, 3)
    image = [int(n) for n in r.integers(3, 10 if rank < 3 else 6, rank)]
    kernel = [int(n) for n in r.integers(1, 4, rank)]
    groups, per, filters = pick(r, (1, 3, 4), (1, 5, 2), (4, 1, 1), (4, 1, 2), (2, 3, 2), (3, 2, 1))
    x = f32(r, int(r.integers(1, 3)), groups * per, *image)
    constants = {"w": f32(r, groups * filters, per, *kernel)}
    if r.integers(2):
        constants["b"] = f32(r, groups * filters)
    return Case("Conv", {"x": x}, constants, {"group": groups, **window(r, image, kernel)})


def conv_transpose(r):
    rank = pick(r, 1, 2, 2)
    image = [int(n) for n in r.integers(2, 6, rank)]
    kernel = [int(n) for n in r.integers(1, 5, rank)]
    groups, per, filters = pick(r, (1, 3, 4), (2, 2, 3), (3, 1, 1))
    strides = [int(n) for n in r.integers(1, 4, rank)]
    dilations = [int(n) for n in r.integers(1, 3, rank)]
    attrs = {"group": groups, "strides": strides, "dilations": dilations}
    kind = pick(r, "pads", "pads", "pads", "auto")
    if kind == "auto":
        attrs["auto_pad"] = pick(r, "SAME_UPPER", "SAME_LOWER")
        if any((k - 1) * d + 1 < s for k, d, s in zip(kernel, dilations, strides)):
            raise Retry
    else:
        attrs["pads"] = [int(r.integers(0, k)) for k in kernel + kernel]
        attrs["output_padding"] = [int(r.integers(0, s)) for s in strides]
        for i in range(rank):
            size = strides[i] * (image[i] - 1) + attrs["output_padding"][i] + (kernel[i] - 1) * dilations[i] + 1
            if size - attrs["pads"][i] - attrs["pads"][i + rank] < 1:
                raise Retry
    constants = {"w": f32(r, groups * per, filters, *kernel)}
    if r.integers(2):
        constants["b"] = f32(r, groups * filters)
    return Case("ConvTranspose", {"x": f32(r, 2, groups * per, *image)}, constants, attrs)


def pool(r):
    op = pick(r, "MaxPool", "AveragePool")
    rank = pick(r, 1, 2, 2, 3)
    image = [int(n) for n in r.integers(3, 10 if rank < 3 else 6, rank)]
    kernel = [int(n) for n in r.integers(1, 4, rank)]
    attrs = {"kernel_shape": kernel, **window(r, image, kernel)}
    if attrs.get("auto_pad", "").startswith("SAME") and any(k < s for k, s in zip(kernel, attrs["strides"])):
        raise Retry  # ONNX Runtime pools then pad by a negative amount, or fail ("padding values must be non-negative")
    if "auto_pad" not in attrs:
        attrs["ceil_mode"] = int(r.integers(2))
    if op == "AveragePool":
        attrs["count_include_pad"] = int(r.integers(2))
    return Case(op, {"x": f32(r, 2, 3, *image)}, attributes=attrs, opset=19, tolerance=0 if op == "MaxPool" else 1e-5)


def global_pool(r):
    return Case(pick(r, "GlobalAveragePool", "GlobalMaxPool"), {"x": f32(r, 2, 3, *r.integers(2, 7, pick(r, 1, 2, 3)))})


def gemm(r):
    m, k, n = (int(v) for v in r.integers(1, 8, 3))
    attrs = {"transA": int(r.integers(2)), "transB": int(r.integers(2))}
    if r.integers(2):
        attrs.update(alpha=float(pick(r, 0.5, 1.0)), beta=float(pick(r, 2.0, 1.0)))
    x = f32(r, k, m) if attrs["transA"] else f32(r, m, k)
    constants = {"w": f32(r, n, k) if attrs["transB"] else f32(r, k, n)}
    shape = pick(r, None, (n,), (m, 1), (1, n), (m, n), ())
    if shape is not None:
        constants["c"] = f32(r, *shape)
    return Case("Gemm", {"x": x}, constants, attrs)


def matmul(r):
    m, k, n = (int(v) for v in r.integers(1, 6, 3))
    a, b = pick(
        r,
        ((m, k), (k, n)), ((k,), (k, n)), ((m, k), (k,)), ((k,), (k,)), ((2, m, k), (k, n)), ((2, m, k), (2, k, n)),
        ((2, 1, m, k), (3, k, n)), ((m, k), (2, 3, k, n)), ((2, 3, m, k), (2, 3, k, n)), ((2, 3, m, k), (1, 1, k, n)),
        ((2, m, k), (1, k, n)), ((k,), (2, k, n)), ((2, m, k), (k,)),
    )  # fmt: skip
    return Case("MatMul", {"x": f32(r, *a), "y": f32(r, *b)})


SHAPES = [((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((2, 3, 4), (3, 1)), ((2, 1, 4), (3, 1)), ((), (2, 3)), ((5,), ())]


def binary(r):
    op = pick(r, "Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "Mean", "Pow", "Less", "Greater", "Equal", "PRelu")
    a, b = SHAPES[0] if op == "PRelu" else pick(r, *SHAPES)
    x, y = f32(r, *a), f32(r, *(pick(r, (4,), (3, 1), (1,)) if op == "PRelu" else b))
    if op == "Pow":
        x, y = np.asarray(np.abs(x)), np.full_like(y, pick(r, 2.0, 0.5, 3.0, -1.5))
    if op == "Equal":
        x, y = np.asarray(np.round(x)), np.asarray(np.round(y))
    if r.integers(2):
        return Case(op, {"x": x}, {"y": y}, order=["x", "y"])
    return Case(op, {"x": x, "y": y})


def integer_binary(r):
    op, (a, b) = pick(r, "Add", "Sub", "Mul", "Div", "Max", "Min", "Mod"), pick(r, *SHAPES)
    kind = pick(r, np.int32, np.int64)
    x = r.integers(-50, 50, a).astype(kind).reshape(a)
    y = np.where(v := r.integers(-9, 9, b).astype(kind).reshape(b), v, 1).astype(kind).reshape(b)
    return Case(op, {"x": x, "y": y}, tolerance=0)


def unary(r):
    op = pick(
        r, "Abs", "Neg", "Sqrt", "Floor", "Ceil", "Round", "Reciprocal", "Exp", "Log", "Erf", "Tanh", "Sin", "Cos",
        "Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Elu", "Selu", "ThresholdedRelu", "Softplus",
        "Softsign",
    )  # fmt: skip
    x = f32(r, 3, 5) * 3
    if op in ("Sqrt", "Log"):
        x = np.abs(x) + np.float32(0.1)
    attrs = {"alpha": 0.3} if op in ("LeakyRelu", "Elu", "ThresholdedRelu", "HardSigmoid") and r.integers(2) else {}
    return Case(op, {"x": x}, attributes=attrs)


def gelu(r):
    return Case("Gelu", {"x": f32(r, 3, 5) * 3}, attributes={"approximate": pick(r, "none", "tanh")}, opset=20)


def clip(r):
    order = pick(r, ["x", "lo", "hi"], ["x", "lo"], ["x", "", "hi"])
    bounds = {k: v for k, v in {"lo": np.float32(-0.5), "hi": np.float32(0.75)}.items() if k in order}
    # Known at compile time, or computed: then they are inputs like x.
    late = {k: np.array(v) for k, v in bounds.items() if r.random() < 0.4}
    return Case("Clip", {"x": f32(r, 7), **late}, {k: v for k, v in bounds.items() if k not in late}, order=order)


def normalize(r):
    op = pick(r, "BatchNormalization", "LayerNormalization", "Softmax", "SoftmaxOld", "LRN")
    x = f32(r, 2, 4, 3, 5)
    if op == "BatchNormalization":
        p = {n: f32(r, 4) for n in ("s", "b", "m")}
        return Case(op, {"x": x}, {**p, "v": np.abs(f32(r, 4)) + np.float32(0.1)}, {"epsilon": 1e-3})
    if op == "LayerNormalization":
        axis = int(r.integers(1, 4))
        p = {n: f32(r, *x.shape[axis:]) for n in pick(r, ("s", "b"), ("s",))}
        return Case(op, {"x": x}, p, {"axis": pick(r, axis, axis - 4)})
    if op == "LRN":
        return Case(op, {"x": x}, attributes={"size": pick(r, 1, 3, 5), "alpha": 0.1, "beta": 0.6, "bias": 1.5})
    axis = int(r.integers(-4, 4))
    x = pick(r, x, x, x.astype(np.float64))
    return Case("Softmax", {"x": x}, attributes={"axis": axis}, opset=11 if op == "SoftmaxOld" else 17)


def movement(r):
    op = pick(r, "Transpose", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Concat", "Split", "Expand", "Tile", "Identity")
    x = f32(r, 2, 3, 1, 4)
    case = Case(op, {"x": x}, tolerance=0)
    if op == "Transpose":
        case.attributes = {"perm": [int(v) for v in r.permutation(4)]}
    elif op == "Flatten":
        case.attributes = {"axis": int(r.integers(-4, 5))}
    elif op == "Reshape":
        case.constants = {"s": pick(r, i64(-1), i64(0, 0, -1), i64(4, 6), i64(3, 8), i64(2, 3, 4, 1, 1), i64(12, 2))}
    elif op == "Squeeze":
        case.constants = pick(r, {}, {"a": i64(2)}, {"a": i64(-2)})
    elif op == "Unsqueeze":
        case.constants = {"a": pick(r, i64(0), i64(-1), i64(1, 3), i64(0, 5))}
    elif op == "Concat":
        axis = int(r.integers(-4, 4))
        shape = list(x.shape)
        shape[axis] = 2
        case.inputs["y"], case.attributes = f32(r, *shape), {"axis": axis}
    elif op == "Split":
        case.attributes, case.outputs = {"axis": -1}, 2
        case.constants = pick(r, {}, {"s": i64(1, 3)}, {"s": i64(4, 0)})
    elif op == "Expand":
        case.constants = {"s": pick(r, i64(2, 3, 5, 4), i64(2, 1, 1, 1, 1), i64(1))}
    elif op == "Tile":
        case.constants = {"r": pick(r, i64(2, 1, 3, 1), i64(1, 2, 2, 3), i64(1, 1, 1, 1))}
    return case


def slices(r):
    op = pick(r, "Slice", "Gather", "Pad", "GatherDynamic")
    x = f32(r, 4, 5, 6)
    if op == "Slice":
        axes = [int(v) for v in r.permutation(3)[: r.integers(1, 4)]]
        steps = [int(pick(r, 1, 1, 2, 3, -1, -2)) for _ in axes]
        starts = [int(r.integers(-8, 9)) for _ in axes]
        # ONNX Runtime reads INT64_MAX as "to the end" backwards too, where the specification says INT64_MIN.
        ends = [pick(r, int(r.integers(-8, 9)), 2**63 - 1 if t > 0 else -(2**63)) for t in steps]
        return Case(op, {"x": x}, {"s": i64(*starts), "e": i64(*ends), "a": i64(*axes), "t": i64(*steps)}, tolerance=0)
    if op.startswith("Gather"):
        axis = int(r.integers(-3, 3))
        size = x.shape[axis]
        indices = r.integers(-size, size, pick(r, (), (2,), (2, 3), (40,))).astype(pick(r, np.int32, np.int64))
        indices = np.asarray(indices)
        if op == "Gather":
            return Case(op, {"x": x}, {"i": indices}, {"axis": axis}, tolerance=0)
        return Case("Gather", {"x": x, "i": indices}, attributes={"axis": axis}, tolerance=0)
    mode = pick(r, "constant", "reflect", "edge", "wrap")
    low = 0 if mode == "wrap" else -1
    pads = [int(v) for v in r.integers(low, 4, 6)]
    constants = {"p": i64(*pads)}
    if mode == "constant":
        constants["v"] = np.float32(1.5)
    return Case(op, {"x": x}, constants, {"mode": mode}, opset=19, tolerance=0)


def reduce(r):
    op = pick(r, "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
              "ReduceSumSquare")  # fmt: skip
    opset = pick(r, 11, 17, 18)
    attrs = {"keepdims": int(r.integers(2))}
    case = Case(op, {"x": f32(r, 2, 3, 4)}, attributes=attrs, opset=opset)
    axes = pick(r, None, [0], [1], [-1], [0, 2], [0, 1, 2])
    if axes and opset >= (13 if op == "ReduceSum" else 18):
        case.constants = {"a": i64(*axes)}
    elif axes:
        attrs["axes"] = axes
    return case


def casts(r):
    kinds = [np.float32, np.float16, np.int8, np.uint8, np.int32, np.int64, np.bool_]
    source, target = pick(r, *kinds), pick(r, *kinds)
    x = np.abs(f32(r, 9) * 30).astype(np.int32).astype(source)
    return Case("Cast", {"x": x}, attributes={"to": helper.np_dtype_to_tensor_dtype(np.dtype(target))}, tolerance=0)


def where(r):
    x, y = f32(r, 2, 3), f32(r, pick(r, 1, 3))
    return Case("Where", {"c": r.integers(0, 2, (2, 3)).astype(bool), "x": x, "y": y}, order=["c", "x", "y"], tolerance=0)


def quantize(r):
    kind, axis = pick(r, np.int8, np.uint8), pick(r, None, 0, 1, -1)
    x = f32(r, 3, 4, 5) * 50
    shape = () if axis is None else (x.shape[axis],)
    scale = (np.abs(f32(r, *shape)) + np.float32(0.3)).astype(np.float32)
    info = np.iinfo(kind)
    zero = r.integers(info.min, info.max + 1, shape).astype(kind).reshape(shape)
    attrs = {} if axis is None else {"axis": axis}
    if r.integers(2):
        return Case("QuantizeLinear", {"x": x}, {"s": scale, "z": zero}, attrs, tolerance=0)
    codes = r.integers(info.min, info.max + 1, x.shape).astype(kind)
    return Case("DequantizeLinear", {"x": codes}, {"s": scale, "z": zero}, attrs, tolerance=0)


def embed_layer_normalization(r):
    batch, length, hidden, rows = (int(v) for v in r.integers(1, 7, 4))
    inputs = {"ids": r.integers(0, rows, (batch, length)).astype(np.int32)}
    constants = {"words": f32(r, rows, hidden), "positions": f32(r, length + 2, hidden)}
    segments, mask, places = (bool(v) for v in r.integers(0, 2, 3))
    if segments:
        inputs["segments"] = r.integers(0, 2, (batch, length)).astype(np.int32)
        constants["kinds"] = f32(r, 2, hidden)
    constants |= {"gamma": f32(r, hidden), "beta": f32(r, hidden)}
    order = ["ids", "segments" if segments else "", "words", "positions", "kinds" if segments else "", "gamma", "beta"]
    if mask:
        inputs["mask"] = r.integers(0, 2, (batch, length)).astype(np.int32)
    if places:
        inputs["places"] = r.integers(0, length + 2, (pick(r, 1, batch), length)).astype(np.int32)
    if mask or places:
        order += ["mask" if mask else ""] + (["places"] if places else [])
    types = [TensorProto.FLOAT, TensorProto.INT32, TensorProto.FLOAT]
    return Case("EmbedLayerNormalization", inputs, constants, {"epsilon": 1e-5}, order, int(r.integers(2, 4)),
                domain="com.microsoft", types=types)


def gather_block_quantized(r):
    bits, block, rows = int(pick(r, 4, 8)), 16, int(r.integers(1, 6))
    columns = int(pick(r, 16, 32, 48))
    codes = r.integers(0, 256, (rows, columns * bits // 8)).astype(np.uint8)
    constants = {"data": codes, "scales": r.uniform(0.01, 0.1, (rows, columns // block)).astype(np.float32)}
    if r.integers(2):
        constants["zeros"] = r.integers(0, 256, (rows, -(-columns // block * bits // 8))).astype(np.uint8)
    shape = [int(v) for v in r.integers(1, 4, r.integers(1, 3))]
    indices = {"indices": r.integers(-rows, rows, shape).astype(pick(r, np.int32, np.int64))}
    attributes = {"bits": bits, "block_size": block, "gather_axis": 0, "quantize_axis": 1}
    return Case("GatherBlockQuantized", indices, constants, attributes,
                ["data", "indices", "scales"] + ["zeros"] * ("zeros" in constants), tolerance=0,
                domain="com.microsoft", types=[TensorProto.FLOAT])


def qattention(r):
    batch, length, width, heads, size = (int(v) for v in r.integers(1, 5, 5))
    hidden = heads * size
    low, high = pick(r, (0, 256), (-128, 128))
    inputs = {"x": r.integers(0, 256, (batch, length, width)).astype(np.uint8)}
    constants = {
        "w": r.integers(low, high, (width, 3 * hidden)).astype(np.uint8 if low == 0 else np.int8),
        "bias": f32(r, 3 * hidden),
        "sx": np.float32(r.uniform(0.01, 0.03)),
        "sw": r.uniform(0.01, 0.03, pick(r, (), (3 * hidden,))).astype(np.float32),
        "zx": np.uint8(r.integers(0, 256)),
    }
    constants["zw"] = np.zeros(constants["sw"].shape, constants["w"].dtype) + constants["w"].dtype.type(r.integers(0, 100))
    mask = pick(r, "", "lengths", "each")
    if mask == "lengths":
        inputs["mask"] = r.integers(1, length + 1, batch).astype(np.int32)
    elif mask == "each":
        inputs["mask"] = r.integers(0, 2, (batch, length)).astype(np.int32)
    order = ["x", "w", "bias", "sx", "sw", "mask" if mask else "", "zx", "zw"]
    return Case("QAttention", inputs, constants, {"num_heads": heads, "unidirectional": int(r.integers(2))}, order,
                domain="com.microsoft", types=[TensorProto.FLOAT])


def dynamic_quantize_lstm(r):
    # One sequence: of several, ONNX Runtime rounds as many together as each of its threads has.
    steps, width, hidden, directions = (int(r.integers(1, most)) for most in (8, 9, 9, 3))
    low, high, dtype = pick(r, (0, 256, np.uint8), (-128, 128, np.int8))
    constants, order = {}, ["x", "W", "R"]
    per_column, spread = bool(r.integers(2)), int(pick(r, 0, 30))
    for name, depth in ("W", width), ("R", hidden):
        shape = (directions, 4 * hidden) if per_column else (directions,)
        constants[name] = r.integers(low, high, (directions, depth, 4 * hidden)).astype(dtype)
        constants[name + "s"] = r.uniform(0.002, 0.01, shape).astype(np.float32)
        constants[name + "z"] = (low + 128 + r.integers(-spread, spread + 1, shape)).astype(dtype)
    bias, state, peepholes = (bool(v) for v in r.integers(0, 2, 3))
    if bias:
        constants["B"] = f32(r, directions, 8 * hidden)
    if state:
        constants |= {"h": f32(r, directions, 1, hidden), "c": f32(r, directions, 1, hidden)}
    if peepholes:
        constants["P"] = f32(r, directions, 3 * hidden)
    order += ["B" if bias else "", "", "h" if state else "", "c" if state else "", "P" if peepholes else ""]
    order += ["Ws", "Wz", "Rs", "Rz"]
    attributes = {"hidden_size": hidden, "direction": "bidirectional" if directions == 2 else pick(r, "forward", "reverse")}
    return Case("DynamicQuantizeLSTM", {"x": f32(r, steps, 1, width)}, constants, attributes, order, 3,
                domain="com.microsoft", types=[TensorProto.FLOAT] * 3)


GENERATORS = [conv, conv_transpose, pool, global_pool, gemm, matmul, binary, integer_binary, unary, gelu, clip, normalize,
              movement, slices, reduce, casts, where, quantize,
              embed_layer_normalization, gather_block_quantized, qattention, dynamic_quantize_lstm]  # fmt: skip
