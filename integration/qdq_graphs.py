# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random ONNX graphs of one quantized operator between QuantizeLinear and DequantizeLinear, float in and out."""

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper

KINDS = ["conv", "depthwise", "matmul", "gemm", "add", "concat", "maxpool", "averagepool", "globalaveragepool",
         "product", "depthwise by channel", "add by channel", "mul by channel", "averagepool by channel",
         "maxpool by channel", "globalaveragepool by channel"]
WEIGHTED = ["conv", "depthwise", "matmul", "gemm", "depthwise by channel"]
CODES = {"u8": np.uint8, "s8": np.int8, "u16": np.uint16, "s16": np.int16, "u4": ml_dtypes.uint4, "s4": ml_dtypes.int4}


class Builder:
    def __init__(self, rng, activation, weight_bits=8):
        self.rng, self.dtype, self.weight_bits = rng, CODES[activation], weight_bits
        self.info = ml_dtypes.iinfo(self.dtype)
        self.nodes, self.inits, self.inputs, self.feeds, self.count = [], [], [], {}, 0

    def const(self, array):
        name = f"c{len(self.inits)}"
        self.inits.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, kind, inputs, **attrs):
        self.count += 1
        name = f"{kind}_{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attrs))
        return name

    def grid(self, low, high):
        """An asymmetric grid of all codes over [low, high], zero exactly representable."""
        low, high = min(low, 0.0), max(high, 1e-3)
        first, last = int(self.info.min), int(self.info.max)
        scale = np.float32((high - low) / (last - first))
        zero = int(np.clip(round(first - low / scale), first, last))
        return scale, self.dtype(zero)

    def qdq(self, x, low, high, channels=0):
        """Rounded to one grid, or where `channels` are given to one for each along axis 1: some for [low, high], some
        for a part of it, some dead, whose steps are almost nothing."""
        attrs = {}
        if channels:
            parts = self.rng.choice([1.0, 1.0, 0.4, 1e-4], channels) * self.rng.uniform(0.5, 1, channels)
            lows = self.rng.choice([low, 0.0, low / 3], channels)
            grids = [self.grid(least * part, high * part) for least, part in zip(lows, parts)]
            scale, zero = (np.array(numbers, dtype) for numbers, dtype in zip(zip(*grids), (np.float32, self.dtype)))
            self.scale, attrs = scale.reshape(-1, 1, 1), {"axis": 1}
        else:
            scale, zero = self.grid(low, high)
            self.scale = scale
        s, z = self.const(scale), self.const(zero)
        return self.op("DequantizeLinear", [self.op("QuantizeLinear", [x, s, z], **attrs), s, z], **attrs)

    def input(self, shape, by_channel=False):
        name = f"x{len(self.inputs)}"
        low, high = -float(self.rng.uniform(0, 3)), float(self.rng.uniform(0.5, 3))
        self.channels = shape[1]
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        self.feeds[name] = self.rng.uniform(low * 1.1, high * 1.1, shape).astype(np.float32)
        return self.qdq(name, low, high, shape[1] if by_channel else 0)

    def weight(self, shape, axis, per_channel):
        """Symmetric s8 codes with a scale per index of `axis` (or one), dequantized."""
        if self.weight_bits == 16:
            return self.wide_weight(shape, axis, per_channel)
        codes = self.rng.integers(-127, 128, shape).astype(np.int8)
        fan_in = np.prod(shape) / shape[axis]
        count = shape[axis] if per_channel else 1
        scale = (self.rng.uniform(0.5, 1.5, count) / (74 * np.sqrt(fan_in))).astype(np.float32)
        self.weight_scale = scale
        if not per_channel:
            return self.op("DequantizeLinear", [self.const(codes), self.const(scale[0]), self.const(np.int8(0))])
        zero = self.const(np.zeros(count, np.int8))
        return self.op("DequantizeLinear", [self.const(codes), self.const(scale), zero], axis=axis)

    def wide_weight(self, shape, axis, per_channel):
        """16-bit codes, some symmetric, some around zero points of their own, some that reach the end of the alphabet."""
        dtype = CODES[str(self.rng.choice(["s16", "s16", "u16"]))]
        info = ml_dtypes.iinfo(dtype)
        count = shape[axis] if per_channel else 1
        middle = (int(info.min) + int(info.max) + 1) // 2
        far = int(self.rng.choice([0, 0, 300, 32000]))
        zero = middle + (self.rng.integers(-far, far + 1, count) if far else np.zeros(count, int))
        reach = int(self.rng.choice([100, 32000, 32767]))
        codes = np.clip(middle + self.rng.integers(-reach, reach + 1, shape), info.min, info.max).astype(dtype)
        fan_in = np.prod(shape) / shape[axis]
        steps = np.maximum(reach * 0.6, np.abs(zero - middle))  # of a typical weight
        scale = (self.rng.uniform(0.5, 1.5, count) / (steps * np.sqrt(fan_in))).astype(np.float32)
        self.weight_scale = scale
        if not per_channel:
            zero, scale, attrs = zero[0], scale[0], {}
        else:
            attrs = {"axis": axis}
        return self.op("DequantizeLinear", [self.const(codes), self.const(scale), self.const(zero.astype(dtype))], **attrs)

    def bias(self, channels, input_scale):
        scale = (np.float32(input_scale).reshape(-1) * self.weight_scale).astype(np.float32)
        bound = 4000 * 2 ** (self.info.bits + self.weight_bits - 16)
        codes = np.rint(self.rng.uniform(-bound, bound, channels)).astype(np.int32)
        per_channel = len(scale) > 1
        zero = self.const(np.zeros(len(scale), np.int32) if per_channel else np.int32(0))
        return self.op("DequantizeLinear", [self.const(codes), self.const(scale if per_channel else scale[0]), zero],
                       **({"axis": 0} if per_channel else {}))


def window(rng, size):
    """Kernel, stride, dilation and asymmetric pads that leave at least one output row."""
    while True:
        k, d = int(rng.integers(1, 6)), int(rng.integers(1, 3))
        pads = [int(p) for p in rng.integers(0, (k + 1) // 2 + 1, 2)]
        if size + sum(pads) >= d * (k - 1) + 1:
            return k, int(rng.integers(1, 4)), d, pads


def convolution(b, depthwise, by_channel=False):
    rng = b.rng
    h, w = (int(v) for v in rng.integers(3, 15, 2))
    groups = int(rng.integers(1, 41)) if depthwise else int(rng.choice([1, 1, 1, 2, 3]))
    per_group = 1 if depthwise else int(rng.choice([1, 2, 3, 4, 5, 8, 16, 20]))
    out = groups * (1 if depthwise else int(rng.choice([1, 2, 5, 8, 16, 17, 33, 64, 70])))
    (kh, sh, dh, ph), (kw, sw, dw, pw) = window(rng, h), window(rng, w)
    x = b.input([1, groups * per_group, h, w], by_channel)
    input_scale = b.scale
    inputs = [x, b.weight([out, per_group, kh, kw], 0, rng.random() < 0.7)]
    if rng.random() < 0.7:
        inputs.append(b.bias(out, input_scale))
    return b.op("Conv", inputs, kernel_shape=[kh, kw], strides=[sh, sw], dilations=[dh, dw], group=groups,
                pads=[ph[0], pw[0], ph[1], pw[1]])


def pool(b, kind, by_channel):
    rng = b.rng
    c, h, w = (int(v) for v in rng.integers(3, 40, 3) // (1, 2, 2) + 2)
    x = b.input([1, c, h, w], by_channel)
    if kind == "globalaveragepool":
        return b.op("GlobalAveragePool", [x])
    k = [int(v) for v in rng.integers(1, 4, 2)]
    pads = [int(rng.integers(0, k[0])), int(rng.integers(0, k[1]))] * 2 if min(k) > 1 else [0] * 4
    attrs = {"kernel_shape": k, "strides": [int(v) for v in rng.integers(1, 3, 2)], "pads": pads}
    if kind == "averagepool":
        attrs["count_include_pad"] = int(rng.random() < 0.5)
        return b.op("AveragePool", [x], **attrs)
    return b.op("MaxPool", [x], **attrs)


def build(kind, rng, bits=8, weight_bits=8):
    """(model, feeds, output steps); the output is the dequantized result of the one operator."""
    b = Builder(rng, str(rng.choice([f"u{bits}", f"s{bits}"])), weight_bits)
    by_channel = kind.endswith(" by channel")
    kind = kind.removesuffix(" by channel")
    if kind in ("conv", "depthwise"):
        y = convolution(b, kind == "depthwise", by_channel)
    elif kind in ("matmul", "gemm"):
        m, k, n = (int(rng.choice([1, 2, 5, 7, 16, 31, 64, 67])) for _ in range(3))
        if bits == 16 and rng.random() < 0.5:
            k += 700  # whose sums do not fit 32 bits
        x = b.input([m, k])
        input_scale = b.scale
        if kind == "matmul":
            y = b.op("MatMul", [x, b.weight([k, n], 1, rng.random() < 0.7)])
        else:
            weight = b.weight([n, k], 0, rng.random() < 0.7)
            y = b.op("Gemm", [x, weight, b.bias(n, input_scale)], transB=1)
    elif kind == "product":
        batch, m, k, n = (int(rng.choice(sizes)) for sizes in ([1, 3], [1, 7, 16, 33], [1, 5, 32, 120], [1, 17, 64]))
        y = b.op("MatMul", [b.input([batch, m, k]), b.input([batch, k, n])])
    elif kind in ("add", "mul"):
        shape = [1, *(int(v) for v in rng.integers(1, 20, 3))]
        y = b.op(kind.capitalize(), [b.input(shape, by_channel), b.input(shape, by_channel and rng.random() < 0.5)])
    elif kind == "concat":
        c, h, w = (int(v) for v in rng.integers(1, 20, 3))
        y = b.op("Concat", [b.input([1, c, h, w]), b.input([1, int(rng.integers(1, 20)), h, w])], axis=1)
    else:
        y = pool(b, kind, by_channel)
    if kind in ("conv", "depthwise", "gemm", "add", "mul") and rng.random() < 0.5:
        y = b.op("Relu", [y])
    spread = {"product": 12, "concat": 3, "maxpool": 3, "averagepool": 2, "globalaveragepool": 1}.get(kind, 4)
    channels = b.channels if by_channel and rng.random() < 0.6 else 0
    b.qdq(y, -float(rng.uniform(0, spread)), float(rng.uniform(0.5, spread)), channels)
    b.nodes[-1].output[0] = "y"
    graph = helper.make_graph(b.nodes, kind, b.inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                              b.inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19 if bits == weight_bits == 8 else 21)],
                              ir_version=9 if bits == weight_bits == 8 else 10)
    return model, b.feeds, b.scale
