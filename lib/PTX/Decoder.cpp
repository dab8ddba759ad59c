// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands of an instruction and the walk over a function's body.

#include "Decoder.h"
#include "Special.h"

#include <cstring>
#include <mutex>

using namespace qdialect;
using namespace qdialect::ptx;

/// Constants of one frame; a function that needs more is refused.
static constexpr size_t kMaxConstantBytes = size_t{64} << 20;

static std::set<std::string> &formsSeen() {
  static std::set<std::string> forms;
  return forms;
}
static std::mutex formsMutex;

std::set<std::string> ptx::decodedForms() {
  std::lock_guard<std::mutex> lock(formsMutex);
  return formsSeen();
}

static bool listed(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    size_t space = list.find(' ');
    if (list.substr(0, space) == word)
      return true;
    if (space == std::string_view::npos)
      return false;
    list.remove_prefix(space + 1);
  }
  return false;
}

bool Decoder::fail(std::string message) {
  if (!problem)
    problem = Diagnostic{in ? in->line : 0, std::move(message) + " in '" +
                                                (in ? in->opcode : "") + "'"};
  return false;
}

bool Decoder::has(std::string_view modifier) const {
  for (std::string_view m : modifiers)
    if (m == modifier)
      return true;
  return false;
}

int Decoder::choice(std::string_view choices, int otherwise) const {
  for (int index = 0; !choices.empty(); ++index) {
    size_t space = choices.find(' ');
    if (has(choices.substr(0, space)))
      return index;
    if (space == std::string_view::npos)
      break;
    choices.remove_prefix(space + 1);
  }
  return otherwise;
}

bool Decoder::expectOperands(unsigned least, unsigned most) {
  if (operands() >= least && operands() <= most)
    return true;
  return fail(std::to_string(operands()) + " operands, expected " +
              std::to_string(least) +
              (most > least ? " to " + std::to_string(most) : ""));
}

unsigned Decoder::stride(const Operand &o, Type t) const {
  unsigned bits = registerBits(o);
  return laneBytes(bits ? bits : bitWidth(t));
}

unsigned Decoder::registerBits(const Operand &o) const {
  bool isRegister = o.kind == Operand::Register ||
                    (o.kind == Operand::Address && o.baseIsRegister);
  return isRegister ? bitWidth(code.function->registers[o.index].type) : 0;
}

uint32_t Decoder::constant(uint64_t bits, unsigned width) {
  auto [it, isNew] = constants.try_emplace({bits, width}, 0);
  if (isNew) {
    it->second = code.frameBytes();
    unsigned bytes = laneBytes(width);
    size_t begin = code.constants.size();
    size_t size = width == 1 ? 64 : kWarpSize * bytes;
    if (begin + size > kMaxConstantBytes) {
      fail("too many constants");
      return 0;
    }
    code.constants.resize(begin + size);
    if (width == 1) {
      uint32_t all = bits ? ~uint32_t{0} : 0;
      std::memcpy(&code.constants[begin], &all, 4);
    } else {
      for (unsigned l = 0; l < kWarpSize; ++l)
        std::memcpy(&code.constants[begin + l * bytes], &bits,
                    bytes > 8 ? 8 : bytes);
    }
  }
  return it->second;
}

uint32_t Decoder::dynamic(DynamicConstant::Kind kind, uint32_t value,
                          unsigned width) {
  uint64_t key = uint64_t{kind} << 32 | value;
  auto [it, isNew] = dynamics.try_emplace({key, width}, 0);
  if (isNew) {
    it->second = code.frameBytes();
    if (code.constants.size() + kWarpSize * 8 > kMaxConstantBytes) {
      fail("too many constants");
      return 0;
    }
    code.constants.resize(code.constants.size() + kWarpSize * 8);
    code.dynamic.push_back({kind, it->second, value, laneBytes(width)});
  }
  return it->second;
}

static std::string describeOperand(const Operand &o, const Function &f) {
  switch (o.kind) {
  case Operand::Register:
    return "'" + f.registers[o.index].name + "'";
  case Operand::Symbol:
    return "'" + o.text + "'";
  case Operand::Vector:
    return "a list";
  case Operand::Address:
    return "an address";
  default:
    return "a constant";
  }
}

uint32_t Decoder::dst(const Operand &o, Type t, bool wider) {
  if (o.kind == Operand::Sink)
    return kNoSlot;
  if (o.kind != Operand::Register) {
    fail(describeOperand(o, *code.function) + " is no destination");
    return 0;
  }
  unsigned have = registerBits(o), want = bitWidth(t);
  // 8-bit values live in registers of 16 bits and more.
  bool fits = have == want || (wider && have > want && want > 1);
  if (!fits) {
    fail(describeOperand(o, *code.function) + " has " + std::to_string(have) +
         " bits, expected " + std::to_string(want));
    return 0;
  }
  writes.push_back(o.index);
  return code.slots[o.index];
}

bool Decoder::symbolAddress(const std::string &name, uint64_t offset,
                            SymbolTable::Entry &entry, bool &isLocal) {
  isLocal = false;
  if (auto it = symbols.locals.find(name); it != symbols.locals.end()) {
    entry = it->second;
    isLocal = entry.space == Space::Local;
  } else if (auto it = symbols.variables.find(name);
             it != symbols.variables.end()) {
    entry = it->second;
  } else if (auto it = symbols.functions.find(name);
             it != symbols.functions.end()) {
    entry = {Space::Global, kFunctionWindow + it->second * uint64_t{16}};
  } else {
    return fail("unknown symbol '" + name + "'");
  }
  entry.address += offset;
  return true;
}

uint32_t Decoder::symbolSlot(const Operand &o, unsigned width) {
  if (o.text == "WARP_SZ")
    return constant(kWarpSize, width);
  if (const SpecialRegister *special = findSpecialRegister(o.text)) {
    if (special->changes) {
      fail("'" + o.text + "' can only be read by mov");
      return 0;
    }
    return dynamic(DynamicConstant::Special, numberOf(*special), width);
  }
  SymbolTable::Entry entry;
  bool isLocal;
  if (!symbolAddress(o.text, o.value, entry, isLocal))
    return 0;
  return isLocal ? dynamic(DynamicConstant::LocalAddress,
                           static_cast<uint32_t>(entry.address), width)
                 : constant(entry.address, width);
}

/// The bits of a float constant in a register of type `t`.
static uint64_t floatBits(const Operand &o, Type t) {
  double wide;
  float single;
  if (o.isSingle) {
    uint32_t bits = static_cast<uint32_t>(o.value);
    std::memcpy(&single, &bits, 4);
    wide = single;
    if (t != Type::F64)
      return bits;
  } else {
    std::memcpy(&wide, &o.value, 8);
  }
  uint64_t bits = 0;
  if (bitWidth(t) == 64) {
    std::memcpy(&bits, &wide, 8);
  } else {
    single = static_cast<float>(wide);
    std::memcpy(&bits, &single, 4);
  }
  return bits;
}

uint32_t Decoder::src(const Operand &o, Type t, bool wider) {
  unsigned want = bitWidth(t);
  switch (o.kind) {
  case Operand::Register: {
    unsigned have = registerBits(o);
    if (have != want && !(wider && have > want && want > 1)) {
      fail(describeOperand(o, *code.function) + " has " + std::to_string(have) +
           " bits, expected " + std::to_string(want));
      return 0;
    }
    if (o.negated) {
      fail("unexpected '!' or '-'");
      return 0;
    }
    noteRead(o.index);
    return code.slots[o.index];
  }
  case Operand::Integer: {
    uint64_t value = o.value;
    if (t == Type::F32 || t == Type::F64) { // an integer where a float is meant
      Operand f = o;
      double wide = static_cast<double>(static_cast<int64_t>(o.value));
      std::memcpy(&f.value, &wide, 8);
      value = floatBits(f, t);
    }
    if (want < 64)
      value &= (uint64_t{1} << want) - 1;
    return constant(value, want);
  }
  case Operand::Float:
    return constant(floatBits(o, t), want);
  case Operand::Symbol:
    return symbolSlot(o, want);
  default:
    fail(describeOperand(o, *code.function) + " is no source");
    return 0;
  }
}

uint32_t Decoder::dst(unsigned k, Type t, bool wider) {
  if (k >= operands()) {
    fail("too few operands");
    return 0;
  }
  return dst(operand(k), t, wider);
}

uint32_t Decoder::src(unsigned k, Type t, bool wider) {
  if (k >= operands()) {
    fail("too few operands");
    return 0;
  }
  return src(operand(k), t, wider);
}

uint32_t Decoder::predicate(unsigned k, bool &negated) {
  negated = false;
  if (k >= operands()) {
    fail("too few operands");
    return 0;
  }
  Operand o = operand(k);
  if (o.kind == Operand::Register) {
    negated = o.negated;
    o.negated = false;
  }
  return src(o, Type::Pred);
}

uint32_t Decoder::address(unsigned k, Space space) {
  out.space = space;
  if (k >= operands() || operand(k).kind != Operand::Address) {
    fail("operand " + std::to_string(k + 1) + " is no address");
    return 0;
  }
  const Operand &o = operand(k);
  out.imm = static_cast<int64_t>(o.value);
  // Parameters: a kernel's lie in constant memory, a function's in its frame.
  if (o.baseIsRegister) {
    if (space == Space::Param)
      out.space = code.function->isEntry ? Space::Const : Space::Local;
    unsigned bits = registerBits(o);
    if (bits != 32 && bits != 64) {
      fail("the address has " + std::to_string(bits) + " bits");
      return 0;
    }
    if (bits == 32)
      out.aux |= kAddress32;
    noteRead(o.index);
    return code.slots[o.index];
  }
  if (o.text.empty())
    return constant(0, 64);
  SymbolTable::Entry entry;
  bool isLocal;
  if (!symbolAddress(o.text, 0, entry, isLocal))
    return 0;
  if (space == Space::Param || space == Space::Generic)
    out.space = entry.space;
  return isLocal ? dynamic(DynamicConstant::LocalAddress,
                           static_cast<uint32_t>(entry.address), 64)
                 : constant(entry.address, 64);
}

bool Decoder::immediate(unsigned k, int64_t &value) {
  if (k >= operands() || operand(k).kind != Operand::Integer)
    return fail("operand " + std::to_string(k + 1) + " must be a constant");
  value = static_cast<int64_t>(operand(k).value);
  return true;
}

void Decoder::list(const std::vector<uint32_t> &slots) {
  out.list = static_cast<uint32_t>(code.pool.size());
  out.listSize = static_cast<uint32_t>(slots.size());
  code.pool.insert(code.pool.end(), slots.begin(), slots.end());
}

void Decoder::simple(Type d, std::initializer_list<Type> sources) {
  unsigned count = static_cast<unsigned>(sources.size());
  if (!expectOperands(count + 1, count + 1))
    return;
  out.op[0] = dst(0u, d);
  unsigned k = 1;
  for (Type t : sources) {
    out.op[k] = src(k, t);
    ++k;
  }
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

const InstructionInfo *
Decoder::match(const std::vector<std::string_view> &parts) {
  for (const InstructionList &list : allInstructions())
    for (const InstructionInfo &info : list) {
      if (info.opcode != parts[0])
        continue;
      bool all = true;
      types.clear();
      modifiers.clear();
      for (size_t i = 1; i < parts.size() && all; ++i) {
        if (listed(info.types, parts[i]))
          types.push_back(parseType(parts[i]));
        else if (listed(info.modifiers, parts[i]))
          modifiers.push_back(parts[i]);
        else
          all = false;
      }
      if (all &&
          (types.empty() == info.types.empty() || listed(info.types, "?")))
        return &info;
    }
  return nullptr;
}

bool Decoder::decodeOne(const Instruction &instruction) {
  in = &instruction;
  out = Inst();
  reads.clear();
  writes.clear();
  std::vector<std::string_view> parts;
  for (std::string_view rest = instruction.opcode;;) {
    size_t dot = rest.find('.');
    parts.push_back(rest.substr(0, dot));
    if (dot == std::string_view::npos)
      break;
    rest.remove_prefix(dot + 1);
  }
  const InstructionInfo *info = match(parts);
  if (!info) {
    problem = Diagnostic{instruction.line,
                         "unknown instruction '" + instruction.opcode + "'"};
    return false;
  }
  out.group = info->group;
  out.line = instruction.line;
  if (instruction.guard >= 0) {
    out.guard = code.slots[instruction.guard];
    out.guardNegated = instruction.guardNegated;
    noteRead(static_cast<unsigned>(instruction.guard));
  }
  info->decode(*this);
  if (!failed() && !out.exec)
    fail("this combination of types and modifiers is not supported");
  if (failed())
    return false;
  auto append = [&](const std::vector<uint32_t> &list, uint32_t &begin,
                    uint32_t &count) {
    begin = static_cast<uint32_t>(code.pool.size());
    count = static_cast<uint32_t>(list.size());
    code.pool.insert(code.pool.end(), list.begin(), list.end());
  };
  append(reads, out.reads, out.readCount);
  append(writes, out.writes, out.writeCount);
  code.insts.push_back(out);
  std::lock_guard<std::mutex> lock(formsMutex);
  std::string opcode(info->opcode);
  for (Type t : types)
    formsSeen().insert(opcode + "." + std::string(ptx::name(t)));
  for (std::string_view m : modifiers)
    formsSeen().insert(opcode + "." + std::string(m));
  if (parts.size() == 1)
    formsSeen().insert(opcode);
  return true;
}

bool Decoder::run(Diagnostic &why) {
  for (const Instruction &instruction : code.function->body)
    if (!decodeOne(instruction)) {
      why = *problem;
      return false;
    }
  return true;
}
