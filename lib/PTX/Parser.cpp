// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens, and what stands at the top of a PTX file.

#include "Parser.h"

using namespace qdialect;
using namespace qdialect::ptx;

bool Parser::fail(std::string what) {
  if (!failed)
    problem = {peek().line, std::move(what)};
  failed = true;
  return false;
}

static std::string spell(const Token &token) {
  return token.kind == Token::End ? "the end of the file"
                                  : "'" + std::string(token.text) + "'";
}

bool Parser::accept(char c) {
  if (!peek().is(c))
    return false;
  take();
  return true;
}

bool Parser::expect(char c) {
  return accept(c) ||
         fail(std::string("expected '") + c + "', found " + spell(peek()));
}

bool Parser::acceptDirective(std::string_view word) {
  if (peek().kind != Token::Directive || peek().text != word)
    return false;
  take();
  return true;
}

bool Parser::integer(uint64_t &value, const char *what) {
  bool negative = accept('-');
  if (peek().kind != Token::Integer)
    return fail(std::string("expected ") + what + ", found " + spell(peek()));
  value = take().value;
  if (negative)
    value = 0 - value;
  return true;
}

std::string Parser::word(const char *what) {
  if (peek().kind != Token::Word) {
    fail(std::string("expected ") + what + ", found " + spell(peek()));
    return {};
  }
  return std::string(take().text);
}

bool Parser::skipBraces() {
  if (!expect('{'))
    return false;
  for (unsigned depth = 1; depth;) {
    if (peek().kind == Token::End)
      return fail("'{' without '}'");
    const Token &token = take();
    depth += token.is('{');
    depth -= token.is('}');
  }
  return true;
}

bool Parser::skipTo(char c) {
  while (!peek().is(c)) {
    if (peek().kind == Token::End)
      return fail(std::string("expected '") + c + "'");
    take();
  }
  take();
  return true;
}

bool Parser::targetDirective() {
  module.target = word("a target");
  while (accept(','))
    word("a target option");
  return !failed;
}

bool Parser::fileDirective() {
  uint64_t number, ignored;
  if (!integer(number, "a file number"))
    return false;
  if (peek().kind != Token::String)
    return fail("expected a file name");
  module.files[static_cast<unsigned>(number)] = std::string(take().text);
  while (accept(','))
    if (!integer(ignored, "a number"))
      return false;
  return true;
}

bool Parser::topLevel() {
  if (accept(';'))
    return true;
  if (peek().kind != Token::Directive)
    return fail("expected a directive, found " + spell(peek()));
  if (acceptDirective("version")) {
    if (peek().kind != Token::Float && peek().kind != Token::Integer)
      return fail("expected a version");
    module.version = std::string(take().text);
    return true;
  }
  if (acceptDirective("target"))
    return targetDirective();
  if (acceptDirective("address_size")) {
    uint64_t bits;
    if (!integer(bits, "an address size"))
      return false;
    return bits == 64 || fail("address size " + std::to_string(bits) +
                              " is not supported, only 64");
  }
  if (acceptDirective("file"))
    return fileDirective();
  if (acceptDirective("loc"))
    return location();
  if (acceptDirective("section")) {
    take();
    return skipBraces();
  }
  if (acceptDirective("pragma") || acceptDirective("alias"))
    return skipTo(';');
  bool isExtern = false;
  for (;;) {
    if (acceptDirective("extern"))
      isExtern = true;
    else if (!acceptDirective("visible") && !acceptDirective("weak") &&
             !acceptDirective("common"))
      break;
  }
  if (acceptDirective("entry"))
    return function(true);
  if (acceptDirective("func"))
    return function(false);
  for (Space space : {Space::Global, Space::Const, Space::Shared})
    if (acceptDirective(ptx::name(space))) {
      Variable v;
      if (!variable(space, isExtern, false, v) || !expect(';'))
        return false;
      module.variables.push_back(std::move(v));
      return true;
    }
  return fail("unknown directive '." + std::string(peek().text) + "'");
}

bool Parser::run(Diagnostic &diagnostic) {
  while (!failed && peek().kind != Token::End)
    topLevel();
  diagnostic = problem;
  return !failed;
}

const Function *Module::findFunction(std::string_view name) const {
  const Function *declared = nullptr;
  for (const Function &f : functions)
    if (f.name == name) {
      if (f.hasBody)
        return &f;
      declared = &f;
    }
  return declared;
}

std::optional<Module> ptx::parseModule(std::string_view text,
                                       Diagnostic &diagnostic) {
  std::vector<Token> tokens;
  if (!tokenize(text, tokens, diagnostic))
    return std::nullopt;
  Module module;
  if (!Parser(tokens, module).run(diagnostic))
    return std::nullopt;
  return module;
}
