# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole models compiled for GPUs, on the PTX emulator.

Bit for bit what the library for CPUs computes, no finding of a checker, no spill on any target (where there is ptxas), no
bank conflict, and how much of the multiplications runs on tensor cores. No figure here is a time: a table names what would
limit each kernel if nothing but the largest of three counts mattered, at the rates of data sheets.
"""

import json
import re

import numpy as np
import onnx

from evaluation import digits
from models import efficientnet_lite0, light, minilm

SUITE = "gpu"
TARGETS = "sm_80,sm_86,sm_89,sm_90,sm_100,sm_120"
SEQUENCE = 16
COUNTERS = re.compile(r"^counters   (.*)  kernel (\S+)  launches (\d+)  instructions (\d+)  mma (\d+)  "
                      r"sectors (\d+) of at least (\d+)  bank conflicts (\d+)$", re.M)
# Data sheets: multiprocessors, int8 multiply-accumulates of mma.sync and bytes of memory a clock (of all of them).
MACHINES = {"sm_80": ("A100", 108, 108 * 2048, 1103), "sm_86": ("RTX 3090", 82, 82 * 1024, 552),
            "sm_89": ("RTX 4090", 128, 128 * 1024, 400), "sm_90": ("H100", 132, 132 * 4096, 1830),
            "sm_100": ("B200", 148, 148 * 8192, 4070), "sm_120": ("RTX 5090", 170, 170 * 1024, 744)}
MMA_MACS, SECTOR, ISSUED = 16 * 8 * 32, 32, 4


def noise(tools, name, count):
    """Calibration and a sample: the bits must agree on any image."""
    random = np.random.default_rng(0)
    calibration, sample = tools.path(f"{name}.npz"), tools.path(f"{name}.npy")
    np.savez(calibration, image=random.normal(0, 1, (count, 3, 224, 224)).astype(np.float32))
    np.save(sample, random.normal(0, 1, (1, 3, 224, 224)).astype(np.float32))
    return calibration, [sample]


def symbolic_cases(tools):
    """One library for many sizes: sentences of any number and length, any number of images."""
    model, calibration = tools.path("symbolic.onnx"), tools.path("symbolic.npz")
    minilm.build(model, "batch", "seq", layers=1)
    texts = minilm.sentences()
    np.savez(calibration, **minilm.encode(texts[:16], SEQUENCE))
    samples = []
    for batch, length in ((1, 1), (1, 16), (3, 21), (2, 130)):
        samples.append(tools.path(f"sentences{batch}x{length}.npz"))
        np.savez(samples[-1], **minilm.encode(texts[64:64 + batch], length))
    yield ("MiniLM encoder layer int8, symbolic batch and length", model, calibration, samples,
           ["--dim", "batch=1..64", "--dim", "seq=1..256"])
    model = tools.path("batch.onnx")
    efficientnet_lite0.build(model)
    graph = onnx.load(model)
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(graph, model)
    calibration, samples = noise(tools, "batch", 2)
    samples.append(tools.path("two.npy"))
    np.save(samples[-1], np.random.default_rng(1).normal(0, 1, (2, 3, 224, 224)).astype(np.float32))
    yield "EfficientNet-Lite0 int8, symbolic batch", model, calibration, samples, ["--dim", "batch=1..64"]


def cases(tools):
    """Name, model, calibration, samples, options."""
    images, _ = digits.test_set()
    samples = []
    for index in range(2 if tools.quick else 10):
        samples.append(tools.path(f"image{index}.npy"))
        np.save(samples[-1], images[index:index + 1])
    yield "digits int8", digits.MODEL, digits.CALIBRATION, samples, []
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
    yield "MiniLM encoder layer int8", model, calibration, samples, []
    for name, build in (("ResNet-50", lambda path: light.build("resnet50", path)),
                        ("EfficientNet-Lite0", efficientnet_lite0.build)):
        model = tools.path(f"{name}.onnx")
        build(model)
        yield f"{name} int8", model, *noise(tools, name, 2), []
    yield from symbolic_cases(tools)


def limiter(target, blocks, instructions, mma, sectors):
    """What the most clocks of a machine go to."""
    _, processors, macs, bytes_of_memory = MACHINES[target]
    clocks = {"instructions": instructions / (ISSUED * min(processors, blocks)),
              "tensor cores": mma * MMA_MACS / (macs * min(1, blocks / processors)),
              "memory": sectors * SECTOR / bytes_of_memory}
    most = max(clocks, key=clocks.get)
    return f"{most}{f', {blocks} blocks' if blocks < processors else ''}"


def table(layers, steps, target):
    """Kernels of one target: registers, shared memory, occupancy and, by the counts of the emulator, what limits them."""
    counts = {step[1]: [int(step[k]) for k in (3, 4, 5)] for step in steps}
    seen = set()
    for layer in layers:
        if layer["function"] in seen or layer["function"] not in counts:
            continue
        seen.add(layer["function"])
        row = layer["launches"][target]
        shared = row["static_shared_bytes"] + row["dynamic_shared_bytes"]
        print(f"  {target} {layer['function']:32} {row['registers']:4} registers {shared:6} bytes shared "
              f"{100 * row['occupancy']:4.0f} % occupancy  {limiter(target, row['blocks'], *counts[layer['function']])}")


def evaluate(report, tools):
    for case, model, calibration, samples, options in cases(tools):
        program = tools.path("program.mlirbc")
        tools.run("q-compile", model, *options, "-o", program, "--calibration", calibration, "--stop-after", "dispatch")
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
        on_cores = sum(layer["macs"] for layer in layers if layer["kernel"].startswith(("mma", "gemv")))
        report.add(SUITE, case, "share of macs on tensor cores", on_cores / macs)
        left = sum(layer["kernel"].startswith("tasks") for layer in layers)
        report.add(SUITE, case, "steps left to tasks", left, reference=f"of {len(layers)}")
        rows = [row for layer in layers for row in layer["launches"].values()]
        if any("registers" not in row for row in rows):
            print(f"{SUITE}: skipped registers and spills: there is no ptxas")
            continue
        report.add(SUITE, case, "bytes spilled on six targets", sum(row["spill_bytes"] for row in rows), ("==", 0))
        report.add(SUITE, case, "most registers", max(row["registers"] for row in rows), ("<=", 255))
        if options:
            continue  # grids, and so what limits a kernel, hang on sizes
        for target in TARGETS.split(",") if case.startswith("MiniLM") else ["sm_80"]:
            table(layers, steps, target)
