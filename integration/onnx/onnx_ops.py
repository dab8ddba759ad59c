#!/usr/bin/env python3
# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Imports random one-operator models, interprets them and compares with ONNX Runtime (optimisations off).

    onnx_ops.py --q-run build/bin/q-run [--count 20] [--seed 1] [--only conv] [--json rows.json]

--count models of each generator of op_cases.py. Data movement and integer results must be bit-equal, float arithmetic
within 1e-5 of the largest reference value. Exit code 1 and the case's description if one differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime as ort
import op_cases


def reference(model):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_ours(tools, model, case, folder):
    path = os.path.join(folder, "model.onnx")
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
    translate, run = tools
    if translate:
        command = [translate, "--import-onnx", path, "-o", os.path.join(folder, "model.mlir")]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
        if done.returncode:
            return None, done.stderr.strip()
        path = os.path.join(folder, "model.mlir")
    command = [run, path, "--interpret", "--output-dir", folder]
    for name, array in case.inputs.items():
        np.save(os.path.join(folder, name + ".npy"), array)
        command += ["--input", f"{name}={folder}/{name}.npy"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    if done.returncode:
        return None, (done.stderr or done.stdout).strip()
    return [np.load(os.path.join(folder, f"y{i}.npy")) for i in range(case.outputs)], ""


def difference(ours, theirs, tolerance):
    """Empty if they agree, else what differs."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{ours.dtype}{ours.shape} instead of {theirs.dtype}{theirs.shape}"
    if tolerance == 0:
        return "" if np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f") else "bits differ"
    if ours.size == 0:
        return ""
    scale = max(float(np.max(np.abs(theirs.astype(np.float64)), initial=0.0, where=np.isfinite(theirs))), 1.0)
    error = float(np.max(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)))) / scale
    return "" if error <= tolerance else f"error {error:.2e} exceeds {tolerance:.0e}"


def try_case(generator, rng, tools, folder):
    """(agrees, text), or None if ONNX Runtime itself refuses the model."""
    try:
        case = generator(rng)
        model = case.model(case.output_types())
        theirs = reference(model).run(None, case.inputs)
    except op_cases.Retry:
        return None
    except Exception as refused:  # ONNX Runtime's exceptions share no base class
        return None if "onnxruntime" in type(refused).__module__ else (False, repr(refused))
    shapes = {
        name: array.tolist() if array.dtype == np.int64 and array.size < 9 else f"{array.dtype}{array.shape}"
        for name, array in {**case.inputs, **case.constants}.items()
    }
    text = f"{case.op} opset {case.opset} {case.attributes} {shapes}"
    ours, error = run_ours(tools, model, case, folder)
    if ours is None:
        return False, f"{text}: {error}"
    problems = [d for o, t in zip(ours, theirs) if (d := difference(o, t, case.tolerance))]
    return not problems, f"{text}: {'; '.join(problems)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--q-run", default="q-run")
    parser.add_argument("--q-translate", help="import with this tool and interpret the module's text")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    rows, failed = [], False
    for generator in op_cases.GENERATORS:
        if arguments.only not in generator.__name__:
            continue
        done = good = attempts = 0
        rng = np.random.default_rng([arguments.seed, op_cases.GENERATORS.index(generator)])
        while done < arguments.count and attempts < 20 * arguments.count:
            attempts += 1
            with tempfile.TemporaryDirectory() as folder:
                outcome = try_case(generator, rng, (arguments.q_translate, arguments.q_run), folder)
            if outcome is None:
                continue
            done += 1
            good += outcome[0]
            if not outcome[0]:
                print(f"  FAIL {outcome[1]}", flush=True)
        print(f"{generator.__name__:16} {good} of {done} agree", flush=True)
        ok = done == arguments.count and good == done
        failed |= not ok
        rows.append({"suite": "onnx-ops", "case": generator.__name__, "metric": "agreement", "value": good / max(done, 1),
                     "reference": "onnxruntime", "goal": 1.0, "ok": ok})  # fmt: skip
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(rows, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
