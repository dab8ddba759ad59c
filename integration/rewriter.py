# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rewrites of an ONNX model that leave its meaning as it is, and what a compilation of each makes of it.

Operands of Add and Mul change places, Identity and Dropout stand on edges, Gemm becomes MatMul and Add, BatchNormalization
becomes Mul and Add, pairs of Transposes are inserted, and sizes and axes hang on chains of Shape.
"""

import collections
import json
import os

import numpy as np
import onnx
from onnx import helper, numpy_helper

# The inputs of integers that say how and where, not what: kind -> their numbers.
STRUCTURAL = {"Reshape": [1], "Expand": [1], "Tile": [1], "Pad": [1], "Slice": [1, 2, 3, 4], "Unsqueeze": [1],
              "Squeeze": [1], "ReduceMean": [1], "ReduceSum": [1], "ReduceMax": [1]}


class Rewriter:
    """One model on its way; every rewrite takes and leaves a valid graph with the same results."""

    REWRITES = ["flip", "identities", "transposes", "gemms", "norms", "shape_chains"]

    def __init__(self, path, rng):
        model = onnx.load(path)
        model.ir_version = max(model.ir_version, 4)  # whose initializers are no inputs
        self.model = onnx.shape_inference.infer_shapes(model)
        self.rng, self.count = rng, 0
        self.constants, self.ranks, self.floats = {}, {}, set()
        for graph in self.graphs():
            self.constants |= {i.name: numpy_helper.to_array(i) for i in graph.initializer}
            self.constants |= {n.output[0]: numpy_helper.to_array(n.attribute[0].t) for n in graph.node
                               if n.op_type == "Constant" and n.attribute[0].name == "value"}
            for value in [*graph.value_info, *graph.input, *graph.output]:
                tensor = value.type.tensor_type
                if tensor.HasField("shape"):
                    self.ranks[value.name] = len(tensor.shape.dim)
                if tensor.elem_type == onnx.TensorProto.FLOAT:
                    self.floats.add(value.name)

    def graphs(self):
        """The main graph, and the bodies of If, Loop and Scan."""
        found = [self.model.graph]
        for graph in found:
            found += [a.g for node in graph.node for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
        return found

    def name(self):
        self.count += 1
        return f"rewritten_{self.count}"

    def constant(self, array):
        name = self.name()
        self.model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        self.constants[name] = array
        return name

    def rebuild(self, replace):
        """replace(node) gives the nodes that stand for it, or None to keep it."""
        for graph in reversed(self.graphs()):  # bodies first: nodes are copied with theirs
            nodes = [n for node in graph.node for n in (replace(node) or [node])]
            # Copies: what a list of messages gives away dies with its place in it.
            nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
            del graph.node[:]
            graph.node.extend(nodes)

    def flip(self):
        def replace(node):
            if node.op_type in ("Add", "Mul"):
                node.input[0], node.input[1] = node.input[1], node.input[0]
        self.rebuild(replace)

    def _on_edges(self, make):
        """Puts make(input, output) on half of the edges that carry floats."""
        def replace(node):
            extra = []
            for i, name in enumerate(node.input):
                if name in self.floats and name in self.ranks and name not in self.constants and self.rng.random() < 0.5:
                    new = self.name()
                    self.ranks[new] = self.ranks[name]
                    self.floats.add(new)
                    extra += make(name, new)
                    node.input[i] = new
            return [*extra, node]
        self.rebuild(replace)

    def identities(self):
        self._on_edges(lambda x, y: [helper.make_node(self.rng.choice(["Identity", "Dropout"]), [x], [y])])

    def transposes(self):
        def pair(x, y):
            if self.ranks[x] < 2:
                return [helper.make_node("Identity", [x], [y])]
            perm, middle = self.rng.permutation(self.ranks[x]), self.name()
            return [helper.make_node("Transpose", [x], [middle], perm=perm.tolist()),
                    helper.make_node("Transpose", [middle], [y], perm=np.argsort(perm).tolist())]
        self._on_edges(pair)

    def gemms(self):
        def replace(node):
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type != "Gemm" or node.input[1] not in self.constants or attributes.get("transA"):
                return None
            weight = self.constants[node.input[1]] * np.float32(attributes.get("alpha", 1))
            weight = self.constant(weight.T if attributes.get("transB") else weight)
            if len(node.input) < 3:
                return [helper.make_node("MatMul", [node.input[0], weight], node.output)]
            if attributes.get("beta", 1) != 1:
                return None
            product = self.name()
            return [helper.make_node("MatMul", [node.input[0], weight], [product]),
                    helper.make_node("Add", [product, node.input[2]], node.output)]
        self.rebuild(replace)

    def norms(self):
        def replace(node):
            if node.op_type != "BatchNormalization" or not all(i in self.constants for i in node.input[1:5]):
                return None
            scale, bias, mean, variance = (self.constants[i].astype(np.float64) for i in node.input[1:5])
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            factor = scale / np.sqrt(variance + epsilon)
            column = (-1, *[1] * (self.ranks[node.input[0]] - 2))
            product = self.name()
            return [helper.make_node("Mul", [node.input[0], self.constant(
                        factor.reshape(column).astype(np.float32))], [product]),
                    helper.make_node("Add", [product, self.constant(
                        (bias - mean * factor).reshape(column).astype(np.float32))], node.output[:1])]
        self.rebuild(replace)

    def shape_chains(self):
        def replace(node):
            if not self.ranks.get(node.input[0] if node.input else ""):
                return None
            chain = []
            for number in STRUCTURAL.get(node.op_type, []):
                wanted = node.input[number] if number < len(node.input) else ""
                if wanted not in self.constants or self.constants[wanted].dtype != np.int64:
                    continue
                shape, size, one, result = (self.name() for _ in range(4))
                node.input[number] = result
                chain += [helper.make_node("Shape", [node.input[0]], [shape]),
                          helper.make_node("Gather", [shape, self.constant(np.array(0))], [size]),
                          helper.make_node("Div", [size, size], [one]),
                          helper.make_node("Mul", [wanted, one], [result])]
            return [*chain, node]
        self.rebuild(replace)

    def save(self, path):
        for graph in self.graphs():
            del graph.value_info[:]
        onnx.checker.check_model(self.model)
        onnx.save(self.model, path)
        return path


def variants(path, seed, folder, name):
    """(label, path) of the model itself, of each rewrite that changes it, and of all at once in an order from the seed."""
    rng = np.random.default_rng(seed)
    yield "as it is", Rewriter(path, rng).save(os.path.join(folder, f"{name}-as-it-is.onnx"))
    together = [str(r) for r in rng.permutation(Rewriter.REWRITES)]
    for rewrites in [[r] for r in Rewriter.REWRITES] + [together]:
        rewriter = Rewriter(path, rng)
        before = rewriter.model.SerializeToString()
        for rewrite in rewrites:
            getattr(rewriter, rewrite)()
        if rewriter.model.SerializeToString() != before:
            label = "+".join(rewrites)
            yield label, rewriter.save(os.path.join(folder, f"{name}-{label}.onnx"))


# What a compilation reaches: the integer share, the kernels, the float layers.
Outcome = collections.namedtuple("Outcome", ["share", "kernels", "fallbacks"])


def outcome(tools, path, *args):
    so = tools.compile(path, path + ".so", *args, "--target-cpu=x86-64")
    with open(path + ".receipt.json") as f:
        receipt = json.load(f)
    os.remove(so)
    totals = receipt["totals"]
    kernels = collections.Counter(layer["kernel"] for layer in receipt["layers"])
    return Outcome(totals["int_macs"] / totals["total_macs"], kernels, totals["fallbacks"])


def outcomes(tools, name, path, seed, *args):
    """(label, outcome) of every variant; that of the model itself comes first."""
    for label, variant in variants(path, seed, tools.scratch, name):
        yield label, outcome(tools, variant, *args)
        os.remove(variant)
