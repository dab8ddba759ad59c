# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What channel scales do to quantization. Networks whose channels were spread by factors of a thousand, their function
unchanged, with one scale a tensor, and the passes that bring them back. A transformer block with a few channels that are
much larger than the others, as language models have them, and what each way of evening them out gains."""

import os

import numpy as np
import onnx
from onnx import numpy_helper

from evaluation import digits
from evaluation.report import sqnr
from integration.rewrite_models import Writer
from models.onnx_graph import info

MOBILE = os.path.join(digits.FOLDER, "mobile.onnx")

# One scale a tensor on both sides, so that what a channel's range costs is seen.
RECIPE = """name: {name}
activations: {{format: u8, granularity: tensor, symmetric: false, estimator: lp}}
weights: {{format: s8, granularity: tensor, symmetric: true, estimator: minmax}}
rescale: float
{keys}"""
RECIPES = {"one scale a tensor": "", "bias correction": "bias_correction: true\n",
           "equalization": "equalization: true\n",
           "equalization, bias correction": "equalization: true\nbias_correction: true\n",
           "equalization, sequential bias correction": "equalization: true\nbias_correction: sequential\n",
           "equalization, absorption, bias correction":
               "equalization: true\nbias_absorption: 3\nbias_correction: true\n"}

BLOCK_RECIPE = """name: block
activations: {{format: u8, granularity: tensor, symmetric: false, estimator: minmax}}
weights: {{format: s8, granularity: channel, symmetric: true, estimator: minmax}}
rescale: float
{keys}"""

# Which channels of the digits CNN hang together: the constants that make them (gain and offset of normalizations),
# and the weights that read them, with the dimension. Residual sums tie two makers.
CHANNELS = [(("w1", "w2"), (("w5", 1),)),
            (("w6", "w7", "w16", "w17"), (("w10", 0), ("w20", 1))),
            (("w11", "w12"), (("w15", 1),)),
            (("w21", "w22", "w26", "w27"), (("w25", 1), ("w30", 1)))]


def chain_channels(path):
    """The same of a network without residuals: each normalization and the layer behind it."""
    nodes = [node for node in onnx.load(path).graph.node if node.op_type in ("Conv", "BatchNormalization", "Gemm")]
    channels = []
    for norm, reader in zip(nodes[1::2], nodes[2::2], strict=True):
        depthwise = any(a.name == "group" and a.i > 1 for a in reader.attribute)
        channels.append(((norm.input[1], norm.input[2]), ((reader.input[1], 0 if depthwise else 1),)))
    return channels


def spread_channels(source, groups, path, seed=0):
    """A network with each channel times a random factor, 1000 between the largest and the least, and what reads it
    divided by that."""
    model = onnx.load(source)
    weights = {w.name: numpy_helper.to_array(w).copy() for w in model.graph.initializer}
    random = np.random.default_rng(seed)
    for makers, readers in groups:
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


def outlier_block(path, width=128, heads=4, seed=1):
    """A pre-norm layer of a transformer with a gated unit. In eight channels the gains of the norms, in every eighth the
    values of attention and the linear side of the gated unit are 40 times as large as elsewhere, and what reads them is
    divided by that: the function is that of the block without."""
    g = Writer(seed)
    node, constant, random = g.node, g.value, g.rng

    def weight(inputs, outputs, read=None, made=None):
        w = random.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        w = w / (np.ones(inputs) if read is None else read)[:, None] * (np.ones(outputs) if made is None else made)
        return constant(w.astype(np.float32))

    def spikes(count):
        factors = np.ones(count)
        factors[random.choice(count, max(count // 16, 8), replace=False)] = 40
        return factors

    def norm(x, factors):
        gain = random.uniform(0.6, 1.4, width) * factors
        return node("LayerNormalization", x, constant(gain.astype(np.float32)), constant(np.zeros(width, np.float32)),
                    axis=-1)

    split, joined = constant(np.array([1, 32, heads, width // heads])), constant(np.array([1, 32, width]))

    def head(x, perm):
        return node("Transpose", node("Reshape", x, split), perm=perm)

    first, values, second, gated = spikes(width), spikes(width), spikes(width), spikes(4 * width)
    x = norm("x", first)
    q, k = (head(node("MatMul", x, weight(width, width, read=first)), perm) for perm in ([0, 2, 1, 3], [0, 2, 3, 1]))
    v = head(node("MatMul", x, weight(width, width, read=first, made=values)), [0, 2, 1, 3])
    scores = node("Div", node("MatMul", q, k), constant(np.float32(np.sqrt(width // heads))))
    mixed = node("MatMul", node("Softmax", scores, axis=-1), v)
    mixed = node("Reshape", node("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
    x = node("Add", "x", node("MatMul", mixed, weight(width, width, read=values)))
    y = norm(x, second)
    gate = node("MatMul", y, weight(width, 4 * width, read=second))
    up = node("MatMul", y, weight(width, 4 * width, read=second, made=gated))
    y = node("Mul", node("Mul", gate, node("Sigmoid", gate)), up)
    x = node("Add", x, node("MatMul", y, weight(4 * width, width, read=gated)))
    g.save([info("x", onnx.TensorProto.FLOAT, [1, 32, width])], [info(x, onnx.TensorProto.FLOAT, None)], "block", path)
    return random.standard_normal((48, 1, 32, width)).astype(np.float32), x


# Of the block: each way, and both of channels and layers. `percentile` changes one channel in two hundred; here eight of
# 128 are large.
BLOCK_RECIPES = {"nothing": "", "smoothing 0.5": "smoothing: 0.5\n", "smoothing 0.75": "smoothing: 0.75\n",
                 "log": "smoothing: log\n", "percentile": "smoothing: percentile\n", "awq": "smoothing: awq\n",
                 "search": "smoothing: search\n", "equalization": "equalization: true\n",
                 "equalization, smoothing 0.5": "equalization: true\nsmoothing: 0.5\n"}


def evaluate_block(report, tools):
    from qdialect import Model

    def run(name, *args):
        so = tools.compile(path, tools.path(f"block-{name}.so"), *args)
        with Model(so) as model:
            return np.concatenate([model.run(x=sample)[output] for sample in samples[16:]])

    path = tools.path("block.onnx")
    samples, output = outlier_block(path)
    calibration = tools.path("block.npz")
    np.savez(calibration, x=samples[:16, 0])
    own = run("float", "--recipe", "float")
    first = None
    for number, (case, keys) in enumerate(BLOCK_RECIPES.items()):
        recipe = tools.path(f"block{number}.yaml")
        with open(recipe, "w") as f:
            f.write(BLOCK_RECIPE.format(keys=keys))
        found = sqnr(own, run(number, "--recipe", recipe, "--calibration", calibration, "--fail-on-fallback"))
        gain = 20 if "," in case else 0 if case == "percentile" else 3
        report.add("smoothing", f"outlier block, {case}", "SQNR dB", found, (">=", first + gain) if first else None, first)
        first = first or found
    # What needs no factors: scales of tokens, and channels in floats besides.
    tokens = sqnr(own, run("tokens", "--recipe", "w8a8-dynamic", "--calibration", calibration, "--fail-on-fallback"))
    report.add("smoothing", "outlier block, scales of tokens (w8a8-dynamic)", "SQNR dB", tokens, None, first)
    split = sqnr(own, run("split", "--recipe", "llm-int8", "--calibration", calibration, "--fail-on-fallback"))
    report.add("smoothing", "outlier block, channels in floats (llm-int8)", "SQNR dB", split, (">=", tokens + 5), first)


def evaluate_hostile(report, tools, name, source, groups):
    images, labels = digits.test_set()

    def accuracy(model, stem, *args):
        so = tools.compile(model, tools.path(f"{stem}.so"), *args)
        return float(np.mean(np.argmax(digits.run_so(so, images), -1) == labels) * 100)

    hostile = spread_channels(source, groups, tools.path(f"hostile-{name}.onnx"))
    plain = accuracy(source, f"plain-{name}", "--recipe", "float")
    own = accuracy(hostile, f"hostile-{name}", "--recipe", "float")
    report.add("smoothing", f"hostile {name}", "float accuracy %", own, (">=", plain - 0.1), plain)
    for number, (case, keys) in enumerate(RECIPES.items()):
        recipe = tools.path(f"recipe{number}.yaml")
        with open(recipe, "w") as f:
            f.write(RECIPE.format(name=f"case{number}", keys=keys))
        found = accuracy(hostile, f"{name}{number}", "--recipe", recipe, "--calibration", digits.CALIBRATION,
                         "--fail-on-fallback")
        goal = ("<=", own - 20) if number == 0 else (">=", own - 1) if number >= 3 else None
        report.add("smoothing", f"hostile {name}, {case}", "accuracy %", found, goal, own)


# How means are corrected where weights have 4 bits.
CORRECTIONS = {"nothing": "false", "by statistics": "true", "layer by layer": "sequential"}


def evaluate_corrections(report, tools, name, model):
    """Bias correction on samples comes closer to the float network than that by statistics."""
    images, _ = digits.test_set()
    logits = digits.run_so(tools.compile(model, tools.path(f"{name}-float.so"), "--recipe", "float"), images)
    found = {}
    for number, (case, key) in enumerate(CORRECTIONS.items()):
        recipe = tools.path(f"correction{number}.yaml")
        with open(recipe, "w") as f:
            f.write(f"name: correction{number}\nweights: {{format: s4}}\nbias_correction: {key}\n")
        so = tools.compile(model, tools.path(f"{name}-correction{number}.so"), "--recipe", recipe, "--calibration",
                           digits.CALIBRATION, "--fail-on-fallback")
        found[case] = sqnr(logits, digits.run_so(so, images))
        goal = (">=", found["by statistics"] + 2) if key == "sequential" else None
        report.add("smoothing", f"{name}, 4-bit weights, corrected {case}", "SQNR dB", found[case], goal)


def evaluate(report, tools):
    evaluate_corrections(report, tools, "digits", digits.MODEL)
    evaluate_corrections(report, tools, "mobile", MOBILE)
    evaluate_block(report, tools)
    evaluate_hostile(report, tools, "digits", digits.MODEL, CHANNELS)
    # Depthwise and pointwise convolutions in turn: no residual ties layers, each layer has few weights a channel.
    evaluate_hostile(report, tools, "mobile", MOBILE, chain_channels(MOBILE))
