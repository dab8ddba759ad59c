# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Install the build, and use what was installed as others do: find_package(QDialect), the plugin, the tools, Python."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=600, **more)
    if done.returncode:
        print((done.stdout + done.stderr)[-3000:])
        sys.exit(f"FAILED: {' '.join(map(str, command))}")
    return done.stdout


def cached(build):
    """The variables of a build folder's CMake cache."""
    with open(os.path.join(build, "CMakeCache.txt")) as file:
        entries = [line.strip().split("=", 1) for line in file if "=" in line and line[0] not in "#/"]
    return {name.split(":")[0]: value for name, value in entries}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    build = os.path.abspath(parser.parse_args().build)
    digits = os.path.join(ROOT, "models/digits/digits.onnx")
    calibration = os.path.join(ROOT, "models/digits/calibration.npz")
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "prefix")
        run("cmake", "--install", build, "--prefix", prefix)
        bin_dir = os.path.join(prefix, "bin")
        quantized, library = os.path.join(folder, "quantized.mlir"), os.path.join(folder, "digits.so")
        run(os.path.join(bin_dir, "q-compile"), digits, "--calibration", calibration, "--stop-after", "quantize", "-o",
            quantized)

        consumer = os.path.join(folder, "consumer")
        cache = cached(build)
        compilers = [f"-D{name}={cache[name]}" for name in ("CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER")]
        # A copy: nothing of the source tree is in reach.
        source = shutil.copytree(os.path.join(ROOT, "examples/consumer"), os.path.join(folder, "source"))
        run("cmake", "-G", "Ninja", "-S", source, "-B", consumer, f"-DCMAKE_PREFIX_PATH={prefix}", *compilers)
        run("cmake", "--build", consumer)
        count = run(os.path.join(consumer, "count-integer-ops"), quantized)
        print(f"find_package(QDialect): {count.strip()}")
        if count != "7 of 7 products are integers\n":
            sys.exit("FAILED: the digits model has 7 contractions")

        plugin = os.path.join(prefix, "lib", "QDialectPlugin.so")
        mlir_opt = os.path.join(cache["MLIR_DIR"], "../../../bin/mlir-opt")
        text = run(mlir_opt, f"--load-dialect-plugin={plugin}", f"--load-pass-plugin={plugin}",
                   "--pass-pipeline=builtin.module(qd-integerize-pipeline{rescale=dyadic})", quantized)
        print(f"plugin: {text.count('qd.acc_bound')} bounds")
        if not text.count("qd.acc_bound"):
            sys.exit("FAILED: the plugin's pipeline proved no bound")

        run(os.path.join(bin_dir, "q-compile"), quantized, "-o", library)
        python = os.path.join(prefix, "share/qdialect/python")
        np.save(os.path.join(folder, "image.npy"), np.load(calibration)["image"][:1])
        code = ("import numpy as np; from qdialect import Model; m = Model('digits.so'); "
                "print(m.run(image=np.load('image.npy'))['logits'].argmax())")
        digit = run(sys.executable, "-c", code, cwd=folder, env={**os.environ, "PYTHONPATH": python})
        print(f"Python: digit {digit.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
