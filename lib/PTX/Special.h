// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Special registers: %tid.x, %laneid, %clock64, ...

#ifndef QDIALECT_LIB_PTX_SPECIAL_H
#define QDIALECT_LIB_PTX_SPECIAL_H

#include "Exec.h"

namespace qdialect::ptx {

struct SpecialRegister {
  std::string_view name;
  unsigned bits;
  /// Read anew by every instruction (clocks); the others are constants of a
  /// frame.
  bool changes;
  uint64_t (*value)(const Warp &warp, unsigned lane);
};

/// Null for an unknown name.
const SpecialRegister *findSpecialRegister(std::string_view name);
const SpecialRegister &specialRegister(uint32_t number);
uint32_t numberOf(const SpecialRegister &special);

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_SPECIAL_H
