# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Real topologies with seeded He-initialised weights: the `light` models of the onnx package.

ResNet-50 and SqueezeNet are for speed and shape: their outputs mean nothing. Input `image`, output `logits`.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.onnx_graph import Graph, info


def weight(rng, op, index, name, shape):
    if op == "Conv" and index == 1:
        return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    if op == "BatchNormalization":
        # A small gain on the last convolution of each residual branch keeps the activations bounded.
        gain = rng.uniform(0.1, 0.4, shape) if "branch2c" in name else rng.uniform(0.6, 1.2, shape)
        return (None, gain, rng.normal(0, 0.1, shape), rng.normal(0, 0.1, shape), rng.uniform(0.7, 1.4, shape))[index]
    return rng.normal(0, 0.02, shape)


def build(name, path):
    folder = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light")
    source = onnx.load(os.path.join(folder, f"light_{name}.onnx")).graph
    rng, g = np.random.default_rng(0), Graph()
    shapes = {i.name: numpy_helper.to_array(i) for i in source.initializer}
    weights = {n.output[0]: tuple(shapes[n.input[0]]) for n in source.node if n.op_type == "ConstantOfShape"}
    user = {}
    for n in source.node:
        for k, i in enumerate(n.input):
            user.setdefault(i, (n.op_type, k))
    for i in source.initializer:
        op, _ = user.get(i.name, ("", 0))
        if i.data_type == TensorProto.FLOAT and op in ("Conv", "Gemm", "BatchNormalization"):
            weights[i.name] = tuple(i.dims)
        elif i.name in user and op != "ConstantOfShape":
            g.const(i.name, numpy_helper.to_array(i))
    for key, shape in weights.items():
        g.const(key, weight(rng, *user[key], key, shape).astype(np.float32))
    for n in source.node:
        if n.op_type == "ConstantOfShape":
            continue
        attrs = {a.name: helper.get_attribute_value(a) for a in n.attribute}
        if n.op_type == "BatchNormalization":
            attrs = {"epsilon": attrs.get("epsilon", 1e-5)}
        attrs.pop("auto_pad", None)
        kind = {"Sum": "Add", "Dropout": "Identity"}.get(n.op_type, n.op_type)
        attrs = {} if kind == "Identity" else attrs
        g.nodes.append(helper.make_node(kind, list(n.input), [n.output[0]], name=n.output[0], **attrs))
    if g.nodes[-1].op_type == "Softmax":
        g.nodes.pop()
    (data,) = (v.name for v in source.input if v.name not in shapes and v.name not in weights)
    for n in g.nodes:
        n.input[:] = ["image" if i == data else i for i in n.input]
    g.nodes[-1].output[0] = "logits"
    shape = [1, 1000] if name == "resnet50" else [1, 1000, 1, 1]
    g.save([info("image", TensorProto.FLOAT, [1, 3, 224, 224])], [info("logits", TensorProto.FLOAT, shape)], name, path)
