# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MiniLM-L6-v2: sentence embeddings of the float library and of int8 ones, with static grids and with scales of tokens,
from float32 and float16 models, beside ONNX Runtime's and NNCF's int8."""

import os
import time

import numpy as np
from onnxruntime import quantization as q

from evaluation import peers
from evaluation.digits import interpret_results
from evaluation.report import cosine
from models import build, half, minilm, packages

CALIBRATION, SENTENCES = 64, 200


def rows(inputs):
    for i in range(len(inputs["input_ids"])):
        yield {name: values[i:i + 1] for name, values in inputs.items()}


def embed_ort(path, inputs):
    session = peers.session(path, 2)
    hidden = np.concatenate([session.run(None, row)[0] for row in rows(inputs)])
    return hidden, minilm.pool(hidden, inputs["attention_mask"])


def embed(so, inputs):
    from qdialect import Model

    with Model(so, threads=2) as m:
        hidden = np.concatenate([m.run(**row)["last_hidden_state"] for row in rows(inputs)])
        return hidden, minilm.pool(hidden, inputs["attention_mask"]), m.receipt


class Reader(q.CalibrationDataReader):
    def __init__(self, inputs):
        self.rows = rows(inputs)

    def get_next(self):
        return next(self.rows, None)


def peer(kind, model, calibration):
    """ONNX Runtime's dynamic and static int8 of the matrix products."""
    path = os.path.join(packages.CACHE, "models", f"minilm.ort-{kind}.onnx")
    if kind == "dynamic":
        return peers.quantize_dynamic(model, path)
    if not os.path.exists(path):
        q.quantize_static(model, path + ".part", Reader(calibration), quant_format=q.QuantFormat.QDQ, per_channel=True,
                          op_types_to_quantize=["MatMul"], activation_type=q.QuantType.QUInt8,
                          weight_type=q.QuantType.QInt8)
        os.replace(path + ".part", path)
    return path


def nncf_embeddings(model, calibration, inputs):
    """OpenVINO's int8 by NNCF, or None where the peers are not installed."""
    try:
        import nncf
        import openvino
    except ImportError:
        print("minilm: skipped NNCF: not installed (scripts/install-deps --bench)")
        return None
    compiled = openvino.compile_model(nncf.quantize(openvino.Core().read_model(model),
                                                    nncf.Dataset(list(rows(calibration))),
                                                    model_type=nncf.ModelType.TRANSFORMER), "CPU")
    hidden = np.concatenate([compiled(row)[0] for row in rows(inputs)])
    return minilm.pool(hidden, inputs["attention_mask"])


def milliseconds(so, inputs, repeats=30):
    """The median time of one call with two threads."""
    from qdialect import Model

    with Model(so, threads=2) as m:
        times = []
        for _ in range(repeats + 3):
            start = time.perf_counter()
            m.run(**inputs)
            times.append(time.perf_counter() - start)
    return float(np.median(times[3:]) * 1e3)


def evaluate_symbolic(report, tools, data, static, inputs):
    """One library for every batch and sequence length, beside one for 1 x 128."""
    from qdialect import Model

    bounds = ("--dim=batch=1..32", "--dim=seq=1..256")
    model = build.cached("minilm-symbolic")
    so = tools.compile(model, tools.path("symbolic.so"), "--calibration", data, "--recipe=w8a8-int", "--fail-on-fallback",
                       *bounds)
    with Model(so, threads=2) as many, Model(static, threads=2) as one:
        receipt = many.receipt
        row = next(rows(inputs))
        unequal = int(np.sum(many.run(**row)["last_hidden_state"] != one.run(**row)["last_hidden_state"]))
        report.add("minilm", "symbolic sizes", "unequal outputs to the static one", unequal, ("==", 0))
        for batch, seq in ((1, 1), (3, 17), (2, 200), (32, 5)):
            texts = minilm.sentences()[-batch:]
            given = minilm.encode(texts, seq)
            hidden = many.run(**given)["last_hidden_state"]
            session = peers.session(model, 2)
            report.add("minilm", f"symbolic sizes {batch} x {seq}", "mean cosine to float",
                       cosine(minilm.pool(session.run(None, given)[0], given["attention_mask"]),
                              minilm.pool(hidden, given["attention_mask"])), (">=", 0.97 if seq == 1 else 0.985))
    totals = receipt["totals"]
    report.add("minilm", "symbolic sizes", "int_macs/total_macs", totals["int_macs"] / totals["total_macs"], (">=", 1.0))
    # The slice of the position embeddings, and the sum with them.
    report.add("minilm", "symbolic sizes", "layers without a kernel of their own",
               sum(layer["kernel"] == "generic" for layer in receipt["layers"]), ("<=", 2))
    report.add("minilm", "symbolic sizes", "ms for 1 x 128", milliseconds(so, row), None,
               f"static {milliseconds(static, row):.1f}")


def evaluate(report, tools):
    model = build.cached("minilm")
    texts = minilm.sentences()
    calibration = minilm.encode_full(texts[:CALIBRATION])
    inputs = minilm.encode(texts[CALIBRATION:CALIBRATION + SENTENCES])
    data = tools.path("sentences.npz")
    np.savez(data, **calibration)
    _, reference = embed_ort(model, inputs)

    for name in ("minilm", "minilm-parts"):
        so = tools.compile(build.cached(name), tools.path(f"{name}-float.so"), "--recipe", "float")
        report.add("minilm", f"{name} float", "mean cosine to ONNX Runtime", cosine(reference, embed(so, inputs)[1]),
                   (">=", 0.9999))
    peers_seen = {f"ONNX Runtime {kind}": cosine(reference, embed_ort(peer(kind, model, calibration), inputs)[1])
                  for kind in ("dynamic", "static")}
    nncf = nncf_embeddings(model, calibration, inputs)
    if nncf is not None:
        peers_seen["NNCF"] = cosine(reference, nncf)
    beside = ", ".join(f"{who} {value:.4f}" for who, value in peers_seen.items())
    few = {name: values[:2] for name, values in inputs.items()}
    for recipe, goal in (("w8a8-int", 0.993), ("w8a8-smooth-search", 0.998), ("w8a8-dynamic", 0.997)):
        common = ("--calibration", data, "--recipe", recipe, "--fail-on-fallback")
        so = tools.compile(model, tools.path(f"{recipe}.so"), *common)
        hidden, pooled, receipt = embed(so, inputs)
        report.add("minilm", recipe, "mean cosine to float", cosine(reference, pooled), (">=", goal), beside)
        totals = receipt["totals"]
        report.add("minilm", recipe, "int_macs/total_macs", totals["int_macs"] / totals["total_macs"], (">=", 1.0))
        report.add("minilm", recipe, "fallbacks", totals["fallbacks"], ("==", 0))
        report.add("minilm", recipe, "layers without a kernel of their own",
                   sum(layer["kernel"] == "generic" for layer in receipt["layers"]), ("==", 0))
        # The embedding tables are half of the weights.
        report.add("minilm", recipe, "file MB", os.path.getsize(so) / 1e6, ("<=", 30),
                   f"float ONNX {os.path.getsize(model) / 1e6:.1f}")
        program = tools.compile(model, tools.path(f"{recipe}.mlir"), *common, "--stop-after=integerize")
        interpreted = interpret_results(tools, program, few, f"interpreted-{recipe}", "last_hidden_state")
        report.add("minilm", recipe, "unequal outputs to the interpreter",
                   int(np.sum(hidden[:2] != interpreted.reshape(hidden[:2].shape))), ("==", 0))
    evaluate_symbolic(report, tools, data, tools.path("w8a8-int.so"), inputs)
    stored = half.to_float16(model, tools.path("minilm-float16.onnx"))
    for recipe, goal in (("float", 0.9999), ("w8a8-int", 0.993)):
        so = tools.compile(stored, tools.path(f"minilm-float16-{recipe}.so"), "--recipe", recipe, "--fail-on-fallback",
                           *(("--calibration", data) if recipe != "float" else ()))
        report.add("minilm", f"float16 model {recipe}", "mean cosine to float", cosine(reference, embed(so, inputs)[1]),
                   (">=", goal))
