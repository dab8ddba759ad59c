# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a QDQ model of several types, or compares a folder of dumped constants with it byte for byte."""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def make(path):
    random = np.random.default_rng(1)
    inits = [
        numpy_helper.from_array(random.integers(-128, 128, (4, 6)).astype(np.int8), "w"),
        numpy_helper.from_array(random.random(6).astype(np.float32), "w_scale"),
        helper.make_tensor("v", TensorProto.INT4, [6, 3], random.integers(-8, 8, 18).tolist()),
        numpy_helper.from_array(random.random((2, 3)).astype(np.float32), "v_scale"),
        helper.make_tensor("v_zero", TensorProto.INT4, [2, 3], [1, -8, 7, 0, 2, 3]),
        numpy_helper.from_array(np.float32(0.1), "x_scale"),
        numpy_helper.from_array(np.uint8(200), "x_zero"),
        numpy_helper.from_array(np.full(6, 0, np.int8), "w_zero"),
        numpy_helper.from_array(np.float32(0.25), "y_scale"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "x_scale", "x_zero"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wd"], axis=1),
        helper.make_node("MatMul", ["xd", "wd"], ["h"]),
        helper.make_node("DequantizeLinear", ["v", "v_scale", "v_zero"], ["vd"], axis=0, block_size=3),
        helper.make_node("MatMul", ["h", "vd"], ["p"]),
        helper.make_node("QuantizeLinear", ["p", "y_scale"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [2, 4])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [2, 3])],
        inits,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def make_packed(path):
    """MatMulNBits with zero points for each block (all of the first layer's are zero), and with the default ones."""
    random, nodes, inits = np.random.default_rng(2), [], []
    for layer, (k, n, block, zeros) in enumerate([(64, 5, 16, True), (5, 3, 16, True), (3, 32, 16, False)]):
        blocks = -(-k // block)
        codes = random.integers(0, 256, (n, blocks, block // 2)).astype(np.uint8)
        zero = random.integers(0, 256, (n, (blocks + 1) // 2)).astype(np.uint8) * np.uint8(layer > 0)
        if blocks % 2:
            zero &= 15
        for column in range(n):  # what fills up the last block
            for i in range(k, blocks * block):
                shift = 4 * (i % 2)
                value = zero[column, -1] & 15 if zeros else 8
                byte = codes[column, -1, i % block // 2]
                codes[column, -1, i % block // 2] = byte & (0xF0 >> shift) | value << shift
        inputs = [f"h{layer}", f"b{layer}", f"s{layer}"] + [f"z{layer}"] * zeros
        scales = random.random((n, blocks)).astype(np.float32)
        inits += [numpy_helper.from_array(codes, inputs[1]), numpy_helper.from_array(scales, inputs[2])]
        if zeros:
            inits.append(numpy_helper.from_array(zero, inputs[3]))
        nodes.append(helper.make_node("MatMulNBits", inputs, [f"h{layer + 1}"], domain="com.microsoft", K=k, N=n, bits=4,
                                      block_size=block))
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("h0", 1, [2, 64])],
                              [helper.make_tensor_value_info("h3", 1, [2, 32])], inits)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)


def check(path, folder):
    tensors = {init.name: numpy_helper.to_array(init) for init in onnx.load(path).graph.initializer}
    tensors.pop("w_zero", None)  # all zero
    assert sorted(os.listdir(folder)) == sorted(f"{name}.npy" for name in tensors)
    for name, want in tensors.items():
        got = np.load(os.path.join(folder, f"{name}.npy"))
        if want.dtype.name == "int4":
            want = want.astype(np.int8)
        assert got.tobytes() == want.tobytes() and got.dtype == want.dtype, (name, got, want)


if __name__ == "__main__":
    {"make": make, "make-packed": make_packed, "check": check}[sys.argv[1]](*sys.argv[2:])
