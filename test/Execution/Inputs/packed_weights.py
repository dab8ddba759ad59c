# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""packed_weights.py FOLDER: a QDQ model with weights of int4 and uint4 in every kind of layer, and an input for it.
packed_weights.py RECEIPT BITS...: the bits of the weights in the layers that have some."""

import json
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(7)
nodes, constants = [], []


def op(kind, inputs, out, **attrs):
    nodes.append(helper.make_node(kind, inputs, [out], **attrs))
    return out


def constant(name, array):
    constants.append(numpy_helper.from_array(np.asarray(array), name))
    return name


def rounded(x, name, scale, zero):
    """x through codes of 8 bits."""
    grid = [constant(f"{name}_s", np.float32(scale)), constant(f"{name}_z", np.uint8(zero))]
    return op("DequantizeLinear", [op("QuantizeLinear", [x, *grid], f"{name}_q"), *grid], f"{name}_d")


def weights(name, kind, shape, axis, zeros=None):
    """Codes of 4 bits, a scale for each index of `axis`; zero points if there are any."""
    low, high = (-8, 8) if kind == TensorProto.INT4 else (0, 16)
    codes = random.integers(low, high, shape)
    constants.append(helper.make_tensor(f"{name}_c", kind, shape, codes.flatten().tolist()))
    inputs = [f"{name}_c", constant(f"{name}_s", random.uniform(0.01, 0.03, shape[axis]).astype(np.float32))]
    if zeros is not None:
        constants.append(helper.make_tensor(f"{name}_z", kind, [shape[axis]], zeros(shape[axis]).tolist()))
        inputs.append(f"{name}_z")
    return op("DequantizeLinear", inputs, f"{name}_d", axis=axis)


def make(folder):
    s4, u4 = TensorProto.INT4, TensorProto.UINT4
    x = rounded("x", "x", 0.03, 120)
    w = weights("w1", s4, [40, 3, 3, 3], 0)
    x = rounded(op("Relu", [op("Conv", [x, w], "c1", pads=[1, 1, 1, 1])], "r1"), "x1", 0.02, 0)
    w = weights("w2", u4, [70, 40, 1, 1], 0, lambda n: random.integers(0, 16, n))
    x = rounded(op("Conv", [x, w], "c2"), "x2", 0.05, 100)
    w = weights("w3", s4, [70, 1, 3, 3], 0)
    x = rounded(op("Conv", [x, w], "c3", group=70, strides=[2, 2]), "x3", 0.03, 128)
    w = weights("w4", s4, [30, 35, 2, 2], 0, lambda n: np.zeros(n, int))
    x = rounded(op("Conv", [x, w], "c4", group=2, strides=[2, 2]), "x4", 0.06, 128)
    x = op("Flatten", [x], "flat")
    w = weights("w5", u4, [270, 33], 1, lambda n: np.full(n, 7))
    x = rounded(op("MatMul", [x, w], "y5"), "y", 0.2, 128)
    graph = helper.make_graph(nodes, "packed", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 14, 14])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 33])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, f"{folder}/packed.onnx")
    np.save(f"{folder}/x.npy", random.uniform(-4, 4, (1, 3, 14, 14)).astype(np.float32))


if len(sys.argv) == 2:
    make(sys.argv[1])
else:
    with open(sys.argv[1], encoding="utf-8") as file:
        found = [layer["weight_bits"] for layer in json.load(file)["layers"] if "weight_bits" in layer]
    assert found == [int(bits) for bits in sys.argv[2:]], found
