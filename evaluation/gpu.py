# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole models compiled for GPUs, on the PTX emulator.

Bit for bit what the library for CPUs computes, no finding of a checker, no spill on any target (where there is ptxas), no
bank conflict, and how much of the multiplications runs on tensor cores. No figure here is a time.
"""

import json
import re

import numpy as np

from evaluation import digits
from models import minilm

SUITE = "gpu"
TARGETS = "sm_80,sm_86,sm_89,sm_90,sm_100,sm_120"
SEQUENCE = 16
COUNTERS = re.compile(r"^counters   (.*)  kernel (\S+)  launches (\d+)  instructions (\d+)  mma (\d+)  "
                      r"sectors (\d+) of at least (\d+)  bank conflicts (\d+)$", re.M)


def cases(tools):
    """Name, model, calibration, samples."""
    images, _ = digits.test_set()
    samples = []
    for index in range(2 if tools.quick else 10):
        samples.append(tools.path(f"image{index}.npy"))
        np.save(samples[-1], images[index:index + 1])
    yield "digits int8", digits.MODEL, digits.CALIBRATION, samples
    if tools.quick:
        return
    model = tools.path("encoder.onnx")
    minilm.build(model, 1, SEQUENCE, layers=1)
    texts = minilm.sentences()
    calibration = tools.path("encoder.npz")
    np.savez(calibration, **minilm.encode(texts[:16], SEQUENCE))
    samples = []
    for index in range(2):
        samples.append(tools.path(f"sentence{index}.npz"))
        np.savez(samples[-1], **minilm.encode(texts[64 + index:65 + index], SEQUENCE))
    yield "MiniLM encoder layer int8", model, calibration, samples


def table(layers, target):
    """Kernels of one target: registers, shared memory and occupancy."""
    seen = {}
    for layer in layers:
        row = layer["launches"][target]
        shared = row["static_shared_bytes"] + row["dynamic_shared_bytes"]
        seen.setdefault(layer["function"], (row["registers"], shared, row["occupancy"], layer["kernel"]))
    for function, (registers, shared, occupancy, family) in seen.items():
        print(f"  {target} {function:40} {family:18} {registers:4} registers {shared:6} bytes shared "
              f"{100 * occupancy:4.0f} % occupancy")


def evaluate(report, tools):
    for case, model, calibration, samples in cases(tools):
        program = tools.path("program.mlirbc")
        tools.run("q-compile", model, "-o", program, "--calibration", calibration, "--stop-after", "dispatch")
        cpu = tools.compile(program, tools.path("cpu.so"))
        gpu = tools.compile(program, tools.path("gpu.so"), "--target", f"nvptx:{TARGETS}")
        equal, said = 0, ""
        for sample in samples:
            said = tools.run("q-run", gpu, "--device", "ptx-emulator", "--input", sample, "--compare", cpu, "--counters")
            lines = [line for line in said.splitlines() if line.startswith("compare")]
            equal += all("equal 1.000000" in line for line in lines)
        report.add(SUITE, case, "samples equal to the CPU's", equal, ("==", len(samples)))
        steps = COUNTERS.findall(said)
        report.add(SUITE, case, "bank conflicts", sum(int(step[7]) for step in steps), ("==", 0))
        report.add(SUITE, case, "warp instructions", sum(int(step[3]) for step in steps))
        with open(gpu.replace(".so", ".receipt.json")) as file:
            layers = json.load(file)["layers"]
        macs = sum(layer["macs"] for layer in layers)
        on_cores = sum(layer["macs"] for layer in layers if layer["kernel"].startswith("mma"))
        report.add(SUITE, case, "share of macs on tensor cores", on_cores / macs)
        left = sum(layer["kernel"].startswith("tasks") for layer in layers)
        report.add(SUITE, case, "steps left to tasks", left, reference=f"of {len(layers)}")
        rows = [row for layer in layers for row in layer["launches"].values()]
        if any("registers" not in row for row in rows):
            print(f"{SUITE}: skipped registers and spills: there is no ptxas")
            continue
        report.add(SUITE, case, "bytes spilled on six targets", sum(row["spill_bytes"] for row in rows), ("==", 0))
        report.add(SUITE, case, "most registers", max(row["registers"] for row in rows), ("<=", 255))
        table(layers, "sm_80")
