# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Equivalent rewrites (integration/rewriter.py) of the real models reach the same integer share and the same kernels."""

import numpy as np

from evaluation import silero as steps
from integration.rewriter import outcomes
from models import build, magika, minilm, photographs, silero, topologies

SEED = 1
FEW = 2  # samples: grids do not matter here


def models(tools):
    """(name, path, samples by input, further arguments) of each."""
    yield "efficientnet-lite0", build.cached("efficientnet-lite0"), {"image": photographs.calibration()[:FEW]}, ()
    resnet = tools.path("topology.onnx")
    key, shape = topologies.build("resnet50", resnet)
    images = np.random.default_rng(SEED).standard_normal([FEW, *shape]).astype(np.float32)
    yield "resnet50", resnet, {key: images}, ()
    sentences = {name: rows[:FEW] for name, rows in minilm.encode_full(minilm.sentences()[:64]).items()}
    for name in ("minilm", "minilm-parts"):
        yield name, build.cached(name), sentences, ()
    files = magika.inputs(magika.files(FEW))
    yield "magika", build.cached("magika"), {"bytes": files}, ("--dim", "unk__214=1")
    speech = silero.chunks(silero.samples(silero.recordings()[0]))[:FEW]
    states = np.zeros([len(speech), *steps.STATE], np.float32)
    yield "silero", build.cached("silero"), {"input": speech[:, None], "state": states}, steps.STEP


def evaluate(report, tools):
    for name, path, samples, args in models(tools):
        data = tools.path(f"{name}.npz")
        np.savez(data, **samples)
        found = outcomes(tools, name, path, SEED, *args, "--calibration", data, "--recipe", "w8a8-int")
        _, wanted = next(found)
        for label, outcome in found:
            different = (outcome.kernels - wanted.kernels) + (wanted.kernels - outcome.kernels)
            case = f"{name} {'all' if '+' in label else label}"
            report.add("rewrites", case, "kernels that differ", different.total(), ("==", 0),
                       " ".join(f"{kernel}:{outcome.kernels[kernel] - wanted.kernels[kernel]:+}" for kernel in different)
                       or None)
            report.add("rewrites", case, "int_macs/total_macs less", wanted.share - outcome.share, ("==", 0))
            report.add("rewrites", case, "fallbacks more", outcome.fallbacks - wanted.fallbacks, ("==", 0))
