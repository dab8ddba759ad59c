// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Declarations of memory: type, alignment, dimensions, initial values.

#include "Parser.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

/// What one variable may take; a PTX file that asks for more is hostile.
static constexpr uint64_t kMaxVariableBytes = uint64_t{1} << 32;

/// x[4][8], x[]: the product, and whether the first size is left out.
bool Parser::dimensions(Variable &out, bool &open) {
  uint64_t count = 1;
  open = false;
  while (accept('[')) {
    if (accept(']')) {
      open = true;
      continue;
    }
    uint64_t size;
    if (!integer(size, "a dimension") || !expect(']'))
      return false;
    if (size > kMaxVariableBytes || count * size > kMaxVariableBytes)
      return fail("variable '" + out.name + "' is larger than 4 GiB");
    count *= size;
  }
  out.size = count * byteWidth(out.type);
  if (open && !out.isExtern)
    out.size = 0;
  return true;
}

bool Parser::variable(Space space, bool isExtern, bool isParam, Variable &out) {
  out.space = space;
  out.isExtern = isExtern;
  out.line = peek().line;
  unsigned lanes = 1;
  bool haveAlignment = false;
  out.type = Type::None;
  while (peek().kind == Token::Directive) {
    std::string_view word = peek().text;
    if (word == "align") {
      take();
      if (!integer(out.alignment, "an alignment"))
        return false;
      if (!out.alignment || (out.alignment & (out.alignment - 1)) ||
          out.alignment > 4096)
        return fail("alignment " + std::to_string(out.alignment) +
                    " is no power of two up to 4096");
      haveAlignment = true;
      continue;
    }
    if (word == "v2" || word == "v4") {
      lanes = word == "v2" ? 2 : 4;
    } else if (Type type = parseType(word); type != Type::None) {
      out.type = type;
    } else if (word != "ptr" && word != "global" && word != "const" &&
               word != "shared" && word != "local" && word != "unified" &&
               word != "managed" && word != "space") {
      return fail("unknown attribute '." + std::string(word) +
                  "' of a variable");
    }
    take();
  }
  if (out.type == Type::None || out.type == Type::Pred)
    return fail("a variable needs a type");
  out.name = word("a variable's name");
  if (failed)
    return false;
  bool openSize;
  if (!dimensions(out, openSize))
    return false;
  out.size *= lanes;
  if (!haveAlignment)
    out.alignment = byteWidth(out.type) * lanes;
  if (accept('=')) {
    if (space != Space::Global && space != Space::Const)
      return fail("only global and const variables have initial values");
    if (!initializer(out, 0))
      return false;
    if (openSize)
      out.size = out.init.size();
    if (out.init.size() > out.size)
      return fail("'" + out.name + "' has " + std::to_string(out.size) +
                  " bytes, its initial value " +
                  std::to_string(out.init.size()));
  }
  return true;
}

bool Parser::initializer(Variable &out, unsigned depth) {
  if (!accept('{'))
    return initialElement(out);
  if (depth > 8)
    return fail("initial value nested deeper than 8");
  if (accept('}'))
    return true;
  do {
    if (!initializer(out, depth + 1))
      return false;
  } while (accept(','));
  return expect('}');
}

/// A number, or the address of a symbol: `x`, `x+4`, `generic(x)+4`.
bool Parser::initialElement(Variable &out) {
  unsigned width = byteWidth(out.type);
  uint64_t bits[2] = {0, 0};
  bool negative = accept('-');
  const Token &token = peek();
  if (token.kind == Token::Integer) {
    bits[0] = take().value;
    if (negative)
      bits[0] = 0 - bits[0];
  } else if (token.kind == Token::Float) {
    bits[0] = take().value;
    if (out.type == Type::F32 && !token.isSingle) {
      double wide;
      std::memcpy(&wide, &bits[0], 8);
      float value = static_cast<float>(wide);
      bits[0] = 0;
      std::memcpy(&bits[0], &value, 4);
    }
    if (negative)
      bits[0] ^= uint64_t{1} << (width * 8 - 1);
  } else if (token.kind == Token::Word) {
    std::string symbol = word("a symbol");
    bool generic = symbol == "generic" && accept('(');
    if (generic) {
      symbol = word("a symbol");
      if (!expect(')'))
        return false;
    }
    if (accept('+') && !integer(bits[0], "an offset"))
      return false;
    if (width != 8)
      return fail("an address needs a type of 64 bits");
    out.relocations.push_back({out.init.size(), symbol, generic});
  } else {
    return fail("expected an initial value");
  }
  const auto *bytes = reinterpret_cast<const uint8_t *>(bits);
  out.init.insert(out.init.end(), bytes, bytes + (width > 16 ? 16 : width));
  return true;
}

/// (.param .u64 a, .param .align 8 .b8 b[16])
bool Parser::parameterList(std::vector<Variable> &out) {
  if (!expect('('))
    return false;
  if (accept(')'))
    return true;
  do {
    if (!acceptDirective("param"))
      return fail("expected .param; parameters in registers are not supported");
    Variable v;
    if (!variable(Space::Param, false, true, v))
      return false;
    out.push_back(std::move(v));
  } while (accept(','));
  return expect(')');
}
