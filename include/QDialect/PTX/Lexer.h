// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX text into tokens.
//
// A word keeps its dots, so that `ld.global.nc.L1::no_allocate.f32` and
// `%tid.x` are one token each; a directive (`.reg`, `.b32`) is a dot and one
// word. Comments vanish. The text must outlive the tokens.

#ifndef QDIALECT_PTX_LEXER_H
#define QDIALECT_PTX_LEXER_H

#include "QDialect/PTX/Types.h"

#include <string_view>
#include <vector>

namespace qdialect::ptx {

struct Token {
  enum Kind : uint8_t { End, Word, Directive, Integer, Float, String, Punct };
  Kind kind = End;
  unsigned line = 0;
  /// Word and directive: the spelling (a directive's without its dot);
  /// string: what stands between the quotes; punctuation: one character.
  std::string_view text;
  /// Integer: its value. Float: the bits of an f64, or of an f32 where
  /// `isSingle`.
  uint64_t value = 0;
  bool isSingle = false;

  bool is(char c) const { return kind == Punct && text[0] == c; }
};

/// All tokens of `text`, ending with one of kind End. False and a diagnostic
/// for a character or number that PTX does not have.
bool tokenize(std::string_view text, std::vector<Token> &tokens,
              Diagnostic &diagnostic);

} // namespace qdialect::ptx

#endif // QDIALECT_PTX_LEXER_H
