# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MiniLM as ONNX Runtime's tools quantize it, carried to binaries: static and dynamic int8, and 4-bit weights.

Sentence embeddings beside ONNX Runtime's own with and without its optimizations, which is how far apart two correct
executions of the same quantized transformer are.
"""

import numpy as np
import onnx
from onnxruntime import quantization as q

from evaluation import carried, carried_nncf, peers
from evaluation import minilm as encoder
from evaluation.report import cosine, sqnr
from models import build, minilm

SENTENCES = 16


def static(tools, model, form, calibration):
    path = tools.path(f"minilm-{form}.onnx")
    q.quantize_static(model, path, encoder.Reader(calibration), quant_format=q.QuantFormat[form], per_channel=True,
                      op_types_to_quantize=["MatMul"], activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8)
    return path


def blocked(tools, model, block, symmetric, level):
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    path = tools.path(f"minilm-4bit-{block}.onnx")
    quantizer = MatMulNBitsQuantizer(onnx.load(model), bits=4, block_size=block, is_symmetric=symmetric,
                                     accuracy_level=level)
    quantizer.process()
    quantizer.model.save_model_to_file(path, False)
    return path


def cases(tools, model, calibration):
    yield "minilm QDQ U8S8 per channel", static(tools, model, "QDQ", calibration)
    yield "minilm QOperator U8S8 per channel", static(tools, model, "QOperator", calibration)
    path = tools.path("minilm-dynamic.onnx")
    q.quantize_dynamic(model, path, weight_type=q.QuantType.QInt8)
    yield "minilm dynamic QInt8", path
    yield "minilm MatMulNBits block 32 symmetric", blocked(tools, model, 32, True, 0)
    yield "minilm MatMulNBits block 128 zero points", blocked(tools, model, 128, False, 0)
    if carried_nncf.is_there():
        yield from carried_nncf.minilm_cases(tools, model, calibration)


def evaluate(report, tools):
    model = build.cached("minilm")
    texts = minilm.sentences()
    calibration, inputs = minilm.encode(texts[:16]), minilm.encode(texts[64:64 + SENTENCES])
    for case, path in cases(tools, model, calibration):
        so = tools.compile(path, path[:-5] + ".so", "--fail-on-fallback", "--target-cpu=native")
        tensors, ours, receipt = encoder.embed(so, inputs)
        hidden = [np.concatenate([peers.session(path, 2, optimize).run(None, row)[0] for row in encoder.rows(inputs)])
                  for optimize in (True, False)]
        theirs, plain = (minilm.pool(h, inputs["attention_mask"]) for h in hidden)
        totals = receipt["totals"]
        if "MatMulNBits" in case or "4-bit" in case:
            kernels = sum(layer["kernel"] == "block-weights" for layer in receipt["layers"])
            report.add(carried.SUITE, case, "layers with packed weights", kernels, ("==", 36))
        else:
            # Dynamic models leave attention in floats.
            share = totals["int_macs"] / totals["total_macs"]
            report.add(carried.SUITE, case, "int_macs/total_macs", share, (">=", 0.94 if "dynamic" in case else 1))
        if "dynamic" in case:
            report.add(carried.SUITE, case, "cosine to ONNX Runtime", cosine(theirs, ours), (">=", 0.9999),
                       f"its own without optimizations {cosine(theirs, plain):.6f}")
        else:
            report.add(carried.SUITE, case, "SQNR dB to ONNX Runtime", sqnr(hidden[0], tensors), (">=", 35),
                       f"its own without optimizations {sqnr(hidden[0], hidden[1]):.1f}")
        if "QDQ" in case or "QOperator" in case:
            carried.layers(report, tools, case, path, list(encoder.rows(inputs))[:1])
