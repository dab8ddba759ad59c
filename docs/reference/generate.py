# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Writes the reference of the dialect and of the passes from their .td files.

    generate.py            writes QDDialect.md and Passes.md beside this script
    generate.py --check    fails, showing the difference, if they are out of date
"""

import argparse
import difflib
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
PAGES = {
    "QDDialect.md": ("IR/QDOps.td", ["-gen-dialect-doc", "-dialect=qd"]),
    "Passes.md": ("Transforms/Passes.td", ["-gen-pass-doc"]),
    "SearchPasses.md": ("Pipelines/Passes.td", ["-gen-pass-doc"]),
}


def find_tblgen(given):
    for name in [given] if given else ["mlir-tblgen", "mlir-tblgen-22"]:
        path = shutil.which(name)
        if path:
            return pathlib.Path(path).resolve()
    sys.exit("generate.py: mlir-tblgen is not on PATH; give --tblgen")


def generate(tblgen, td, options):
    include = tblgen.parent.parent / "include"
    command = [tblgen, *options, f"-I{include}", f"-I{SOURCE / 'include'}"]
    command.append(SOURCE / "include" / "QDialect" / td)
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stderr)
    lines = [line.rstrip() for line in run.stdout.splitlines()]
    return "\n".join(lines).strip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    parser.add_argument("--tblgen", help="the mlir-tblgen to run")
    arguments = parser.parse_args()
    tblgen = find_tblgen(arguments.tblgen)
    stale = []
    for page, (td, options) in PAGES.items():
        text = generate(tblgen, td, options)
        path = HERE / page
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
        elif old != text:
            stale.append(page)
            difference = difflib.unified_diff(
                old.splitlines(), text.splitlines(), page, "generated", lineterm=""
            )
            print("\n".join(difference))
    if stale:
        sys.exit(f"out of date: {', '.join(stale)} (build the target qdialect-doc)")


if __name__ == "__main__":
    main()
