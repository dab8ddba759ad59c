# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""EfficientNet-Lite0 w8a8-int on natural photographs, beside ONNX Runtime's static int8 on the same data."""

import os

import numpy as np

from evaluation import peers
from evaluation.report import cosine, sqnr
from models import build, packages, photographs

CROPS = 512


def agreement(a, b):
    return float(np.mean(np.argmax(a, -1) == np.argmax(b, -1)) * 100)


def evaluate(report, tools):
    from qdialect import Model

    model = build.cached("efficientnet-lite0")
    calibration, crops = photographs.calibration(), photographs.evaluation(CROPS)
    data = tools.path("photographs.npz")
    np.savez(data, image=calibration)
    float_logits = peers.run_all(model, "image", crops)
    peer = peers.quantize_static(model, "image", calibration,
                                 os.path.join(packages.CACHE, "models", "efficientnet-lite0.ort-u8s8.onnx"))
    peer_logits = peers.run_all(peer, "image", crops)
    ort = {"SQNR dB": sqnr(float_logits, peer_logits), "cosine": cosine(float_logits, peer_logits),
           "top-1 agreement %": agreement(float_logits, peer_logits)}
    for rescale in ("float", "dyadic"):
        so = tools.compile(model, tools.path(f"efficientnet-{rescale}.so"), "--calibration", data, "--recipe",
                           "w8a8-int", f"--rescale={rescale}", "--fail-on-fallback")
        with Model(so) as m:
            totals = m.receipt["totals"]
            logits = np.concatenate([m.run(image=x[None])["logits"] for x in crops])
        case = f"w8a8-int {rescale}"
        report.add("efficientnet-lite0", case, "fallbacks", totals["fallbacks"], ("==", 0))
        report.add("efficientnet-lite0", case, "int_macs/total_macs", totals["int_macs"] / totals["total_macs"],
                   (">=", 0.98))
        report.add("efficientnet-lite0", case, "logits SQNR dB", sqnr(float_logits, logits), (">=", 17.7),
                   f"ONNX Runtime {ort['SQNR dB']:.2f}")
        report.add("efficientnet-lite0", case, "cosine", cosine(float_logits, logits), (">=", 0.992),
                   f"ONNX Runtime {ort['cosine']:.4f}")
        report.add("efficientnet-lite0", case, "top-1 agreement %", agreement(float_logits, logits), None,
                   f"ONNX Runtime {ort['top-1 agreement %']:.1f}")
        report.add("efficientnet-lite0", case, "file MB", os.path.getsize(so) / 1e6, None,
                   f"float ONNX {os.path.getsize(model) / 1e6:.2f}")
