// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX text into tokens; see the header.

#include "QDialect/PTX/Lexer.h"

#include <cstdlib>
#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
class Scanner {
public:
  Scanner(std::string_view text, std::vector<Token> &tokens)
      : text(text), tokens(tokens) {}
  bool run(Diagnostic &diagnostic);

private:
  char at(size_t i) const { return i < text.size() ? text[i] : '\0'; }
  static bool isDigit(char c) { return c >= '0' && c <= '9'; }
  static bool isWord(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || isDigit(c) ||
           c == '_' || c == '$';
  }
  bool skipSpace();
  /// The end of the word that starts at `i`; `dotted` words go on over dots.
  size_t wordEnd(size_t i, bool dotted) const;
  bool number();
  void push(Token::Kind kind, size_t begin, size_t end) {
    tokens.push_back({kind, line, text.substr(begin, end - begin)});
    pos = end;
  }
  bool fail(std::string what) {
    message = std::move(what);
    return false;
  }

  std::string_view text;
  std::vector<Token> &tokens;
  size_t pos = 0;
  unsigned line = 1;
  std::string message;
};
} // namespace

bool Scanner::skipSpace() {
  for (;;) {
    char c = at(pos);
    if (c == '\n')
      ++line;
    if (c == '\n' || c == ' ' || c == '\t' || c == '\r') {
      ++pos;
    } else if (c == '/' && at(pos + 1) == '/') {
      while (pos < text.size() && text[pos] != '\n')
        ++pos;
    } else if (c == '/' && at(pos + 1) == '*') {
      size_t end = text.find("*/", pos + 2);
      if (end == std::string_view::npos)
        return fail("comment without end");
      for (; pos < end + 2; ++pos)
        line += text[pos] == '\n';
    } else {
      return true;
    }
  }
}

size_t Scanner::wordEnd(size_t i, bool dotted) const {
  for (;;) {
    if (isWord(at(i)))
      ++i;
    else if (dotted && at(i) == '.' && isWord(at(i + 1)))
      ++i;
    else if (at(i) == ':' && at(i + 1) == ':' && isWord(at(i + 2)))
      i += 2;
    else
      return i;
  }
}

/// 12, 0x1f, 0b101, 017, 12U; 1.5e3, 0f3F800000, 0d3FF0000000000000.
bool Scanner::number() {
  Token token;
  token.line = line;
  char kind = at(pos + 1);
  size_t end = pos;
  if (at(pos) == '0' && std::strchr("fFdD", kind) && kind) {
    unsigned digits = kind == 'f' || kind == 'F' ? 8 : 16;
    end = pos + 2;
    for (unsigned i = 0; i < digits; ++i, ++end) {
      char c = at(end);
      char lower = static_cast<char>(c | 0x20);
      if (!isDigit(c) && !(lower >= 'a' && lower <= 'f'))
        return fail("a float in hexadecimal needs " + std::to_string(digits) +
                    " digits");
      token.value =
          token.value << 4 | (isDigit(c) ? c - '0' : lower - 'a' + 10);
    }
    token.kind = Token::Float;
    token.isSingle = digits == 8;
  } else {
    while (isWord(at(end)))
      ++end;
    bool hex = at(pos) == '0' && (kind == 'x' || kind == 'X');
    bool isFloat = !hex && (at(end) == '.' && isDigit(at(end + 1)));
    std::string digits;
    if (isFloat) {
      end += 1;
      while (isWord(at(end)) || ((at(end) == '-' || at(end) == '+') &&
                                 (at(end - 1) | 0x20) == 'e'))
        ++end;
      digits = text.substr(pos, end - pos);
      char *stop;
      double value = std::strtod(digits.c_str(), &stop);
      if (*stop)
        return fail("malformed number '" + digits + "'");
      std::memcpy(&token.value, &value, 8);
      token.kind = Token::Float;
    } else {
      digits = text.substr(pos, end - pos);
      std::string all = digits;
      if (digits.back() == 'U')
        digits.pop_back();
      bool binary = digits[0] == '0' && (kind == 'b' || kind == 'B');
      char *stop;
      token.value = std::strtoull(digits.c_str() + (binary ? 2 : 0), &stop,
                                  binary ? 2 : 0);
      if (*stop || digits.empty())
        return fail("malformed number '" + all + "'");
      token.kind = Token::Integer;
    }
  }
  token.text = text.substr(pos, end - pos);
  tokens.push_back(token);
  pos = end;
  return true;
}

bool Scanner::run(Diagnostic &diagnostic) {
  while (skipSpace()) {
    if (pos >= text.size()) {
      push(Token::End, pos, pos);
      return true;
    }
    char c = text[pos];
    if (isDigit(c)) {
      if (!number())
        break;
    } else if (isWord(c) || c == '%') {
      push(Token::Word, pos, wordEnd(pos + 1, true));
    } else if (c == '.' && isWord(at(pos + 1))) {
      size_t begin = pos + 1;
      push(Token::Directive, begin, wordEnd(begin, false));
    } else if (c == '"') {
      size_t end = pos + 1;
      while (end < text.size() && text[end] != '"')
        end += text[end] == '\\' ? 2 : 1;
      if (end >= text.size()) {
        fail("string without end");
        break;
      }
      push(Token::String, pos + 1, end);
      ++pos;
    } else if (std::strchr("@!,;:{}[]()<>=|+-*~&^/?", c)) {
      push(Token::Punct, pos, pos + 1);
    } else {
      message = "unexpected character '";
      message += c;
      message += "'";
      break;
    }
  }
  diagnostic = {line, message};
  return false;
}

bool ptx::tokenize(std::string_view text, std::vector<Token> &tokens,
                   Diagnostic &diagnostic) {
  return Scanner(text, tokens).run(diagnostic);
}
