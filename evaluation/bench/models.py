# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The suites models and compile: whole models against each peer's fastest int8 form and float, and what compiling costs."""

import os
import re
import subprocess
import time

import numpy as np
import onnx

from evaluation.bench.contest import Team, paired_ratio
from evaluation.bench.forms import Model
from evaluation.report import sqnr

# model: goal of our int8's speed over the fastest peer's (lower 95 % bound of the paired ratio)
GOALS = {"resnet50": 1.0, "efficientnet-lite0": 1.25, "minilm": 1.3, "magika": 1.4, "squeezenet": 1.1}
QUICK = ("efficientnet-lite0", "magika")
FLOAT_GOAL = 1.0  # of our float's speed over ONNX Runtime's
SECONDS, CODE_BYTES, CALIBRATION_SECONDS = 5, 1 << 20, 15


class Compiled:
    """q-compile run once for a model: the library, the time of each phase and the memory it took."""

    def __init__(self, bench, model, data, recipe):
        self.path = bench.tools.path(f"{model.name}-{recipe}.so")
        command = [os.path.join(bench.tools.bin, "q-compile"), model.float, "--recipe", recipe, "-o", self.path,
                   *model.flags, *(("--calibration", data) if data else ())]
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"{' '.join(command)}: {said}")
        self.seconds, self.memory = time.monotonic() - start, usage.ru_maxrss / 1024
        self.phases = {name: float(value) for name, value in re.findall(r"^(\w+) +([\d.]+) s\b", said, re.M)}


def prepared(bench, name):
    """The model, its samples and our libraries, made once for both suites."""
    if name not in bench.models:
        model = Model(name, GOALS[name])
        samples, held_out = model.samples(8 if bench.quick else 64)
        data, feed, judge = (bench.tools.path(f"{name}-{what}.npz") for what in ("samples", "feed", "judge"))
        np.savez(data, **samples)
        np.savez(feed, **{key: values[:1] for key, values in samples.items()})
        np.savez(judge, **{key: values[:8] if bench.quick else values for key, values in held_out.items()})
        bench.models[name] = (model, samples, feed, judge, Compiled(bench, model, data, "w8a8-int"),
                              Compiled(bench, model, None, "float"))
    return bench.models[name]


def names(bench):
    return QUICK if bench.quick else tuple(GOALS)


def accuracy(bench, case, team, judge):
    """SQNR of each int8 form to ONNX Runtime's float outputs on samples that calibrated none."""
    outputs = {}
    for number, (name, member) in enumerate(team.members.items()):
        path = bench.tools.path(f"{number}.npy")
        member.ask(samples=judge, output=path)
        outputs[name] = np.load(path)
    return {name: sqnr(outputs["ORT fp32"], values) for name, values in outputs.items() if name != "ORT fp32"}


def models(bench):
    for name in names(bench):
        model, samples, feed, judge, own, own_float = prepared(bench, name)
        forms = {who: (*entry, feed) for who, entry in model.forms(samples).items()}
        entries = {"ours int8": ("qdialect", own.path, feed), **forms, "ours fp32": ("qdialect", own_float.path, feed),
                   "ORT fp32": ("ort", model.float, feed), "OpenVINO fp32": ("openvino-f32", model.float, feed)}
        for threads in bench.threads:
            contest(bench, model, f"{name} {threads} thread", entries, list(forms), threads, judge)


def contest(bench, model, case, entries, forms, threads, judge):
    report = bench.report
    peak = bench.int8_peak
    with Team(bench, entries, threads) as team:
        team.compete([peak] if peak else [])
        for name, member in team.members.items():
            report.add("models", case, f"{name} min ms", member.best * 1e3, None,
                       f"median {member.median * 1e3:.3f}, {member.memory:.0f} MB")
        rival = team.fastest(forms)
        for who in (rival, team.fastest(["ORT fp32", "OpenVINO fp32"])):
            ratio, bound = paired_ratio(team["ours int8"].rounds, team[who].rounds)
            report.add("models", case, f"speed over {who}", ratio)
            report.add("models", case, f"speed over {who}, 95 % bound", bound,
                       (">=", model.goal) if who == rival else None)
        ratio, bound = paired_ratio(team["ours fp32"].rounds, team["ORT fp32"].rounds)
        report.add("models", case, "fp32 speed over ORT fp32, 95 % bound", bound, (">=", FLOAT_GOAL), f"ratio {ratio:.3f}")
        macs, own = multiplications(entries["ours int8"][1]), team["ours int8"]
        if peak:
            report.add("models", case, f"share of {peak}", macs / own.best / 1e9 / own.rates[peak], None,
                       f"{own.rates[peak]:.5g} {bench.peaks.units[peak]}")
        if threads == 1:
            said = accuracy(bench, case, team, judge)
            for who, decibels in said.items():
                report.add("models", case, f"{who} SQNR dB", decibels,
                           (">=", round(said[rival], 2)) if who == "ours int8" else None)


def multiplications(library):
    from qdialect import Model as Library

    with Library(library) as loaded:
        return sum(layer["macs"] for layer in loaded.receipt["layers"])


def weight_bytes(path):
    """One byte for each weight of the convolutions and matrix products."""
    return sum(int(np.prod(i.dims)) for i in onnx.load(path).graph.initializer
               if i.data_type == onnx.TensorProto.FLOAT and len(i.dims) >= 2)


def code_bytes(library):
    """The machine code of all variants, by the sizes of the executable sections."""
    said = subprocess.run(["readelf", "-SW", library], capture_output=True, text=True, check=True).stdout
    return sum(int(size, 16) for size in
               re.findall(r"PROGBITS +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ +AX ", said))


def compile_times(bench):
    for name in names(bench):
        model, _, _, _, own, _ = prepared(bench, name)
        calibration = own.phases.get("calibrate", 0)
        add = lambda metric, value, goal=None, name=name: bench.report.add("compile", name, metric, value, goal)
        add("seconds without calibration", own.seconds - calibration,
            ("<=", SECONDS) if name in ("resnet50", "minilm", "efficientnet-lite0") else None)
        add("seconds of calibration", calibration, ("<=", CALIBRATION_SECONDS) if name == "resnet50" else None)
        for phase, seconds in own.phases.items():
            add(f"seconds of {phase}", seconds) if phase != "calibrate" else None
        add("peak MB", own.memory)
        add("library over int8 weights", os.path.getsize(own.path) / weight_bytes(model.float),
            ("<=", 1.05) if name == "resnet50" else None)
        add("bytes of code", code_bytes(own.path), ("<=", CODE_BYTES))
