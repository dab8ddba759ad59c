# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Equivalent rewrites of a model reach the same integer share and the same kernels.

Operands of Add and Mul change places, Identity and Dropout stand on edges, Gemm becomes MatMul and Add, BatchNormalization
becomes Mul and Add, pairs of Transposes are inserted, and the shapes of Reshapes hang on chains of Shape. Every rewrite
alone and all together (in an order drawn from the printed seed) are compiled with w8a8-int and compared with the model.
"""

import argparse
import collections
import os
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

from evaluation.tools import ROOT, Tools
from models import minilm

RNG_SEED = int(os.environ.get("QDIALECT_TEST_SEED", "1"))


class Rewriter:
    """One model on its way; every rewrite takes and leaves a valid graph with the same results."""

    def __init__(self, path, rng):
        self.model = onnx.shape_inference.infer_shapes(onnx.load(path))
        self.graph, self.rng, self.count = self.model.graph, rng, 0
        self.constants = {i.name: numpy_helper.to_array(i) for i in self.graph.initializer}
        values = [*self.graph.value_info, *self.graph.input, *self.graph.output]
        self.shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
        self.floats = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}

    def name(self):
        self.count += 1
        return f"rewritten_{self.count}"

    def constant(self, array):
        name = self.name()
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        self.constants[name] = array
        return name

    def rebuild(self, replace):
        """replace(node) gives the nodes that stand for it, or None to keep it."""
        nodes = [n for node in list(self.graph.node) for n in (replace(node) or [node])]
        del self.graph.node[:]
        self.graph.node.extend(nodes)

    def flip(self):
        def replace(node):
            if node.op_type in ("Add", "Mul"):
                node.input[0], node.input[1] = node.input[1], node.input[0]
        self.rebuild(replace)

    def _on_edges(self, make):
        """Puts make(input, output) on half of the float edges that carry activations."""
        def replace(node):
            extra = []
            for i, name in enumerate(node.input):
                if name in self.floats and name not in self.constants and self.rng.random() < 0.5:
                    new = self.name()
                    self.shapes[new] = self.shapes[name]
                    extra += make(name, new)
                    node.input[i] = new
            return [*extra, node]
        self.rebuild(replace)

    def identities(self):
        self._on_edges(lambda x, y: [helper.make_node(self.rng.choice(["Identity", "Dropout"]), [x], [y])])

    def transposes(self):
        def pair(x, y):
            rank = len(self.shapes[x])
            if rank < 2:
                return [helper.make_node("Identity", [x], [y])]
            perm = self.rng.permutation(rank)
            middle = self.name()
            return [helper.make_node("Transpose", [x], [middle], perm=perm.tolist()),
                    helper.make_node("Transpose", [middle], [y], perm=np.argsort(perm).tolist())]
        self._on_edges(pair)

    def gemms(self):
        def replace(node):
            if node.op_type != "Gemm":
                return None
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            weight = self.constants[node.input[1]]
            weight = self.constant(weight.T if attributes.get("transB") else weight)
            product = self.name()
            return [helper.make_node("MatMul", [node.input[0], weight], [product]),
                    helper.make_node("Add", [product, node.input[2]], node.output)]
        self.rebuild(replace)

    def norms(self):
        def replace(node):
            if node.op_type != "BatchNormalization":
                return None
            scale, bias, mean, variance = (self.constants[i].astype(np.float64) for i in node.input[1:5])
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            factor = scale / np.sqrt(variance + epsilon)
            column = (-1, *[1] * (len(self.shapes[node.input[0]]) - 2))
            product = self.name()
            return [helper.make_node("Mul", [node.input[0], self.constant(
                        factor.reshape(column).astype(np.float32))], [product]),
                    helper.make_node("Add", [product, self.constant(
                        (bias - mean * factor).reshape(column).astype(np.float32))], node.output)]
        self.rebuild(replace)

    def shape_chains(self):
        def replace(node):
            if node.op_type != "Reshape" or node.input[1] not in self.constants:
                return None
            shape, size, one, result = (self.name() for _ in range(4))
            wanted, node.input[1] = node.input[1], result
            return [helper.make_node("Shape", [node.input[0]], [shape]),
                    helper.make_node("Gather", [shape, self.constant(np.array(0))], [size]),
                    helper.make_node("Div", [size, size], [one]),
                    helper.make_node("Mul", [wanted, one], [result]), node]
        self.rebuild(replace)

    def save(self, path):
        del self.graph.value_info[:]
        onnx.checker.check_model(self.model)
        onnx.save(self.model, path)
        return path


REWRITES = ["flip", "identities", "transposes", "gemms", "norms", "shape_chains"]


def compiled(tools, path, data):
    """(integer share, kernels of the contractions, float layers) as the receipt has them."""
    import json

    so = tools.compile(path, path + ".so", "--calibration", data, "--recipe", "w8a8-int", "--target-cpu=x86-64",
                       "--statistics", path + ".stats.json")
    with open(path + ".receipt.json") as f:
        receipt = json.load(f)
    totals = receipt["totals"]
    os.remove(so)
    kernels = collections.Counter(layer["kernel"] for layer in receipt["layers"]
                                  if layer["kernel"] not in ("copy", "elementwise", "lookup"))
    return totals["int_macs"] / totals["total_macs"], kernels, totals["fallbacks"]


def check(tools, name, path, inputs):
    rng = np.random.default_rng(RNG_SEED)
    data = tools.path(f"{name}.npz")
    np.savez(data, **inputs)
    wanted = compiled(tools, Rewriter(path, rng).save(tools.path(f"{name}.onnx")), data)
    failed = 0
    together = list(rng.permutation(REWRITES))
    for rewrites in [[r] for r in REWRITES] + [together]:
        rewriter = Rewriter(path, rng)
        before = rewriter.model.SerializeToString()
        for rewrite in rewrites:
            getattr(rewriter, rewrite)()
        if rewriter.model.SerializeToString() == before:
            continue
        label = "+".join(rewrites)
        found = compiled(tools, rewriter.save(tools.path(f"{name}-{label}.onnx")), data)
        if found != wanted:
            failed += 1
            print(f"{name} {label}: {found} instead of {wanted}")
        else:
            print(f"{name} {label}: the same")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    print(f"seed {RNG_SEED}")
    tools = Tools(args.build)
    digits = os.path.join(ROOT, "models", "digits")
    failed = check(tools, "digits", os.path.join(digits, "digits.onnx"),
                   {"image": np.load(os.path.join(digits, "calibration.npz"))["image"][:8]})
    try:
        import safetensors
        import tokenizers
    except ImportError as missing:
        print(f"minilm: skipped: {missing.name} is not installed (scripts/install-deps --data)")
    else:
        del safetensors, tokenizers
        for parts in (False, True):
            path = tools.path("encoder.onnx")
            minilm.build(path, seq=32, parts=parts, layers=1)
            inputs = minilm.encode_full(minilm.sentences()[:8], seq=32)
            failed += check(tools, "encoder by parts" if parts else "encoder", path, inputs)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
