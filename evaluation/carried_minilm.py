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

from evaluation import carried, carried_nncf, carried_rounding, peers
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


def packed_weights(path):
    """The products of a model by weights of 4 bits."""
    graph = onnx.load(path).graph
    codes = {i.name for i in graph.initializer if i.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4)}
    return sum(node.op_type == "MatMulNBits" or (node.op_type == "DequantizeLinear" and node.input[0] in codes)
               for node in graph.node)


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
            report.add(carried.SUITE, case, "layers with packed weights", kernels, ("==", packed_weights(path)))
        else:
            # Dynamic models leave attention in floats, NNCF's its second product.
            wanted = 0.94 if "dynamic" in case else 0.97 if "NNCF" in case else 1
            share = totals["int_macs"] / totals["total_macs"]
            report.add(carried.SUITE, case, "int_macs/total_macs", share, (">=", wanted))
        if "dynamic" in case:
            report.add(carried.SUITE, case, "cosine to ONNX Runtime", cosine(theirs, ours), (">=", 0.9999),
                       carried.own_distance(cosine, theirs, plain, ours, 6))
        elif "4-bit" in case:
            # Optimizing, it rounds the activations of 4-bit QDQ products to 8 bits, which the model does not say.
            report.add(carried.SUITE, case, "SQNR dB to ONNX Runtime without optimizations", sqnr(hidden[1], tensors),
                       (">=", 35), f"its own with them {sqnr(hidden[1], hidden[0]):.1f}")
        else:
            beside = carried.own_distance(sqnr, *hidden, tensors, 1)
            if "U8S8" in case:
                few = list(encoder.rows(inputs))[:4]
                elsewhere = sqnr(hidden[0][:len(few)], peers.run_elsewhere(tools, path, few))
                beside += f", its own on a CPU without VNNI {elsewhere:.1f}"
            report.add(carried.SUITE, case, "SQNR dB to ONNX Runtime", sqnr(hidden[0], tensors), (">=", 35), beside)
            for name, other in ("ours", tensors), ("its own without optimizations", hidden[1]):
                # Beyond 100 dB no code differs: an ulp of the last norm is left.
                equal = sum(sqnr(one, two) > 100 for one, two in zip(hidden[0], other))
                report.add(carried.SUITE, case, f"sentences without another code, {name}", equal, None, f"of {len(other)}")
        if "QDQ" in case or "QOperator" in case:
            carried.layers(report, tools, case, path, list(encoder.rows(inputs))[:1])
        if "QOperator" in case:
            carried_rounding.evaluate(report, carried.SUITE, case, path, list(encoder.rows(inputs)))
