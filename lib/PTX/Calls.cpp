// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// call and what it calls; see the header.

#include "Calls.h"
#include "Access.h"
#include "Decoder.h"
#include "Lanes.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
enum Builtin : uint32_t { VPrintf, AssertFail, Malloc, Free };

/// A thread's local memory at an offset of the present frame.
uint8_t *localMemory(Warp &w, unsigned lane, uint32_t offset) {
  Block &b = *w.block;
  return b.local.data() + (w.index * kWarpSize + lane) * b.localBytes +
         w.frame().localBase + offset;
}

/// list: [argument offset, size]... then [result offset, size]...; aux: number
/// of arguments.
void copyParameters(Warp &w, const uint32_t *list, unsigned count,
                    uint32_t mask, const std::vector<uint32_t> &into,
                    uint32_t intoBase, bool back) {
  Block &b = *w.block;
  for (unsigned k = 0; k < count && k < into.size(); ++k)
    forLanes(mask, [&](unsigned l) {
      uint8_t *mine = localMemory(w, l, list[2 * k]);
      uint8_t *other = b.local.data() +
                       (w.index * kWarpSize + l) * b.localBytes + intoBase +
                       into[k];
      if (back)
        std::memcpy(mine, other, list[2 * k + 1]);
      else
        std::memcpy(other, mine, list[2 * k + 1]);
    });
}

uint32_t calleeBase(const Frame &f) {
  return f.localBase + (f.code->localBytes + 15) / 16 * 16;
}

void enterFunction(Warp &w, const Inst &i, uint32_t mask, const Code &callee) {
  Frame &f = w.frame();
  uint32_t base = calleeBase(f);
  if (w.frames.size() > 256 || base + callee.localBytes > w.block->localBytes) {
    w.fault(i, FindingKind::OutOfBounds,
            w.describe(static_cast<uint32_t>(__builtin_ctz(mask))) +
                ": the stack of calls is too deep");
    return;
  }
  if (callee.paramOffsets.size() != i.aux) {
    w.fault(i, FindingKind::Unsupported,
            "'" + callee.function->name + "' takes " +
                std::to_string(callee.paramOffsets.size()) +
                " parameters, the call has " + std::to_string(i.aux));
    return;
  }
  copyParameters(w, &f.code->pool[i.list], i.aux, mask, callee.paramOffsets,
                 base, false);
  uint32_t site = w.pc - 1;
  if (uint32_t others = w.active & ~mask)
    w.wait(w.pc, others, false);
  w.enter(callee, mask, base, site);
}

void callDirect(Warp &w, const Inst &i, uint32_t mask) {
  enterFunction(w, i, mask, *w.block->launch->byNumber[i.aux2]);
}

/// All lanes must call the same function.
void callIndirect(Warp &w, const Inst &i, uint32_t mask) {
  const uint64_t *address = w.lanes<uint64_t>(i.op[1]);
  uint64_t first = address[__builtin_ctz(mask)];
  uint32_t same =
      testLanes(mask, [first](uint64_t a) { return a == first; }, address);
  if (same != mask) { // the others call afterwards
    w.wait(w.pc - 1, mask & ~same, false);
    w.active &= ~(mask & ~same);
  }
  uint64_t number = (first - kFunctionWindow) / 16;
  const std::vector<const Code *> &codes = w.block->launch->byNumber;
  if (first < kFunctionWindow || number >= codes.size() || !codes[number]) {
    w.fault(i, FindingKind::OutOfBounds,
            w.describe(static_cast<uint32_t>(__builtin_ctz(mask))) +
                " calls what is no function");
    return;
  }
  enterFunction(w, i, same, *codes[number]);
}

//===----------------------------------------------------------------------===//
// Built-in functions
//===----------------------------------------------------------------------===//

bool readGeneric(Warp &w, const Inst &i, unsigned lane, uint64_t address,
                 void *to, unsigned bytes) {
  Access access;
  if (!resolveLane(w, i, lane, Space::Generic, address, bytes, 1, false,
                   access))
    return false;
  std::memcpy(to, access.host[lane], bytes);
  return true;
}
bool readString(Warp &w, const Inst &i, unsigned lane, uint64_t address,
                std::string &text) {
  for (char c; text.size() < 4096; text += c) {
    if (!readGeneric(w, i, lane, address + text.size(), &c, 1))
      return false;
    if (!c)
      break;
  }
  return true;
}

/// One conversion of printf with its argument from the packed buffer.
bool formatOne(Warp &w, const Inst &i, unsigned lane, std::string spec,
               uint64_t &cursor, std::string &out) {
  char kind = spec.back();
  bool isLong = spec.find('l') != std::string::npos ||
                spec.find('z') != std::string::npos ||
                spec.find('j') != std::string::npos || kind == 'p' ||
                kind == 's';
  bool isFloat = std::strchr("fFeEgGaA", kind) != nullptr;
  unsigned bytes = isLong || isFloat ? 8 : 4;
  cursor = (cursor + bytes - 1) / bytes * bytes;
  uint64_t value = 0;
  if (!readGeneric(w, i, lane, cursor, &value, bytes))
    return false;
  cursor += bytes;
  // The host's own modifier instead of the text's.
  std::string head;
  for (char c : spec.substr(0, spec.size() - 1))
    if (!std::strchr("lhzjtL", c))
      head += c;
  char text[512];
  if (isFloat) {
    double f;
    std::memcpy(&f, &value, 8);
    std::snprintf(text, sizeof(text), (head + kind).c_str(), f);
  } else if (kind == 's') {
    std::string string;
    if (!readString(w, i, lane, value, string))
      return false;
    std::snprintf(text, sizeof(text), (head + "s").c_str(), string.c_str());
  } else if (kind == 'c') {
    std::snprintf(text, sizeof(text), (head + "c").c_str(),
                  static_cast<int>(value));
  } else if (kind == 'p') {
    std::snprintf(text, sizeof(text), "0x%llx",
                  static_cast<unsigned long long>(value));
  } else if (std::strchr("diouxX", kind)) {
    long long wide = isLong || !std::strchr("di", kind)
                         ? static_cast<long long>(value)
                         : static_cast<int32_t>(value);
    std::snprintf(text, sizeof(text), (head + "ll" + kind).c_str(), wide);
  } else {
    std::snprintf(text, sizeof(text), "%s", spec.c_str());
  }
  out += text;
  return true;
}

bool printLane(Warp &w, const Inst &i, unsigned lane, uint64_t format,
               uint64_t arguments, std::string &out) {
  std::string text;
  if (!readString(w, i, lane, format, text))
    return false;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '%' || at + 1 == text.size()) {
      out += text[at++];
      continue;
    }
    if (text[at + 1] == '%') {
      out += '%';
      at += 2;
      continue;
    }
    size_t end = text.find_first_of("diouxXcsfFeEgGaAp", at + 1);
    // Widths taken from the arguments ("%*d") are printed as they are.
    if (end == std::string::npos ||
        text.substr(at, end - at).find_first_not_of("%0123456789.-+ #lhzjtL") !=
            std::string::npos ||
        end - at > 16) {
      out += text[at++];
      continue;
    }
    if (!formatOne(w, i, lane, text.substr(at, end + 1 - at), arguments, out))
      return false;
    at = end + 1;
  }
  return true;
}

void builtin(Warp &w, const Inst &i, uint32_t mask) {
  const uint32_t *list = &w.frame().code->pool[i.list];
  forLanes(mask, [&](unsigned l) {
    if (w.event & Warp::Stopped)
      return;
    auto argument = [&](unsigned k) {
      uint64_t value = 0;
      if (k < i.aux)
        std::memcpy(&value, localMemory(w, l, list[2 * k]),
                    std::min<uint32_t>(8, list[2 * k + 1]));
      return value;
    };
    auto result = [&](uint64_t value) {
      if (i.listSize > 2 * i.aux)
        std::memcpy(localMemory(w, l, list[2 * i.aux]), &value,
                    std::min<uint32_t>(8, list[2 * i.aux + 1]));
    };
    std::string text;
    switch (i.aux2) {
    case VPrintf: {
      if (printLane(w, i, l, argument(0), argument(1), text))
        w.block->output += text;
      result(0);
      break;
    }
    case AssertFail: {
      std::string file;
      readString(w, i, l, argument(0), text);
      readString(w, i, l, argument(1), file);
      w.fault(i, FindingKind::Trap,
              w.describe(l) + ": assertion '" + text + "' failed, " + file +
                  ":" + std::to_string(uint32_t(argument(2))));
      break;
    }
    default:
      w.fault(i, FindingKind::Unsupported,
              "device malloc and free are not supported");
    }
  });
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

bool appendParameters(Decoder &d, const Operand &o,
                      std::vector<uint32_t> &list) {
  for (const Operand &e : o.elements) {
    auto it = d.symbols.locals.find(e.text);
    if (e.kind != Operand::Symbol || it == d.symbols.locals.end() ||
        it->second.space != Space::Local)
      return d.fail("a call's parameters are .param variables of the body");
    uint64_t size = 0;
    for (const std::vector<Variable> *variables :
         {&d.code.function->variables, &d.code.function->params,
          &d.code.function->returns})
      for (const Variable &v : *variables)
        if (v.name == e.text)
          size = v.size;
    list.push_back(static_cast<uint32_t>(it->second.address));
    list.push_back(static_cast<uint32_t>(size));
  }
  return true;
}
} // namespace

void ptx::decodeCall(Decoder &d) {
  unsigned k = 0;
  const Operand *results = nullptr, *arguments = nullptr;
  if (k < d.operands() && d.operand(k).kind == Operand::Vector)
    results = &d.operand(k++);
  if (k >= d.operands()) {
    d.fail("a function is needed");
    return;
  }
  const Operand &callee = d.operand(k++);
  if (k < d.operands() && d.operand(k).kind == Operand::Vector)
    arguments = &d.operand(k++);
  std::vector<uint32_t> list;
  if (arguments && !appendParameters(d, *arguments, list))
    return;
  d.out.aux = static_cast<uint32_t>(list.size() / 2);
  if (results && !appendParameters(d, *results, list))
    return;
  d.list(list);
  if (callee.kind == Operand::Register) {
    d.out.op[1] = d.src(callee, Type::U64);
    d.out.exec = callIndirect;
    return;
  }
  static const std::pair<std::string_view, Builtin> builtins[] = {
      {"vprintf", VPrintf},
      {"__assertfail", AssertFail},
      {"malloc", Malloc},
      {"free", Free}};
  const Function *f = d.module.findFunction(callee.text);
  if (!f || !f->hasBody) {
    for (const auto &[name, number] : builtins)
      if (name == callee.text) {
        d.out.aux2 = number;
        d.out.exec = builtin;
        return;
      }
    d.fail("unknown function '" + callee.text + "'");
    return;
  }
  d.out.aux2 = static_cast<uint32_t>(f - d.module.functions.data());
  d.out.exec = callDirect;
}

void ptx::returnResults(Warp &w, const Frame &callee) {
  // The frame of the caller is the present one already.
  const Inst &call = w.frame().code->insts[callee.callSite];
  const uint32_t *list = &w.frame().code->pool[call.list] + 2 * call.aux;
  copyParameters(w, list, call.listSize / 2 - call.aux,
                 callee.entered & ~w.exited, callee.code->returnOffsets,
                 callee.localBase, true);
}
