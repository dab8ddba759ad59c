// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions: registers, scopes, labels and instructions.
//
// Inner scopes ({ ... }, from call sequences and inline assembly) declare
// registers, parameters and labels again under the same names, so every
// declaration gets a number or a name that is unique in its function here.

#include "Parser.h"

using namespace qdialect;
using namespace qdialect::ptx;

/// Registers of one function; a warp holds 128 to 512 bytes for each.
static constexpr size_t kMaxRegisters = 1 << 16;

bool Parser::functionAttributes(Function &f) {
  while (peek().kind == Token::Directive) {
    bool limit = peek().text == "maxntid" || peek().text == "reqntid";
    if (peek().text == "pragma") {
      if (!skipTo(';'))
        return false;
      continue;
    }
    take();
    uint64_t product = 1;
    while (peek().kind == Token::Integer || peek().is(',')) {
      if (peek().kind == Token::Integer)
        product *= peek().value;
      take();
    }
    if (limit)
      f.maxThreads = product;
  }
  return true;
}

bool Parser::function(bool isEntry) {
  Function f;
  f.isEntry = isEntry;
  f.line = peek().line;
  if (peek().is('(') && !parameterList(f.returns))
    return false;
  f.name = word("a function's name");
  if (failed)
    return false;
  if (peek().is('(') && !parameterList(f.params))
    return false;
  if (!functionAttributes(f))
    return false;
  if (!accept(';')) {
    f.hasBody = true;
    if (!functionBody(f))
      return false;
  }
  module.functions.push_back(std::move(f));
  return true;
}

bool Parser::functionBody(Function &f) {
  scopes.assign(1, {});
  open.assign(1, 0);
  jumps.clear();
  source = {};
  for (const std::vector<Variable> *list : {&f.params, &f.returns})
    for (const Variable &v : *list)
      scopes[0].variables[v.name] = v.name;
  if (!expect('{'))
    return false;
  while (!open.empty()) {
    if (failed || peek().kind == Token::End)
      return fail("function '" + f.name + "' has no '}'");
    if (accept('{')) {
      scopes.emplace_back();
      scopes.back().parent = open.back();
      open.push_back(static_cast<int>(scopes.size()) - 1);
    } else if (accept('}')) {
      open.pop_back();
    } else if (!statement(f)) {
      return false;
    }
  }
  return resolveJumps(f);
}

bool Parser::statement(Function &f) {
  const Token &token = peek();
  if (token.kind == Token::Directive)
    return bodyDirective(f);
  if (token.kind == Token::Word && peek(1).is(':'))
    return label(f);
  if (accept(';'))
    return true;
  return instruction(f);
}

bool Parser::bodyDirective(Function &f) {
  if (acceptDirective("reg"))
    return registerDeclaration(f);
  if (acceptDirective("loc"))
    return location();
  if (acceptDirective("pragma"))
    return skipTo(';');
  bool isExtern = acceptDirective("extern");
  for (Space space : {Space::Local, Space::Shared, Space::Param})
    if (acceptDirective(ptx::name(space)))
      return bodyVariable(f, space, isExtern);
  return fail("unknown directive '." + std::string(peek().text) +
              "' in a function");
}

/// .loc file line column [, function_name label [+ n], inlined_at f l c]
bool Parser::location() {
  uint64_t file, line, ignored;
  if (!integer(file, "a file number") || !integer(line, "a line") ||
      !integer(ignored, "a column"))
    return false;
  // Line 0 is the compiler's own code: it keeps the line before.
  if (line)
    source = {static_cast<unsigned>(file), static_cast<unsigned>(line)};
  while (accept(',')) {
    bool inlined = word("function_name or inlined_at") == "inlined_at";
    if (!inlined) {
      word("a label");
      if (accept('+') && !integer(ignored, "an offset"))
        return false;
      continue;
    }
    for (int i = 0; i < 3; ++i)
      if (!integer(ignored, "a position"))
        return false;
  }
  return !failed;
}

bool Parser::addRegister(Function &f, const std::string &name, Type type) {
  if (f.registers.size() >= kMaxRegisters)
    return fail("function '" + f.name + "' has more than " +
                std::to_string(kMaxRegisters) + " registers");
  scopes[open.back()].registers[name] =
      static_cast<unsigned>(f.registers.size());
  f.registers.push_back({name, type});
  return true;
}

/// .reg .b32 %r<27>, %x;
bool Parser::registerDeclaration(Function &f) {
  Type type = Type::None;
  while (peek().kind == Token::Directive) {
    type = parseType(take().text);
    if (type == Type::None)
      return fail("unknown type of a register");
  }
  if (type == Type::None)
    return fail("a register needs a type");
  do {
    std::string name = word("a register's name");
    if (failed)
      return false;
    if (!accept('<')) {
      if (!addRegister(f, name, type))
        return false;
      continue;
    }
    uint64_t count;
    if (!integer(count, "a register count") || !expect('>'))
      return false;
    for (uint64_t i = 0; i < count; ++i)
      if (!addRegister(f, name + std::to_string(i), type))
        return false;
  } while (accept(','));
  return expect(';');
}

bool Parser::bodyVariable(Function &f, Space space, bool isExtern) {
  Variable v;
  if (!variable(space, isExtern, false, v) || !expect(';'))
    return false;
  std::string unique = v.name;
  if (!findVariable(v.name).empty() || open.size() > 1)
    unique += "#" + std::to_string(f.variables.size());
  scopes[open.back()].variables[v.name] = unique;
  v.name = unique;
  f.variables.push_back(std::move(v));
  return true;
}

bool Parser::label(Function &f) {
  std::string name = word("a label");
  expect(':');
  Scope &scope = scopes[open.back()];
  if (acceptDirective("branchtargets")) {
    std::vector<std::string> &table = scope.tables[name];
    do
      table.push_back(word("a label"));
    while (accept(','));
    return expect(';');
  }
  if (acceptDirective("callprototype") || acceptDirective("calltargets"))
    return skipTo(';');
  if (!scope.labels.emplace(name, static_cast<int>(f.body.size())).second)
    return fail("label '" + name + "' stands twice");
  return true;
}

const unsigned *Parser::findRegister(const std::string &name) const {
  for (int s = open.empty() ? -1 : open.back(); s >= 0; s = scopes[s].parent)
    if (auto it = scopes[s].registers.find(name);
        it != scopes[s].registers.end())
      return &it->second;
  return nullptr;
}

std::string Parser::findVariable(const std::string &name) const {
  for (int s = open.empty() ? -1 : open.back(); s >= 0; s = scopes[s].parent)
    if (auto it = scopes[s].variables.find(name);
        it != scopes[s].variables.end())
      return it->second;
  return {};
}

bool Parser::instruction(Function &f) {
  Instruction inst;
  inst.line = peek().line;
  inst.source = source;
  if (accept('@')) {
    inst.guardNegated = accept('!');
    std::string guard = word("a predicate");
    const unsigned *found = findRegister(guard);
    if (failed || !found)
      return fail("unknown predicate '" + guard + "'");
    if (f.registers[*found].type != Type::Pred)
      return fail("'" + guard + "' is no predicate");
    inst.guard = static_cast<int>(*found);
  }
  inst.opcode = word("an instruction");
  if (failed)
    return false;
  std::string base = inst.opcode.substr(0, inst.opcode.find('.'));
  if (!peek().is(';'))
    do {
      inst.operands.emplace_back();
      if (!operand(inst.operands.back(), false))
        return false;
    } while (accept(','));
  if (base == "bra" || base == "brx") {
    const Operand *last =
        inst.operands.empty() ? nullptr : &inst.operands.back();
    if (!last || last->kind != Operand::Symbol)
      return fail("'" + inst.opcode + "' needs a label");
    jumps.push_back({f.body.size(), open.back(), last->text, base == "brx"});
    inst.operands.pop_back();
  }
  if (!expect(';'))
    return false;
  f.body.push_back(std::move(inst));
  return true;
}

bool Parser::list(char close, Operand &out) {
  out.kind = Operand::Vector;
  if (accept(close))
    return true;
  do {
    if (out.elements.size() >= 64)
      return fail("more than 64 elements");
    out.elements.emplace_back();
    if (!operand(out.elements.back(), true))
      return false;
  } while (accept(','));
  return expect(close);
}

bool Parser::operand(Operand &out, bool inside) {
  if (peek().is('{') || peek().is('(')) {
    if (inside)
      return fail("a list inside a list");
    char closing = take().is('{') ? '}' : ')';
    return list(closing, out);
  }
  if (accept('['))
    return !inside ? address(out) : fail("an address inside a list");
  if (!primary(out))
    return false;
  if (accept('|')) {
    out.second.emplace_back();
    return primary(out.second[0]);
  }
  return true;
}

bool Parser::primary(Operand &out) {
  if (accept('!') || accept('-'))
    out.negated = true;
  const Token &token = peek();
  if (token.kind == Token::Integer) {
    out.kind = Operand::Integer;
    out.value = out.negated ? 0 - take().value : take().value;
    return true;
  }
  if (token.kind == Token::Float) {
    out.kind = Operand::Float;
    out.isSingle = token.isSingle;
    out.value = take().value;
    if (out.negated)
      out.value ^= uint64_t{1} << (out.isSingle ? 31 : 63);
    return true;
  }
  if (!name(out))
    return false;
  if (out.kind == Operand::Symbol && peek().is('+')) {
    take();
    return integer(out.value, "an offset");
  }
  return true;
}

bool Parser::name(Operand &out) {
  std::string text = word("an operand");
  if (failed)
    return false;
  if (text == "_") {
    out.kind = Operand::Sink;
  } else if (const unsigned *found = findRegister(text)) {
    out.kind = Operand::Register;
    out.index = *found;
  } else {
    out.kind = Operand::Symbol;
    std::string unique = findVariable(text);
    out.text = unique.empty() ? text : unique;
  }
  return true;
}

bool Parser::address(Operand &out) {
  if (peek().kind == Token::Word) {
    if (!name(out))
      return false;
    out.baseIsRegister = out.kind == Operand::Register;
    if (out.kind == Operand::Sink)
      return fail("'_' is no address");
    bool minus = false;
    if (accept('+') || (minus = accept('-'))) {
      if (!integer(out.value, "an offset"))
        return false;
      if (minus)
        out.value = 0 - out.value;
    }
  } else if (!integer(out.value, "an address")) {
    return false;
  }
  out.kind = Operand::Address;
  return expect(']');
}

bool Parser::resolveJumps(Function &f) {
  for (const Jump &jump : jumps) {
    Instruction &inst = f.body[jump.instruction];
    std::vector<std::string> labels{jump.label};
    if (jump.isTable) {
      labels.clear();
      for (int s = jump.scope; s >= 0; s = scopes[s].parent)
        if (auto it = scopes[s].tables.find(jump.label);
            it != scopes[s].tables.end()) {
          labels = it->second;
          break;
        }
    }
    for (const std::string &label : labels) {
      int found = -1;
      for (int s = jump.scope; s >= 0 && found < 0; s = scopes[s].parent)
        if (auto it = scopes[s].labels.find(label);
            it != scopes[s].labels.end())
          found = it->second;
      if (found < 0) {
        problem = {inst.line, "unknown label '" + label + "'"};
        failed = true;
        return false;
      }
      inst.targets.push_back(found);
    }
    if (inst.targets.empty()) {
      problem = {inst.line, "unknown branch table '" + jump.label + "'"};
      failed = true;
      return false;
    }
    inst.target = inst.targets[0];
  }
  return true;
}
