#!/usr/bin/env python3
# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Imports the ONNX models that a test file contains and prints what q-translate says.

    import_models.py FILE.test [work folder]

The file holds cases between lines that begin with `// -----`:

    // ----- name [--dim n=2 ...]        arguments for q-translate
    #init w float[4,3,3,3] 0.5           an initializer: one number for all, or `arange`
    agraph (float[1,3,8,8] x) => (float[1,4,6,6] y) { y = Conv(x, w) }

in ONNX's own text syntax (onnx.parser). Lines that begin with # are comments of the test. `#opset N` overrides the
default 17. The model is written as model.onnx in the work folder and imported from there, so that messages name
it so. Output: `// case: name`, the module or the error, `// exit: code`.
"""

import os
import subprocess
import sys

import numpy as np
import onnx
import onnx.parser
from onnx import helper, numpy_helper

DTYPES = {name.lower(): value for name, value in onnx.TensorProto.DataType.items()}


def initializer(words):
    """`#init name type[shape] number|arange` as a TensorProto."""
    name, kind, value = words
    kind, _, dims = kind.rstrip("]").partition("[")
    shape = [int(d) for d in dims.split(",") if d]
    count = int(np.prod(shape))
    numbers = np.arange(count) if value == "arange" else np.full(count, float(value))
    dtype = DTYPES[kind]
    if kind in ("int4", "uint4"):
        return helper.make_tensor(name, dtype, shape, numbers.astype(int))
    return numpy_helper.from_array(numbers.reshape(shape).astype(helper.tensor_dtype_to_np_dtype(dtype)), name)


def assemble(lines):
    opset, inits, text = 17, [], []
    for line in lines:
        if line.startswith("#init "):
            inits.append(initializer(line.split()[1:]))
        elif line.startswith("#opset "):
            opset = int(line.split()[1])
        elif not line.startswith("#"):
            text.append(line)
    body = "\n".join(text)
    opsets = f'"" : {opset}, "com.example" : 1, "com.microsoft" : 1'
    model = onnx.parser.parse_model(f"<ir_version: 8, opset_import: [{opsets}]>\n{body}")
    model.graph.initializer.extend(inits)
    return model


def run_case(name, arguments, model_bytes, folder):
    path = os.path.join(folder, "model.onnx")
    with open(path, "wb") as file:
        file.write(model_bytes)
    command = ["q-translate", "--import-onnx", "model.onnx", "--mlir-elide-resource-strings-if-larger=16", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=60)
    print(f"// case: {name}\n{done.stdout}{done.stderr}// exit: {done.returncode}", flush=True)


def main():
    folder = sys.argv[2] if len(sys.argv) > 2 else "."
    os.makedirs(folder, exist_ok=True)
    case, lines = None, []
    with open(sys.argv[1]) as file:
        for line in file.read().splitlines() + ["// -----"]:
            if not line.startswith("// -----"):
                lines.append(line)
                continue
            if case:
                run_case(case[0], case[1:], assemble(lines).SerializeToString(), folder)
            case, lines = line.split()[2:], []


if __name__ == "__main__":
    main()
