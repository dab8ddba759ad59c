// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of all instructions, put together from its groups.

#include "Decoder.h"

using namespace qdialect;
using namespace qdialect::ptx;

const std::vector<InstructionList> &ptx::allInstructions() {
  static const std::vector<InstructionList> all = {
      integerInstructions(),     extendedInstructions(), logicInstructions(),
      compareInstructions(),     floatInstructions(),    halfInstructions(),
      approximateInstructions(), convertInstructions(),  moveInstructions(),
      memoryInstructions(),      atomicInstructions(),   controlInstructions(),
      warpInstructions(),        barrierInstructions(),  mbarrierInstructions(),
      asyncCopyInstructions(),   fragmentInstructions(), matrixInstructions(),
      wmmaInstructions()};
  return all;
}

std::vector<InstructionRow> ptx::listInstructions() {
  std::vector<InstructionRow> rows;
  for (const InstructionList &list : allInstructions())
    for (const InstructionInfo &info : list)
      rows.push_back(
          {info.opcode,
           info.types.substr(info.types.substr(0, 2) == "? " ? 2 : 0),
           info.modifiers, info.group});
  return rows;
}
