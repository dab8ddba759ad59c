# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The suite gpu: products, convolutions and whole models on a GPU, products beside cuBLASLt's on the same sizes.

Times need a GPU, its driver and the CUDA toolkit (nvcc); where one is missing the suite says so and prints, for each kernel
and target, registers, shared memory, occupancy and what would limit it by the emulator's counts. Layers come in chains, so
that a launch, and the copies of inputs and outputs, fade; shares are of peaks that cuBLASLt reaches in the same run.
"""

import ctypes
import json
import os
import shutil
import subprocess

import numpy as np
import onnx

from evaluation import gpu as counted
from evaluation.bench.layers import Convolution, Product, sample
from models import light

CHAIN = 16
PRODUCTS = [Product(rows, depth, columns, chain=CHAIN) for rows, depth, columns in
            ((128, 768, 768), (384, 768, 3072), (1024, 1024, 1024), (4096, 4096, 4096))]
CONVOLUTIONS = [Convolution(56, 64, 64, 3, chain=CHAIN), Convolution(14, 256, 256, 3, chain=CHAIN),
                Convolution(14, 1024, 256, 1, chain=CHAIN)]
# On the emulator: few layers, no chain.
COUNTED = [Product(128, 768, 768), Product(384, 768, 3072), Convolution(56, 64, 64, 3), Convolution(14, 256, 256, 3)]
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cublas.cu")
NVCC = "/usr/local/cuda/bin/nvcc"


def missing():
    """Why nothing can be timed here, or None."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no GPU driver (libcuda.so.1)"
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or count.value == 0:
        return "the driver finds no GPU"
    return None if compiler() else "there is no nvcc to build the comparison with cuBLASLt"


def compiler():
    return shutil.which("nvcc") or (NVCC if os.path.exists(NVCC) else None)


def build_cublas(tools):
    """The program that measures cuBLASLt and the peaks."""
    program = tools.path("cublas")
    subprocess.run([compiler(), "-O2", "-std=c++17", SOURCE, "-o", program, "-lcublasLt"], check=True)
    return program


def size(layer):
    return f"{layer.rows}x{layer.depth}x{layer.channels}"


def compiled(bench, layer, targets):
    """(library, input) of a layer of codes."""
    name = "".join(c if c.isalnum() else "-" for c in layer.name)
    path, library, feed = (bench.tools.path(f"{name}-gpu{suffix}") for suffix in (".onnx", ".so", ".npz"))
    onnx.save(layer.model("u8"), path)
    np.savez(feed, x=sample(layer.shape, "u8"))
    bench.tools.compile(path, library, "--fail-on-fallback", "--target", f"nvptx:{targets}")
    return library, feed


def seconds(bench, library, feed):
    """The fastest run of a library, on the GPU."""
    path = bench.tools.path("time.json")
    bench.tools.run("q-run", library, "--input", feed, "--benchmark", "--json", path, "--min-time", bench.seconds)
    with open(path) as file:
        return json.load(file)["min_ms"] * 1e-3


def time(bench, peers):
    """Layers and models on the GPU of this machine."""
    print(f"gpu: {peers['gpu']} (sm_{peers['capability']}), memory {peers['bytes'] / 1e9:.0f} GB/s, "
          f"int8 {peers['macs'] / 1e12:.1f} T multiply-accumulates a second (cuBLASLt)")
    targets = [name for name in counted.TARGETS.split(",") if int(name[3:]) <= peers["capability"]]
    for layer in PRODUCTS + CONVOLUTIONS:
        ours = seconds(bench, *compiled(bench, layer, targets[-1]))
        bench.report.add("gpu", layer.name, "share of the int8 peak", layer.macs / ours / peers["macs"])
        theirs = peers["products"].get(size(layer)) if isinstance(layer, Product) else None
        if theirs is not None and theirs > 0:
            bench.report.add("gpu", layer.name, "speed over cuBLASLt's", theirs * 1e-6 * layer.chain / ours, (">=", 0.8))
    path = bench.tools.path("resnet50.onnx")
    light.build("resnet50", path)
    calibration, samples = counted.noise(bench.tools, "resnet50", 2)
    library = bench.tools.compile(path, bench.tools.path("resnet50.so"), "--calibration", calibration, "--target",
                                  f"nvptx:{targets[-1]}")
    bench.report.add("gpu", "ResNet-50 int8, one image", "milliseconds", 1e3 * seconds(bench, library, samples[0]))


def count(bench):
    """The table of what would limit the kernels."""
    for layer in COUNTED[:1] if bench.quick else COUNTED:
        library, feed = compiled(bench, layer, counted.TARGETS)
        said = bench.tools.run("q-run", library, "--device", "ptx-emulator", "--input", feed, "--counters")
        with open(library.replace(".so", ".receipt.json")) as file:
            layers = json.load(file)["layers"]
        if any("registers" not in row for each in layers for row in each["launches"].values()):
            print("gpu: skipped the table: there is no ptxas")
            return
        print(f"gpu: {layer.name}")
        for target in counted.TARGETS.split(","):
            counted.table(layers, counted.COUNTERS.findall(said), target)


def suite(bench):
    why = missing()
    if why:
        print(f"gpu: skipped all times: {why}")
        count(bench)
        return
    sizes = [size(layer) for layer in PRODUCTS]
    said = subprocess.run([build_cublas(bench.tools), *sizes], capture_output=True, text=True, check=True).stdout
    time(bench, json.loads(said))
