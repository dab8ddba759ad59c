# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""EfficientNet-Lite0 w8a8-int on natural photographs, beside ONNX Runtime's static int8 and NNCF on the same data."""

import os

import numpy as np

from evaluation import peers
from evaluation.report import cosine, sqnr
from models import build, packages, photographs

CROPS = 512


def agreement(a, b):
    return float(np.mean(np.argmax(a, -1) == np.argmax(b, -1)) * 100)


def add_agreement(report, case, float_logits, logits, goals=(None, None)):
    def goal(bound):
        return None if bound is None else (">=", bound)

    report.add("efficientnet-lite0", case, "logits SQNR dB", sqnr(float_logits, logits), goal(goals[0]))
    report.add("efficientnet-lite0", case, "cosine", cosine(float_logits, logits), goal(goals[1]))
    report.add("efficientnet-lite0", case, "top-1 agreement %", agreement(float_logits, logits))


def evaluate(report, tools):
    from qdialect import Model

    model = build.cached("efficientnet-lite0")
    calibration, crops = photographs.calibration(), photographs.evaluation(CROPS)
    data = tools.path("photographs.npz")
    np.savez(data, image=calibration)
    float_logits = peers.run_all(model, "image", crops)
    theirs = {}
    if tools.peers:
        ort = peers.quantize_static(model, "image", calibration,
                                    os.path.join(packages.CACHE, "models", "efficientnet-lite0.ort-u8s8.onnx"))
        theirs["ONNX Runtime static int8"] = peers.run_all(ort, "image", crops)
        theirs["NNCF"] = peers.nncf_outputs(model, calibration, crops)
    for name, logits in theirs.items():
        add_agreement(report, name, float_logits, logits)
    for recipe, rescale in (("w8a8-int", "float"), ("w8a8-int", "dyadic"), ("w8a16-int", "float"), ("w4a8-int", "float"),
                            ("w4a4-int", "float")):
        so = tools.compile(model, tools.path(f"efficientnet-{recipe}-{rescale}.so"), "--calibration", data, "--recipe",
                           recipe, f"--rescale={rescale}", "--fail-on-fallback")
        with Model(so) as m:
            totals = m.receipt["totals"]
            logits = np.concatenate([m.run(image=x[None])["logits"] for x in crops])
        case = f"{recipe} {rescale}"
        report.add("efficientnet-lite0", case, "fallbacks", totals["fallbacks"], ("==", 0))
        report.add("efficientnet-lite0", case, "int_macs/total_macs", totals["int_macs"] / totals["total_macs"],
                   (">=", 0.98))
        # 4 bits in all layers are for searches and for models that bear them; this one does not.
        add_agreement(report, case, float_logits, logits, goals=(20.5, 0.995) if recipe.startswith("w8") else (None, None))
        report.add("efficientnet-lite0", case, "file MB", os.path.getsize(so) / 1e6, None,
                   f"float ONNX {os.path.getsize(model) / 1e6:.2f}")
