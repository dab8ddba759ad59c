# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The `light` models of the onnx package node by node as their exporter wrote them, with weights that keep activations
in range. For breadth: old opsets, unused outputs, grouped convolutions, LRN, channel shuffles, long concatenations.

models/light.py rewrites two of them for benchmarks; nothing is rewritten here but the last Softmax, which is cut off.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

NAMES = ["bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19",
         "zfnet512"]


def he(rng, shape, fan_in):
    return rng.standard_normal(shape) * np.sqrt(2 / fan_in)


def weight(rng, node, index, shape):
    """Input `index` of `node`: He for matrices, near-identity normalizations, small biases."""
    if node.op_type in ("Conv", "Gemm") and index == 1:
        transposed = node.op_type == "Conv" or any(a.name == "transB" and a.i for a in node.attribute)
        return he(rng, shape, np.prod(shape[1:]) if transposed else shape[0])
    if node.op_type == "BatchNormalization":
        return (None, rng.uniform(0.4, 0.9, shape), rng.normal(0, 0.1, shape), rng.normal(0, 0.1, shape),
                rng.uniform(0.7, 1.4, shape))[index]
    if node.op_type == "Mul":
        return rng.uniform(0.6, 1.2, shape)
    return rng.normal(0, 0.02, shape)


def build(name, path):
    """Writes the model; returns (input name, input shape)."""
    model = onnx.load(os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light",
                                   f"light_{name}.onnx"))
    graph, rng = model.graph, np.random.default_rng(0)
    consts = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    user = {}
    for node in graph.node:
        for index, i in enumerate(node.input):
            user.setdefault(i, (node, index))
    # A weight is the output of ConstantOfShape, or an initializer of a node that computes.
    made = {n.output[0]: tuple(consts[n.input[0]]) for n in graph.node if n.op_type == "ConstantOfShape"}
    for i in graph.initializer:
        if i.data_type == TensorProto.FLOAT and i.name in user and i.dims:
            made[i.name] = tuple(i.dims)
    nodes = [n for n in graph.node if n.op_type != "ConstantOfShape"]
    if nodes[-1].op_type == "Softmax":
        graph.output[0].name = nodes.pop().input[0]
        graph.output[0].type.tensor_type.ClearField("shape")
    del graph.node[:]
    graph.node.extend(nodes)
    used = {i for n in nodes for i in n.input}
    kept = [i for i in graph.initializer if i.name in used and i.name not in made]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(weight(rng, *user[key], shape).astype(np.float32), key)
                             for key, shape in made.items() if key in used)
    stored = {i.name for i in graph.initializer}
    inputs = [i for i in graph.input if i.name in used]
    del graph.input[:]
    graph.input.extend(inputs)
    (data,) = (i for i in inputs if i.name not in stored)
    temporary = f"{path}.{os.getpid()}.tmp"
    onnx.save(model, temporary)
    os.replace(temporary, path)
    return data.name, [d.dim_value for d in data.type.tensor_type.shape.dim]
