// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The header of a .npy array: magic, version, length and a Python dictionary
// literal with the keys descr, fortran_order and shape in any order. The
// grammar accepted is numpy's own output and nothing more.

#include "QDialect/Support/Npy.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using namespace qdialect;

static Error fail(StringRef where, const Twine &what) {
  return createStringError(where + ": " + what);
}

static Expected<DType> parseDescr(StringRef descr, StringRef where) {
  static const std::pair<StringLiteral, DType> table[] = {
      {"b1", DType::I1},  {"i1", DType::I8},  {"u1", DType::U8},
      {"i2", DType::I16}, {"u2", DType::U16}, {"i4", DType::I32},
      {"u4", DType::U32}, {"i8", DType::I64}, {"u8", DType::U64},
      {"f2", DType::F16}, {"f4", DType::F32}, {"f8", DType::F64}};
  StringRef code = descr;
  if (code.starts_with(">") && !code.ends_with("1"))
    return fail(where, "element type '" + descr +
                           "' is big-endian; store the array little-endian");
  if (!code.empty() && StringRef("<|=>").contains(code.front()))
    code = code.drop_front();
  for (auto &[text, type] : table)
    if (code == text)
      return type;
  return fail(where, "element type '" + descr +
                         "' is not supported (bool, integers of 8 to 64 bits "
                         "and floats of 16 to 64 bits are)");
}

namespace {
/// A cursor over the dictionary literal.
struct Literal {
  StringRef rest;

  bool eat(char c) {
    rest = rest.ltrim(" \n\t");
    if (rest.empty() || rest.front() != c)
      return false;
    rest = rest.drop_front();
    return true;
  }
  bool string(StringRef &value) {
    rest = rest.ltrim(" \n\t");
    if (rest.empty() || (rest.front() != '\'' && rest.front() != '"'))
      return false;
    size_t end = rest.find(rest.front(), 1);
    if (end == StringRef::npos)
      return false;
    value = rest.substr(1, end - 1);
    rest = rest.drop_front(end + 1);
    return true;
  }
  bool boolean(bool &value) {
    rest = rest.ltrim(" \n\t");
    value = rest.consume_front("True");
    return value || rest.consume_front("False");
  }
  bool shape(std::vector<int64_t> &dims) {
    if (!eat('('))
      return false;
    while (!eat(')')) {
      rest = rest.ltrim(" \n\t");
      uint64_t dim;
      // 32 dimensions is numpy's own limit (64 since numpy 2).
      if (rest.consumeInteger(10, dim) || dim > INT64_MAX || dims.size() >= 64)
        return false;
      rest.consume_front("L"); // written by Python 2
      dims.push_back(static_cast<int64_t>(dim));
      if (!eat(','))
        return eat(')');
    }
    return true;
  }
};
} // namespace

Expected<NpyHeader> qdialect::parseNpyHeader(ArrayRef<char> bytes,
                                             StringRef where) {
  StringRef text(bytes.data(), bytes.size());
  if (!text.starts_with("\x93NUMPY"))
    return fail(where, "not a .npy file (the magic string is missing)");
  if (text.size() < 12)
    return fail(where, "truncated .npy header");
  unsigned major = static_cast<unsigned char>(text[6]);
  if (major < 1 || major > 3)
    return fail(where, ".npy version " + Twine(major) + " is not supported");
  size_t start = major == 1 ? 10 : 12;
  size_t length = major == 1 ? support::endian::read16le(bytes.data() + 8)
                             : support::endian::read32le(bytes.data() + 8);
  if (length > text.size() - start)
    return fail(where, "truncated .npy header: it claims " + Twine(length) +
                           " bytes, " + Twine(text.size() - start) +
                           " are there");

  NpyHeader header;
  header.dataOffset = start + length;
  Literal literal{text.substr(start, length)};
  bool haveDescr = false, haveOrder = false, haveShape = false;
  bool good = literal.eat('{');
  while (good && !literal.eat('}')) {
    StringRef key, descr;
    good = literal.string(key) && literal.eat(':');
    if (!good)
      break;
    if (key == "descr") {
      if (!literal.string(descr))
        return fail(where, "structured element types are not supported");
      Expected<DType> type = parseDescr(descr, where);
      if (!type)
        return type.takeError();
      header.type = *type;
      haveDescr = true;
    } else if (key == "fortran_order") {
      good = haveOrder = literal.boolean(header.fortranOrder);
    } else if (key == "shape") {
      header.shape.clear();
      good = haveShape = literal.shape(header.shape);
    } else {
      return fail(where, "unknown key '" + key + "' in the .npy header");
    }
    if (good && !literal.eat(','))
      good = StringRef(literal.rest).ltrim().starts_with("}");
  }
  if (!good || !haveDescr || !haveOrder || !haveShape)
    return fail(where, "malformed .npy header");
  std::optional<int64_t> count = numElements(header.shape);
  int64_t size;
  if (!count ||
      __builtin_mul_overflow(*count, int64_t(byteWidth(header.type)), &size))
    return fail(where, "the array " + describe(header.type, header.shape) +
                           " is too large");
  return header;
}
