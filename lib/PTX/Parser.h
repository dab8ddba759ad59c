// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The recursive-descent parser behind parseModule. Its members stand in three
// files by subject: Parser.cpp (tokens, module), ParseVariable.cpp and
// ParseFunction.cpp.

#ifndef QDIALECT_LIB_PTX_PARSER_H
#define QDIALECT_LIB_PTX_PARSER_H

#include "QDialect/PTX/Lexer.h"
#include "QDialect/PTX/Module.h"

#include <unordered_map>

namespace qdialect::ptx {

class Parser {
public:
  Parser(const std::vector<Token> &tokens, Module &module)
      : tokens(tokens), module(module) {}
  bool run(Diagnostic &diagnostic);

private:
  struct Scope {
    int parent = -1;
    std::unordered_map<std::string, unsigned> registers;
    std::unordered_map<std::string, std::string> variables;
    std::unordered_map<std::string, int> labels;
    std::unordered_map<std::string, std::vector<std::string>> tables;
  };
  /// A branch waiting for the labels of its function.
  struct Jump {
    size_t instruction;
    int scope;
    std::string label;
    bool isTable;
  };

  const Token &peek(unsigned ahead = 0) const {
    size_t i = pos + ahead;
    return tokens[i < tokens.size() ? i : tokens.size() - 1];
  }
  const Token &take() {
    const Token &token = peek();
    if (pos + 1 < tokens.size())
      ++pos;
    return token;
  }
  bool fail(std::string what);
  bool expect(char c);
  bool accept(char c);
  bool acceptDirective(std::string_view word);
  bool integer(uint64_t &value, const char *what);
  std::string word(const char *what);
  bool skipBraces();
  bool skipTo(char c);

  bool topLevel();
  bool fileDirective();
  bool targetDirective();

  bool variable(Space space, bool isExtern, bool isParam, Variable &out);
  bool dimensions(Variable &out, bool &open);
  bool initializer(Variable &out, unsigned depth);
  bool initialElement(Variable &out);
  bool parameterList(std::vector<Variable> &out);

  bool function(bool isEntry);
  bool functionAttributes(Function &f);
  bool functionBody(Function &f);
  bool statement(Function &f);
  bool bodyDirective(Function &f);
  bool registerDeclaration(Function &f);
  bool bodyVariable(Function &f, Space space, bool isExtern);
  bool location();
  bool label(Function &f);
  bool instruction(Function &f);
  bool branchTarget(Instruction &inst, size_t index);
  bool operand(Operand &out, bool inside);
  bool primary(Operand &out);
  bool address(Operand &out);
  bool list(char close, Operand &out);
  bool name(Operand &out);
  bool resolveJumps(Function &f);
  bool addRegister(Function &f, const std::string &name, Type type);
  const unsigned *findRegister(const std::string &name) const;
  std::string findVariable(const std::string &name) const;

  const std::vector<Token> &tokens;
  Module &module;
  size_t pos = 0;
  Diagnostic problem;
  bool failed = false;
  // Of the function that is being read.
  std::vector<Scope> scopes;
  std::vector<int> open;
  std::vector<Jump> jumps;
  SourceLocation source;
};

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_PARSER_H
