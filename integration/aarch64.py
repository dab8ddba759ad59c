# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Libraries for AArch64, cross-compiled and run under qemu.

Every variant gives the interpreter's codes on the digits model in both rescale modes and on random QDQ layers, and the
runtime takes the best variant of each processor.
"""

import argparse
import glob
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx

from evaluation.digits import CALIBRATION, MODEL, test_set
from evaluation.tools import ROOT, Tools
from integration import qdq_graphs

LIBRARIES = "/usr/aarch64-linux-gnu"
VARIANTS = ("i8mm", "dotprod", "neon")
PROCESSORS = {"max": "i8mm", "neoverse-n1": "dotprod", "cortex-a72": "neon"}  # of qemu: what must be chosen there
IMAGES = 5


def missing():
    """What this machine lacks, or None."""
    needed = {"qemu-aarch64 (qemu-user)": shutil.which("qemu-aarch64"), "clang": compiler(),
              "the C library for AArch64 (libc6-dev-arm64-cross)": os.path.exists(f"{LIBRARIES}/lib/libc.so.6"),
              "libgcc for AArch64 (libgcc-12-dev-arm64-cross)":
                  glob.glob("/usr/lib/gcc-cross/aarch64-linux-gnu/*/libgcc.a")}
    return next((name for name, found in needed.items() if not found), None)


def compiler():
    return shutil.which("clang-22") or shutil.which("clang")


class Emulator:
    """The driver built for AArch64, under qemu."""

    def __init__(self, tools):
        self.driver = tools.path("driver")
        source = os.path.join(ROOT, "integration", "cross", "driver.c")
        subprocess.run([compiler(), "--target=aarch64-linux-gnu", "-std=gnu11", "-O1", "-fuse-ld=lld", "-I",
                        os.path.join(ROOT, "runtime", "include"), source, "-o", self.driver, "-ldl"], check=True)

    def run(self, library, variant, samples, processor="max"):
        """The first output's bytes of each sample, and the variant that ran."""
        done = subprocess.run(["qemu-aarch64", "-cpu", processor, "-L", LIBRARIES, self.driver, library, variant],
                              input=b"".join(samples), capture_output=True, check=False, timeout=300)
        said = done.stderr.decode().strip()
        if done.returncode:
            raise RuntimeError(f"{os.path.basename(library)}, variant {variant} on {processor}: {said}")
        return done.stdout, said


def interpreted(tools, program, feeds):
    """The first output of the reference semantics for each of the feeds, as bytes."""
    data = []
    for feed in feeds:
        arguments = []
        for name, value in feed.items():
            np.save(tools.path(f"{name}.npy"), value)
            arguments += ["--input", f"{name}={tools.path(f'{name}.npy')}"]
        folder = tools.path("interpreted")
        shutil.rmtree(folder, ignore_errors=True)
        tools.run("q-run", "--interpret", program, *arguments, "--output-dir", folder)
        (output,) = os.listdir(folder)
        data.append(np.load(os.path.join(folder, output)).tobytes())
    return b"".join(data)


def differing(tools, emulator, name, model, flags, feeds):
    """Variants of a model that differ from the interpreter."""
    library = tools.compile(model, tools.path("arm.so"), *flags, "--target-cpu=aarch64")
    program = tools.compile(model, tools.path("program.mlir"), *flags, "--stop-after=integerize")
    wanted = interpreted(tools, program, feeds)
    samples = [np.ascontiguousarray(value).tobytes() for feed in feeds for value in feed.values()]
    wrong = []
    for variant in VARIANTS:
        own, said = emulator.run(library, variant, samples)
        if said != variant or own != wanted:
            count = sum(a != b for a, b in zip(own, wanted, strict=False))
            wrong.append(f"{name}, {variant}: {count} of {len(wanted)} bytes differ, {len(own)} were written")
    return wrong


def choices(tools, emulator, flags):
    """Processors on which another variant than the best was taken."""
    library, images = tools.compile(MODEL, tools.path("digits.so"), *flags, "--target-cpu=aarch64"), test_set()[0]
    for processor, variant in PROCESSORS.items():
        _, said = emulator.run(library, "-", [images[0].tobytes()], processor)
        if said != variant:
            yield f"on {processor} the variant '{said}' ran, not '{variant}'"


def refusals(tools):
    """What a tool of this machine says of a library for the other."""
    done = subprocess.run([os.path.join(tools.bin, "q-run"), tools.path("digits.so"), "--info"], capture_output=True,
                          text=True, check=False)
    if done.returncode == 0 or "was compiled for aarch64, this machine is" not in done.stderr:
        yield f"q-run of a library for AArch64: exit code {done.returncode}, {done.stderr.strip()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--count", type=int, default=24, help="random graphs")
    parser.add_argument("--seed", type=int, default=23)
    args = parser.parse_args()
    if lacks := missing():
        print(f"skipped: there is no {lacks}")
        return 0
    tools, wrong = Tools(args.build), []
    emulator = Emulator(tools)
    images, _ = test_set()
    digits = ("--calibration", CALIBRATION, "--recipe=w8a8-int")
    feeds = [{"image": images[i:i + 1]} for i in range(IMAGES)]
    for rescale in ("float", "dyadic"):
        wrong += differing(tools, emulator, f"digits, {rescale}", MODEL, (*digits, f"--rescale={rescale}"), feeds)
    wrong += choices(tools, emulator, digits)
    wrong += refusals(tools)
    for index in range(args.count):
        random = np.random.default_rng([args.seed, index])
        kind = qdq_graphs.KINDS[index % len(qdq_graphs.KINDS)]
        model, feed, _ = qdq_graphs.build(kind, random, 8, 8)
        path = tools.path("graph.onnx")
        onnx.save(model, path)
        wrong += differing(tools, emulator, f"seed {args.seed} graph {index} ({kind})", path, ("--rescale=float",), [feed])
    print("".join(f"{line}\n" for line in wrong), end="")
    print(f"AArch64: digits and {args.count} random graphs in {len(VARIANTS)} variants beside the interpreter, "
          f"{len(wrong)} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
