// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The element types, state spaces and diagnostics of PTX.

#ifndef QDIALECT_PTX_TYPES_H
#define QDIALECT_PTX_TYPES_H

#include <cstdint>
#include <string>
#include <string_view>

namespace qdialect::ptx {

/// Types as they follow an opcode or a declaration; the packed ones hold two
/// elements in one register.
enum class Type : uint8_t {
  None,
  Pred,
  B1,
  S4,
  U4,
  B8,
  U8,
  S8,
  B16,
  U16,
  S16,
  B32,
  U32,
  S32,
  B64,
  U64,
  S64,
  B128,
  F16,
  BF16,
  F16x2,
  BF16x2,
  F32,
  F64,
  F32x2,
  U16x2,
  S16x2,
  TF32,
  E4M3,
  E5M2,
  E4M3x2,
  E5M2x2,
  E2M3x2,
  E3M2x2,
  E2M1x2,
  UE8M0x2,
};

/// Bits of a register or memory element of this type (8 for sub-byte types
/// that only occur packed, 1 for predicates).
unsigned bitWidth(Type type);
inline unsigned byteWidth(Type type) { return (bitWidth(type) + 7) / 8; }
bool isSigned(Type type);
bool isFloat(Type type);
/// "s32" -> Type::S32; None where it is no type.
Type parseType(std::string_view name);
std::string_view name(Type type);

enum class Space : uint8_t {
  Generic,
  Register,
  Const,
  Global,
  Local,
  Param,
  Shared,
};
std::string_view name(Space space);

/// What is wrong with a text and where; `line` counts from 1, 0 means nowhere.
struct Diagnostic {
  unsigned line = 0;
  std::string message;
};

} // namespace qdialect::ptx

#endif // QDIALECT_PTX_TYPES_H
