# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check the layer rule: which folder of the library may include which (docs/Architecture.md).

  check_layers.py SOURCE_ROOT

Reads the #include lines of include/QDialect, lib, runtime and tools. Exit code 1 when a file breaks the rule.
"""

import os
import re
import sys

# Folder (longest prefix wins): the QDialect folders that it may include besides itself.
MAY_INCLUDE = {
    "Numerics": [],
    "PTQ": ["Numerics"],
    "PTX": ["Numerics"],
    "Search": ["Numerics", "PTQ"],
    "Support": ["IR"],
    "IR": ["Numerics"],
    "Analysis": ["IR", "Numerics", "Support"],
    "Interpreter": ["IR", "Numerics", "Support"],
    "Transforms": ["IR", "Numerics", "Support", "Analysis", "Interpreter", "PTQ"],
    "CodeGen": ["IR", "Numerics", "Support", "Analysis", "Transforms", "Interpreter"],
    "Target/ONNX": ["IR", "Numerics", "Support", "Analysis", "Interpreter"],
    "Target/SharedLibrary": ["IR", "Numerics", "Support", "Analysis", "CodeGen"],
    "Execution": ["IR", "Numerics", "Support", "CodeGen", "Target/SharedLibrary", "Interpreter", "PTX"],
    "Pipelines": None,  # may see everything
    "tools": None,
}
NO_MLIR = ["Numerics", "PTQ", "PTX", "Search"]
NO_LLVM = ["Numerics", "PTX"]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')


def folder_of(path):
    return max((f for f in MAY_INCLUDE if path == f or path.startswith(f + "/")), key=len, default=None)


def sources(root):
    for top in ("include/QDialect", "lib", "tools"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith((".h", ".cpp")):
                    path = os.path.join(folder, name)
                    inner = os.path.relpath(path, os.path.join(root, top))
                    yield path, "tools" if top == "tools" else folder_of(inner)


def broken_rules(root):
    for path, owner in sources(root):
        with open(path) as file:
            for number, line in enumerate(file, 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match.group(1)
                where = f"{os.path.relpath(path, root)}:{number}"
                if owner is None:
                    yield f"{where}: its folder has no rule in check_layers.py"
                    break
                if owner in NO_MLIR and target.startswith("mlir/"):
                    yield f"{where}: {owner} must not know MLIR ({target})"
                if owner in NO_LLVM and target.startswith("llvm/"):
                    yield f"{where}: {owner} must not know LLVM ({target})"
                if "onnx" in target.lower() and target.endswith(".pb.h") and owner != "Target/ONNX":
                    yield f"{where}: protobuf stays inside Target/ONNX ({target})"
                if target.startswith("QDialect/") and MAY_INCLUDE[owner] is not None:
                    other = folder_of(target[len("QDialect/"):])
                    allowed = MAY_INCLUDE[owner]
                    if other != owner and other not in allowed:
                        yield f"{where}: {owner} must not include {other} ({target})"
    for folder, _, names in os.walk(os.path.join(root, "runtime")):
        for name in names:
            with open(os.path.join(folder, name)) as file:
                if re.search(r'#\s*include\s+["<](llvm|mlir)', file.read()):
                    yield f"{os.path.relpath(os.path.join(folder, name), root)}: the runtime must not know LLVM"


def main():
    problems = list(broken_rules(sys.argv[1]))
    print("\n".join(problems) or "the layer rule holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
