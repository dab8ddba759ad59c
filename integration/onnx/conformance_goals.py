# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The shares of the node tests that have a goal: those of quantization, and those of the operators in exported models.

Cases of an excluded domain (sequences, strings, training, ...) count in neither. A function test
(`test_gelu_default_1_expanded`) belongs to the operator that was expanded.
"""

import re

QUANTIZATION = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "QLinearConv",
                "MatMulInteger", "ConvInteger"}  # fmt: skip

# What exported classifiers, detectors, speech models and transformers are made of.
NAMED = {
    "LayerNormalization", "RMSNormalization", "GroupNormalization", "InstanceNormalization", "BatchNormalization",
    "Softmax", "LogSoftmax", "Gelu", "Attention", "RotaryEmbedding", "LSTM", "GRU", "RNN", "Resize", "GridSample",
    "TopK", "ArgMax", "ArgMin", "NonMaxSuppression", "Where", "Equal", "Greater", "GreaterOrEqual", "Less",
    "LessOrEqual", "And", "Or", "Not", "Xor", "Range", "Tile", "CumSum", "Einsum", "ScatterND", "ScatterElements",
    "Scatter", "GatherND", "GatherElements", "Gather", "OneHot", "Trilu", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "If",
    "Loop", "Scan", "Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool",
    "GlobalLpPool", "MatMul", "Gemm", "Add", "Sub", "Mul", "Div", "Mod", "Pow", "Min", "Max", "Sum", "Mean", "Abs",
    "Neg", "Sign", "Ceil", "Floor", "Round", "Reciprocal", "Sqrt", "Exp", "Log", "Erf", "Sin", "Cos", "Tan", "Asin",
    "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Relu", "LeakyRelu", "PRelu", "ThresholdedRelu",
    "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Mish", "Softplus", "Softsign", "Shrink",
    "Hardmax", "Clip", "IsInf", "IsNaN", "Cast", "CastLike", "Constant", "ConstantOfShape", "Identity", "Dropout",
    "Shape", "Size", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Pad",
    "Expand", "EyeLike", "DepthToSpace", "SpaceToDepth", "LRN", "MeanVarianceNormalization", "LpNormalization",
    "Upsample",
}  # fmt: skip

GROUPS = [("quantization", QUANTIZATION, 1.0), ("operators of exported models", NAMED, 0.95)]


def operators(cases):
    """{name: operator} with function tests under the operator that they expand."""
    direct = {c.name: c.operator for c in cases}

    def owner(case):
        base = re.sub(r"_expanded(_ver\d+)?$", "", case.name)
        return direct.get(base, case.operator)

    return {c.name: owner(c) for c in cases if c.folder == "node"}


def report(rows, cases, outcomes, mode, excluded, whole):
    """Adds the shares to `rows` (evaluation.report.Report); goals apply to `whole` runs."""
    owner = operators(cases)
    judged = [c for c in cases if c.name in owner and not excluded(c.name)]
    if not judged:
        return
    for name, wanted, goal in [*GROUPS, ("all", None, None)]:
        passed = [outcomes[c.name, mode].passed for c in judged if wanted is None or owner[c.name] in wanted]
        if not passed:
            continue
        metric = f"share of {len(passed)} ({mode})"
        rows.add("onnx node tests", name, metric, sum(passed) / len(passed), (">=", goal) if whole and goal else None)
