# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A few lines over onnx.helper to write a graph node by node."""

import os

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Graph:
    """Collects nodes and initializers; every node is named after its output."""

    def __init__(self):
        self.nodes, self.inits = [], []

    def const(self, name, array):
        self.inits.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind, inputs, out, **attrs):
        self.nodes.append(helper.make_node(kind, inputs, [out], name=out, **attrs))
        return out

    def save(self, inputs, outputs, name, path, opset=17):
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.inits)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8,
                                  producer_name="qdialect")
        model = onnx.shape_inference.infer_shapes(model)
        onnx.checker.check_model(model)
        temporary = f"{path}.{os.getpid()}.tmp"
        onnx.save(model, temporary)
        os.replace(temporary, path)


def info(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)
