// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the parsed form to the decoded one.
//
// The table of instructions says which opcodes, types and modifiers exist
// (`InstructionInfo`); an entry's `decode` function turns one instruction into
// an `Inst` with the help of the Decoder: it names its operands and chooses a
// handler. What the table does not list is an error with line and text.

#ifndef QDIALECT_LIB_PTX_DECODER_H
#define QDIALECT_LIB_PTX_DECODER_H

#include "Exec.h"

#include <unordered_map>

namespace qdialect::ptx {

class Decoder;

struct InstructionInfo {
  std::string_view opcode;
  /// Separated by spaces. An entry matches when every suffix of the opcode is
  /// in one of the two lists; it must have a type where there are any, unless
  /// the first of them is "?".
  std::string_view types;
  std::string_view modifiers;
  InstructionClass group;
  void (*decode)(Decoder &d);
};

/// A group's part of the table.
struct InstructionList {
  const InstructionInfo *begin_, *end_;
  template <size_t N>
  InstructionList(const InstructionInfo (&table)[N])
      : begin_(table), end_(table + N) {}
  const InstructionInfo *begin() const { return begin_; }
  const InstructionInfo *end() const { return end_; }
};

InstructionList integerInstructions();
InstructionList extendedInstructions();
InstructionList logicInstructions();
InstructionList compareInstructions();
InstructionList floatInstructions();
InstructionList halfInstructions();
InstructionList approximateInstructions();
InstructionList convertInstructions();
InstructionList moveInstructions();
InstructionList memoryInstructions();
InstructionList atomicInstructions();
InstructionList controlInstructions();
InstructionList warpInstructions();
InstructionList barrierInstructions();
InstructionList mbarrierInstructions();
InstructionList asyncCopyInstructions();
InstructionList fragmentInstructions();
InstructionList matrixInstructions();
InstructionList wmmaInstructions();
const std::vector<InstructionList> &allInstructions();

/// Where the symbols of a module lie; filled before a kernel is decoded.
struct SymbolTable {
  struct Entry {
    Space space;
    uint64_t address;
  };
  std::unordered_map<std::string, Entry> variables;
  std::unordered_map<std::string, uint32_t> functions;
  /// The kernel's own.
  std::unordered_map<std::string, Entry> locals;
};

class Decoder {
public:
  Decoder(const Module &module, const SymbolTable &symbols, Code &code)
      : module(module), symbols(symbols), code(code) {}

  /// Decodes the function's body; variables are laid out already.
  bool run(Diagnostic &why);

  // What the decode functions use.
  Inst out;
  const Instruction *in = nullptr;
  const Module &module;
  const SymbolTable &symbols;
  Code &code;

  bool fail(std::string message);
  bool failed() const { return problem.has_value(); }
  /// Type suffix number `k`; None beyond the last.
  Type type(unsigned k = 0) const {
    return k < types.size() ? types[k] : Type::None;
  }
  unsigned typeCount() const { return static_cast<unsigned>(types.size()); }
  bool has(std::string_view modifier) const;
  /// The first of the space-separated `choices` that is there, as an index;
  /// `otherwise` where none is.
  int choice(std::string_view choices, int otherwise = -1) const;
  unsigned operands() const {
    return static_cast<unsigned>(in->operands.size());
  }
  bool expectOperands(unsigned least, unsigned most);
  const Operand &operand(unsigned k) const { return in->operands[k]; }

  /// A destination or source of a type; a register must be as wide as the
  /// type, or wider where `wider` says so (ld, st, cvt).
  uint32_t dst(const Operand &o, Type t, bool wider = false);
  uint32_t src(const Operand &o, Type t, bool wider = false);
  uint32_t dst(unsigned k, Type t, bool wider = false);
  uint32_t src(unsigned k, Type t, bool wider = false);
  /// A predicate source; `negated` gets its `!`.
  uint32_t predicate(unsigned k, bool &negated);
  /// The base of an address as a slot of 64 bits (aux bit kAddress32: of 32
  /// bits); `out.imm` gets the offset and `out.space` the space it means.
  uint32_t address(unsigned k, Space space);
  /// An integer that must be a constant.
  bool immediate(unsigned k, int64_t &value);
  /// The bits of the register operand, 0 for others.
  unsigned registerBits(const Operand &o) const;
  /// Bytes from lane to lane of an operand read or written as `t`.
  unsigned stride(const Operand &o, Type t) const;
  uint32_t constant(uint64_t bits, unsigned width);
  uint32_t dynamic(DynamicConstant::Kind kind, uint32_t value, unsigned width);
  /// Puts slots into the pool as the instruction's list.
  void list(const std::vector<uint32_t> &slots);
  /// Destination, sources: op[0], op[1], ... by types.
  void simple(Type d, std::initializer_list<Type> sources);

private:
  bool decodeOne(const Instruction &instruction);
  const InstructionInfo *match(const std::vector<std::string_view> &parts);
  void noteRead(unsigned reg) { reads.push_back(reg); }
  uint32_t symbolSlot(const Operand &o, unsigned width);
  bool symbolAddress(const std::string &name, uint64_t offset,
                     SymbolTable::Entry &entry, bool &isLocal);

  std::vector<std::string_view> modifiers;
  std::vector<Type> types;
  std::vector<uint32_t> reads, writes;
  std::optional<Diagnostic> problem;
  std::map<std::pair<uint64_t, unsigned>, uint32_t> constants;
  std::map<std::pair<uint64_t, unsigned>, uint32_t> dynamics;
};

/// Bytes of a lane in a frame, for a register of so many bits.
inline unsigned laneBytes(unsigned bits) {
  return bits <= 16 ? 2 : bits <= 32 ? 4 : bits <= 64 ? 8 : 16;
}

/// Picks the handler of `T` for a type: handlerFor<Make>(type) returns
/// Make<uint32_t>::handler and so on; null where the type is no integer.
template <template <typename> class Make>
Handler integerHandler(Type type) {
  switch (type) {
  case Type::B16:
  case Type::U16:
    return Make<uint16_t>::handler;
  case Type::S16:
    return Make<int16_t>::handler;
  case Type::B32:
  case Type::U32:
    return Make<uint32_t>::handler;
  case Type::S32:
    return Make<int32_t>::handler;
  case Type::B64:
  case Type::U64:
    return Make<uint64_t>::handler;
  case Type::S64:
    return Make<int64_t>::handler;
  default:
    return nullptr;
  }
}

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_DECODER_H
