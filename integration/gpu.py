# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models compiled for GPUs on the PTX emulator.

The int8 digits CNN for the oldest target equals the library for CPUs and the interpreter bit for bit, without a finding of
any checker; for every target ptxas (where there is one) takes its kernels without a spill.
"""

import argparse
import json
import os
import sys

import numpy as np

from evaluation.digits import CALIBRATION, MODEL, test_set
from evaluation.tools import Tools

TARGETS = "sm_80,sm_86,sm_89,sm_90,sm_100,sm_120"
IMAGES = 3


def check_bits(tools):
    """One target, against the CPU and the interpreter; returns the number of outputs that differ."""
    gpu = tools.compile(MODEL, tools.path("gpu.so"), "--calibration", CALIBRATION, "--target", "nvptx:sm_80")
    program = tools.path("digits.mlirbc")
    tools.run("q-compile", MODEL, "-o", program, "--calibration", CALIBRATION, "--stop-after", "dispatch")
    cpu = tools.compile(program, tools.path("cpu.so"))
    images, _ = test_set()
    failed = 0
    for index in range(IMAGES):
        image = tools.path("image.npy")
        np.save(image, images[index : index + 1])
        for reference in (cpu, program):
            said = tools.run("q-run", gpu, "--device", "ptx-emulator", "--input", image, "--compare", reference)
            if "equal 1.000000" not in said:
                failed += 1
                print(f"image {index} against {os.path.basename(reference)}: {said}")
    print(f"digits: {IMAGES} images on the emulator against the CPU's library and the interpreter, {failed} differ")
    return failed


def check_targets(tools):
    """Every target; returns the number of kernels that spill."""
    so = tools.compile(MODEL, tools.path("all.so"), "--calibration", CALIBRATION, "--target", f"nvptx:{TARGETS}")
    with open(so.replace(".so", ".receipt.json")) as file:
        layers = json.load(file)["layers"]
    rows = [(layer["name"], target, row) for layer in layers for target, row in layer["launches"].items()]
    if len(rows) != len(layers) * len(TARGETS.split(",")):
        print("a target is missing in the receipt")
        return 1
    if any("registers" not in row for _, _, row in rows):
        print("skipped the checks of registers: there is no ptxas")
        return 0
    spills = [(name, target) for name, target, row in rows if row["spill_bytes"]]
    most = max(row["registers"] for _, _, row in rows)
    print(f"digits: {len(rows)} kernels through ptxas, {most} registers at most, {len(spills)} spill {spills}")
    return len(spills)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    tools = Tools(parser.parse_args().build)
    return 1 if check_bits(tools) + check_targets(tools) else 0


if __name__ == "__main__":
    sys.exit(main())
