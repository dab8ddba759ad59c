# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where ONNX Runtime's QLinearMatMul rounds otherwise than the exact value.

It computes f32(accumulator) * f32(a_scale * b_scale / y_scale) and rounds that, as our float rescaling does
(docs/Numerics.md, section 4); the exact value rounded once differs where it lies next to a tie, a few codes in ten million.
So products agree, and so do functions of one tensor of codes (biases, docs/Numerics.md, section 3). What is left is the
floats between them (softmax and norms, which no specification defines to the bit): an ulp there may move a code, and each
such code grows through the layers of a transformer. In 10 of 16 sentences none does, and outputs are 131 dB apart; one code
in another takes it to between 8 and 39 dB, as it does ONNX Runtime itself with its embeddings an ulp away.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from evaluation import peers


def products(path, feeds):
    """(exact values, their codes, codes by the formula in floats, codes) of every QLinearMatMul that ONNX Runtime runs."""
    model = onnx.load(path)
    known = {init.name: numpy_helper.to_array(init) for init in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "QLinearMatMul"]
    wanted = sorted({n for node in nodes for n in (node.input[0], node.input[3], node.output[0]) if n not in known})
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in wanted)
    session = peers.session(model.SerializeToString(), 1, optimize=False)
    for feed in feeds:
        values = known | dict(zip(wanted, session.run(None, feed)))
        for node in nodes:
            a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = (values[name] for name in node.input)
            # Exact: the sums stay below 2^53.
            sums = np.matmul(a.astype(np.float64) - a_zero, b.astype(np.float64) - b_zero)
            wide = [scale.astype(np.longdouble) for scale in (a_scale, b_scale, y_scale)]
            exact = sums * wide[0] * wide[1] / wide[2]
            floats = sums.astype(np.float32) * (a_scale * b_scale / y_scale).astype(np.float32)
            limits = np.iinfo(y_zero.dtype)
            codes = [np.clip(np.rint(v) + int(y_zero), limits.min, limits.max).astype(int) for v in (exact, floats)]
            yield exact, *codes, values[node.output[0]].astype(int)


def evaluate(report, suite, case, path, feeds):
    total = others = unexplained = 0
    furthest = 0.0
    for exact, rounded, floats, theirs in products(path, feeds):
        differs = rounded != theirs
        total += theirs.size
        others += int(differs.sum())
        unexplained += int((floats != theirs).sum())
        if differs.any():
            value = exact[differs]
            tie = np.abs(value - np.floor(value) - 0.5) / np.maximum(np.abs(value), 1)
            furthest = max(furthest, float(tie.max()) * 2**24)
    if not total:
        return
    report.add(suite, case, "codes ONNX Runtime does not round exactly, in a million", others / total * 1e6)
    report.add(suite, case, "their distance from a tie, in 2^-24 of the value", furthest, ("<=", 4))
    report.add(suite, case, "codes unlike its formula in floats", unexplained)
