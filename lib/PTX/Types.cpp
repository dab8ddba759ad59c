// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names and widths of the types: one table.

#include "QDialect/PTX/Types.h"

#include <iterator>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
struct TypeRow {
  std::string_view name;
  unsigned bits;
};
} // namespace

// In the order of the enumeration.
static const TypeRow kTypes[] = {
    {"", 0},        {"pred", 1},    {"b1", 8},      {"s4", 8},
    {"u4", 8},      {"b8", 8},      {"u8", 8},      {"s8", 8},
    {"b16", 16},    {"u16", 16},    {"s16", 16},    {"b32", 32},
    {"u32", 32},    {"s32", 32},    {"b64", 64},    {"u64", 64},
    {"s64", 64},    {"b128", 128},  {"f16", 16},    {"bf16", 16},
    {"f16x2", 32},  {"bf16x2", 32}, {"f32", 32},    {"f64", 64},
    {"f32x2", 64},  {"u16x2", 32},  {"s16x2", 32},  {"tf32", 32},
    {"e4m3", 8},    {"e5m2", 8},    {"e4m3x2", 16}, {"e5m2x2", 16},
    {"e2m3x2", 16}, {"e3m2x2", 16}, {"e2m1x2", 8},  {"ue8m0x2", 16}};

unsigned ptx::bitWidth(Type type) {
  return kTypes[static_cast<unsigned>(type)].bits;
}

std::string_view ptx::name(Type type) {
  return kTypes[static_cast<unsigned>(type)].name;
}

Type ptx::parseType(std::string_view name) {
  for (unsigned i = 1; i < std::size(kTypes); ++i)
    if (kTypes[i].name == name)
      return static_cast<Type>(i);
  return Type::None;
}

bool ptx::isSigned(Type type) {
  switch (type) {
  case Type::S4:
  case Type::S8:
  case Type::S16:
  case Type::S32:
  case Type::S64:
  case Type::S16x2:
    return true;
  default:
    return false;
  }
}

bool ptx::isFloat(Type type) {
  switch (type) {
  case Type::F16:
  case Type::BF16:
  case Type::F16x2:
  case Type::BF16x2:
  case Type::F32:
  case Type::F64:
  case Type::F32x2:
    return true;
  default:
    return false;
  }
}

std::string_view ptx::name(Space space) {
  static const std::string_view names[] = {
      "generic", "reg", "const", "global", "local", "param", "shared"};
  return names[static_cast<unsigned>(space)];
}
