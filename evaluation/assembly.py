# Part of the QDialect project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the kernels of a compiled model do, read from its machine code."""

import re
import shutil
import subprocess

# Arithmetic, comparison and conversion of x86's floats: SSE, AVX and AVX-512 by their suffix, x87 by its first letter.
# Moves, shuffles and bitwise operations (xorps) serve integers too.
FLOAT = re.compile(r"""^v?(?:(?:add|sub|mul|div|sqrt|rsqrt|rcp|min|max|cmp\w*|u?comi|round|rndscale|reduce|range|scalef|
                           getexp|getmant|hadd|hsub|addsub|dp|fn?m(?:add|sub|addsub|subadd)(?:132|213|231)?|
                           rsqrt14|rcp14|fixupimm|fpclass|exp2)
                        [ps][hsd]z?|cvt\w*[ps][hsd]\w*)$|^f(?!s?t?env|n?init|n?clex)[a-z0-9]+$""", re.X)
MOVES_OF_X87 = {"fxsave", "fxrstor", "fwait"}


def functions(so):
    """(symbol, mnemonics) of each function of the library."""
    objdump = shutil.which("llvm-objdump-22") or shutil.which("llvm-objdump") or "objdump"
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", so], capture_output=True, text=True,
                          check=True).stdout
    name, found = None, []
    for line in text.splitlines():
        head = re.match(r"^[0-9a-f]+ <(.+)>:$", line)
        if head:
            if name:
                yield name, found
            name, found = head.group(1), []
            continue
        instruction = re.match(r"^\s*[0-9a-f]+:\s+(?:\{\w+\}\s+|rep\w*\s+|lock\s+)?(\S+)", line)
        if instruction:
            found.append(instruction.group(1))
    if name:
        yield name, found


def is_float(mnemonic):
    return bool(FLOAT.match(mnemonic)) and mnemonic not in MOVES_OF_X87


def inner_layers(receipt):
    """The layers that neither read nor write floats: those between the casts of inputs and results."""
    def real(text):
        return re.search(r"(?:^|x|<)(?:f\d+|bf16)", text) is not None

    return [layer for layer in receipt["layers"]
            if not any(map(real, layer["inputs"])) and not real(layer["output"])]


def float_instructions(so, receipt):
    """{function: mnemonics} of the float instructions in the kernels of inner layers, which of these were found in
    the library, and which were not."""
    wanted = {layer["function"] for layer in inner_layers(receipt)}
    bad, read = {}, set()
    for name, mnemonics in functions(so):
        kernels = {function for function in wanted if name == function or name.startswith(function + "_")}
        if not kernels:
            continue
        read |= kernels
        floats = sorted({m for m in mnemonics if is_float(m)})
        if floats:
            bad[name] = floats
    return bad, read, wanted - read
