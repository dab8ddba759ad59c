# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run the integration tests of one build folder, one line each; exit code 1 when any failed.

Each test is a module run as a process of its own; what cannot run here says "skipped" and why.
"""

import argparse
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESTS = [
    ("digits", ["evaluation", "digits"]),
    ("integer only", ["evaluation", "integer-only", "--quick"]),
    ("equivalent rewrites", ["integration.rewrites"]),
    ("scales of channels", ["integration.channel_scales"]),
    ("random QDQ graphs", ["integration.random_qdq"]),
    ("random QDQ graphs of 16 bits", ["integration.random_qdq", "--bits", "16", "--count", "36"]),
    ("random QDQ graphs of 16-bit weights", ["integration.random_qdq", "--bits", "16", "--weight-bits", "16", "--count",
                                             "25"]),
    ("random QDQ graphs of 4 bits", ["integration.random_qdq", "--bits", "4", "--count", "18"]),
    ("random float graphs", ["integration.random_float"]),
    ("carried models", ["evaluation", "carried", "--quick"]),
    ("blocked weights", ["integration.matmul_nbits"]),
    ("export to ONNX", ["integration.onnx_export"]),
    ("symbolic sizes", ["integration.dynamic"]),
    ("half precision", ["integration.half_precision"]),
    ("sizes that depend on data", ["integration.data_sizes"]),
    ("resized images", ["integration.resize"]),
    ("bounds that the program computes", ["integration.computed_bounds"]),
    ("sizes that agree when the model runs", ["integration.run_time_shapes"]),
    ("a decoder block in integers", ["integration.llama_block"]),
    ("networks of many operators", ["integration.many_operators"]),
    ("control flow", ["integration.control_flow"]),
    ("values that change size in loops", ["integration.growing_loops"]),
    ("GPUs", ["integration.gpu"]),
    ("AArch64", ["integration.aarch64"]),
    ("the benchmark", ["integration.bench"]),
    ("recipes of blocked weights", ["integration.weight_blocks"]),
    ("channels of outliers in floats", ["integration.llm_int8"]),
    ("blocked weights on GPUs", ["integration.gpu_matmul_nbits"]),
    ("installed files in other projects", ["integration.install"]),
    ("bad input", ["integration.bad_input"]),
    ("kept inputs of the fuzzer", ["fuzz.corpus", "replay"]),
    ("ONNX conformance", ["integration.onnx.conformance", "--quick"]),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.path.join(ROOT, 'python')}"}
    failed = 0
    for name, (module, *rest) in TESTS:
        start = time.monotonic()
        command = [sys.executable, "-m", module, *rest, "--build", args.build]
        done = subprocess.run(command, cwd=ROOT, env=env, text=True, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        verdict = "FAILED" if done.returncode else "passed"
        failed += bool(done.returncode)
        print(f"integration: {name}: {verdict} in {time.monotonic() - start:.0f} s", flush=True)
        print("".join(f"  {line}\n" for line in done.stdout.splitlines()[-60:]), end="", flush=True)
    print(f"{len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
