# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What channel scales do to quantization: a network whose channels were spread by factors of a thousand, its function
unchanged, with one scale a tensor, and the passes that bring it back."""

import numpy as np
import onnx
from onnx import numpy_helper

from evaluation import digits

# One scale a tensor on both sides, so that what a channel's range costs is seen.
RECIPE = """name: {name}
activations: {{format: u8, granularity: tensor, symmetric: false, estimator: lp}}
weights: {{format: s8, granularity: tensor, symmetric: true, estimator: minmax}}
rescale: float
{keys}"""
RECIPES = {"one scale a tensor": "", "bias correction": "bias_correction: true\n",
           "equalization": "equalization: true\n",
           "equalization, bias correction": "equalization: true\nbias_correction: true\n"}

# Which channels of the digits CNN hang together: the constants that make them (gain and offset of normalizations),
# and the weights that read them, with the dimension. Residual sums tie two makers.
CHANNELS = [(("w1", "w2"), (("w5", 1),)),
            (("w6", "w7", "w16", "w17"), (("w10", 0), ("w20", 1))),
            (("w11", "w12"), (("w15", 1),)),
            (("w21", "w22", "w26", "w27"), (("w25", 1), ("w30", 1)))]


def spread_channels(source, path, seed=0):
    """The digits CNN with each channel times a random factor, 1000 between the largest and the least, and what reads it
    divided by that."""
    model = onnx.load(source)
    weights = {w.name: numpy_helper.to_array(w).copy() for w in model.graph.initializer}
    random = np.random.default_rng(seed)
    for makers, readers in CHANNELS:
        count = len(weights[makers[0]])
        factors = 10 ** random.permutation(np.linspace(-1.5, 1.5, count))
        for maker in makers:
            weights[maker] = (weights[maker] * factors).astype(np.float32)
        for reader, axis in readers:
            shape = [1] * weights[reader].ndim
            shape[axis] = count
            weights[reader] = (weights[reader] / factors.reshape(shape)).astype(np.float32)
    for w in model.graph.initializer:
        w.CopyFrom(numpy_helper.from_array(weights[w.name], w.name))
    onnx.save(model, path)
    return path


def evaluate(report, tools):
    images, labels = digits.test_set()

    def accuracy(model, name, *args):
        so = tools.compile(model, tools.path(f"{name}.so"), *args)
        return float(np.mean(np.argmax(digits.run_so(so, images), -1) == labels) * 100)

    hostile = spread_channels(digits.MODEL, tools.path("hostile.onnx"))
    plain = accuracy(digits.MODEL, "plain", "--recipe", "float")
    own = accuracy(hostile, "hostile", "--recipe", "float")
    report.add("smoothing", "hostile digits", "float accuracy %", own, (">=", plain - 0.1), plain)
    for number, (case, keys) in enumerate(RECIPES.items()):
        recipe = tools.path(f"recipe{number}.yaml")
        with open(recipe, "w") as f:
            f.write(RECIPE.format(name=f"case{number}", keys=keys))
        found = accuracy(hostile, f"case{number}", "--recipe", recipe, "--calibration", digits.CALIBRATION,
                         "--fail-on-fallback")
        goal = {0: ("<=", own - 20), len(RECIPES) - 1: (">=", own - 1)}.get(number)
        report.add("smoothing", f"hostile digits, {case}", "accuracy %", found, goal, own)
