# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""lit configuration: tools by name, features by what this machine can run."""

import os
import shutil
import sys

import lit.formats

config.name = "QDialect"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.qdialect_obj, "test")

paths = [config.qdialect_bin, config.llvm_tools_dir, os.environ.get("PATH", "")]
config.environment["PATH"] = os.pathsep.join(paths)
config.environment["FILECHECK_OPTS"] = "-enable-var-scope --dump-input-filter=all"
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

venv = os.path.join(config.qdialect_src, ".cache", "venv", "bin", "python")
python = venv if os.path.exists(venv) else sys.executable
config.substitutions.append(("%python", python))
# A libcuda.so.1 that runs kernels on the PTX emulator.
config.substitutions.append(("%fakecuda", os.path.join(config.qdialect_obj, "unittests", "fake-cuda")))
config.substitutions.append(("%src", config.qdialect_src))
config.substitutions.append(("%plugin", os.path.join(os.path.dirname(config.qdialect_bin), "lib", "QDialectPlugin.so")))

# CUDA sources are compiled anew where there is a compiler for them.
nvcc = next((path for path in (shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc") if path and os.path.exists(path)), None)
if nvcc:
    config.available_features.add("nvcc")
    config.substitutions.append(("%nvcc", nvcc))

# Programs without the sanitizers' runtime cannot load what needs it.
if config.qdialect_sanitize:
    config.available_features.add("sanitizer")

# Slow tests say "REQUIRES: slow"; check-qdialect-quick passes quick=1.
if not lit_config.params.get("quick"):
    config.available_features.add("slow")
try:
    with open("/proc/cpuinfo") as info:
        flags = next((line for line in info if line.startswith("flags")), "")
    for feature in ("avx2", "avx512_vnni", "avx_vnni"):
        if f" {feature}" in flags:
            config.available_features.add(feature.replace("_", ""))
except OSError:
    pass
