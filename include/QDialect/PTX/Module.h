// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A PTX file, parsed: what the text says and no more. Names are resolved
// (registers to indices, labels to instruction numbers); what an instruction
// means is decided when it is decoded (lib/PTX/Decoder.h).

#ifndef QDIALECT_PTX_MODULE_H
#define QDIALECT_PTX_MODULE_H

#include "QDialect/PTX/Types.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qdialect::ptx {

/// A variable in memory: global, const, shared, local or param.
struct Variable {
  std::string name;
  Space space = Space::Global;
  Type type = Type::B8;
  uint64_t alignment = 1;
  uint64_t size = 0;
  /// `extern .shared x[]`: its size is the launch's dynamic shared memory.
  bool isExtern = false;
  std::vector<uint8_t> init;
  /// Addresses inside `init`: the 8 bytes at `offset` become the address of
  /// `symbol` plus what they hold.
  struct Relocation {
    uint64_t offset;
    std::string symbol;
    bool generic;
  };
  std::vector<Relocation> relocations;
  unsigned line = 0;
};

struct Operand {
  enum Kind : uint8_t {
    Register, // index
    Integer,  // value
    Float,    // bits, isSingle
    Symbol,   // text: a variable, function, special register or label
    Address,  // [register or symbol or nothing + value]
    Vector,   // {elements}
    Sink,     // _
  };
  Kind kind = Sink;
  /// `!p` or `-r`.
  bool negated = false;
  bool isSingle = false;
  /// Address: whether the base is a register.
  bool baseIsRegister = false;
  unsigned index = 0;
  uint64_t value = 0;
  std::string text;
  std::vector<Operand> elements;
  /// The second half of `d|p`.
  std::vector<Operand> second;
};

struct SourceLocation {
  unsigned file = 0;
  unsigned line = 0;
  bool operator<(const SourceLocation &other) const {
    return file != other.file ? file < other.file : line < other.line;
  }
};

struct Instruction {
  unsigned line = 0;
  SourceLocation source;
  /// The guard's register, or -1.
  int guard = -1;
  bool guardNegated = false;
  /// "add.sat.s32".
  std::string opcode;
  std::vector<Operand> operands;
  /// For branches: the instruction the label stands before; -1 unresolved.
  int target = -1;
  /// brx.idx: the table's entries.
  std::vector<int> targets;
};

struct Register {
  std::string name;
  Type type = Type::None;
};

struct Function {
  std::string name;
  bool isEntry = false;
  bool hasBody = false;
  unsigned line = 0;
  std::vector<Variable> params;
  std::vector<Variable> returns;
  std::vector<Register> registers;
  /// Local, shared and param variables of the body; names are unique in here
  /// (a name that is declared again in an inner scope gets a suffix).
  std::vector<Variable> variables;
  std::vector<Instruction> body;
  /// Parameters that are registers (`.reg` parameters of an old ABI) do not
  /// occur; `maxThreads` is .maxntid's product, 0 where absent.
  uint64_t maxThreads = 0;
};

struct Module {
  std::string version;
  std::string target;
  unsigned addressSize = 64;
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::map<unsigned, std::string> files;

  const Function *findFunction(std::string_view name) const;
};

/// Reads a whole file; std::nullopt and a diagnostic where the text is not
/// PTX as we know it. Never trusts a size or a count of the text.
std::optional<Module> parseModule(std::string_view text,
                                  Diagnostic &diagnostic);

} // namespace qdialect::ptx

#endif // QDIALECT_PTX_MODULE_H
