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


def check(path, folder):
    tensors = {init.name: numpy_helper.to_array(init) for init in onnx.load(path).graph.initializer}
    del tensors["w_zero"]  # all zero
    assert sorted(os.listdir(folder)) == sorted(f"{name}.npy" for name in tensors)
    for name, want in tensors.items():
        got = np.load(os.path.join(folder, f"{name}.npy"))
        if want.dtype.name == "int4":
            want = want.astype(np.int8)
        assert got.tobytes() == want.tobytes() and got.dtype == want.dtype, (name, got, want)


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](*sys.argv[2:])
