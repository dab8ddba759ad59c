// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// q-compile: from a model to an integer shared library. --help teaches.

#include "QDialect/Pipelines/Compiler.h"

int main(int argc, char **argv) { return qdialect::compileMain(argc, argv); }
