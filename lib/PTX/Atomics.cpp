// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// atom and red on shared and global memory.

#include "Access.h"
#include "Decoder.h"
#include "FloatFormats.h"
#include "Lanes.h"
#include "Ordering.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
enum Operation : uint32_t {
  And,
  Or,
  Xor,
  Exch,
  Cas,
  Add,
  Inc,
  Dec,
  Min,
  Max,
};
constexpr char kOperations[] = "and or xor exch cas add inc dec min max";

/// aux: operation, type, bytes; aux2 has the ordering.
constexpr uint32_t kTypeShift = 8;

template <typename T>
T load(const uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <typename T>
T integerResult(uint32_t op, T old, T b) {
  using U = std::make_unsigned_t<T>;
  switch (op) {
  case And:
    return old & b;
  case Or:
    return old | b;
  case Xor:
    return old ^ b;
  case Exch:
    return b;
  case Add:
    return static_cast<T>(U(old) + U(b));
  case Inc:
    return U(old) >= U(b) ? T(0) : T(old + 1);
  case Dec:
    return old == 0 || U(old) > U(b) ? b : T(old - 1);
  case Min:
    return b < old ? b : old;
  default:
    return b > old ? b : old;
  }
}

/// One half of f16 and bf16 operations.
uint16_t halfResult(uint32_t op, uint16_t old, uint16_t b, bool isBf16) {
  float x = isBf16 ? fromBfloat(old) : fromHalf(old);
  float y = isBf16 ? fromBfloat(b) : fromHalf(b);
  float r = op == Add ? x + y : op == Min ? std::fmin(x, y) : std::fmax(x, y);
  return isBf16 ? toBfloatNearest(r) : toHalfNearest(r);
}

/// The new value at `at` (bytes of the type) from the old one and `b`.
void compute(uint32_t op, Type t, const uint8_t *at, const uint8_t *b,
             uint8_t *out) {
  auto put = [&](auto value) { std::memcpy(out, &value, sizeof(value)); };
  switch (t) {
  case Type::S32:
    return put(integerResult(op, load<int32_t>(at), load<int32_t>(b)));
  case Type::S64:
    return put(integerResult(op, load<int64_t>(at), load<int64_t>(b)));
  case Type::B64:
  case Type::U64:
    return put(integerResult(op, load<uint64_t>(at), load<uint64_t>(b)));
  case Type::B16:
    return put(load<uint16_t>(b)); // exch
  case Type::F32: {
    float r = load<float>(at) + load<float>(b);
    return put(canonical(r));
  }
  case Type::F64:
    return put(load<double>(at) + load<double>(b));
  case Type::F16:
  case Type::BF16:
  case Type::F16x2:
  case Type::BF16x2:
    for (unsigned k = 0; k < byteWidth(t); k += 2) {
      uint16_t r = halfResult(op, load<uint16_t>(at + k), load<uint16_t>(b + k),
                              t == Type::BF16 || t == Type::BF16x2);
      std::memcpy(out + k, &r, 2);
    }
    return;
  default:
    return put(integerResult(op, load<uint32_t>(at), load<uint32_t>(b)));
  }
}

/// Lanes of a warp act one after another, the lowest first; blocks on other
/// host threads are kept out by a lock on the address.
void atomic(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t op = i.aux & 0xff;
  Type t = static_cast<Type>(i.aux >> kTypeShift & 0xff);
  unsigned element = byteWidth(t), count = i.listSize;
  unsigned bytes = element * count;
  Access access;
  if (!resolve(w, i, mask, i.op[1], bytes, true, access))
    return;
  const LaunchConfig &config = *w.block->launch->config;
  if (config.check) {
    forLanes(mask, [&](unsigned l) {
      checkLane(w, i, l, access, bytes, AccessKind::Update, nullptr);
    });
    orderStrong(w, mask, access, orderingOf(i), AccessKind::Update);
  }
  if (config.count)
    countAccess(w, i, mask, access, bytes);
  // Destinations, sources, the compared values: count slots each.
  const uint32_t *slots = &w.frame().code->pool[i.list];
  unsigned stride = laneBytes(element * 8);
  forLanes(mask, [&](unsigned l) {
    std::unique_lock<std::mutex> lock;
    if (access.space[l] == Space::Global)
      lock = std::unique_lock<std::mutex>(
          w.block->launch->atomics[access.address[l] / 32 % 64]);
    for (unsigned k = 0; k < count; ++k) {
      uint8_t *at = access.host[l] + k * element;
      const uint8_t *b = w.base + slots[count + k] + l * stride;
      uint8_t old[16], next[16];
      std::memcpy(old, at, element);
      if (op == Cas) {
        const uint8_t *c = w.base + slots[2 * count + k] + l * stride;
        std::memcpy(next, std::memcmp(old, b, element) ? old : c, element);
      } else if (op == Exch) {
        std::memcpy(next, b, element);
      } else {
        compute(op, t, old, b, next);
      }
      std::memcpy(at, next, element);
      if (slots[k] != kNoSlot)
        std::memcpy(w.base + slots[k] + l * stride, old, element);
    }
  });
}

bool allowed(uint32_t op, Type t) {
  switch (op) {
  case And:
  case Or:
  case Xor:
    return t == Type::B32 || t == Type::B64;
  case Exch:
    return t == Type::B32 || t == Type::B64 || t == Type::B128;
  case Cas:
    return t == Type::B16 || t == Type::B32 || t == Type::B64 ||
           t == Type::B128;
  case Add:
    return t != Type::B16 && t != Type::B32 && t != Type::B64 &&
           t != Type::B128;
  case Inc:
  case Dec:
    return t == Type::U32;
  default:
    return t == Type::U32 || t == Type::S32 || t == Type::U64 ||
           t == Type::S64 || bitWidth(t) == 16 || t == Type::F16x2 ||
           t == Type::BF16x2;
  }
}

template <bool Returns>
void decodeAtomic(Decoder &d) {
  int op = d.choice(kOperations);
  Type t = d.type();
  unsigned hint = d.has("L2::cache_hint") ? 1 : 0;
  unsigned want = (Returns ? 3 : 2) + (op == Cas ? 1 : 0) + hint;
  if (op < 0 || !allowed(static_cast<uint32_t>(op), t)) {
    d.fail("this operation does not exist");
    return;
  }
  if (!d.expectOperands(want, want))
    return;
  Space space = Space::Generic;
  if (d.choice("shared shared::cta shared::cluster") >= 0)
    space = Space::Shared;
  else if (d.has("global"))
    space = Space::Global;
  unsigned k = Returns ? 1 : 0;
  auto elements = [&](unsigned at) {
    const Operand &o = d.operand(at);
    return o.kind == Operand::Vector ? o.elements : std::vector<Operand>{o};
  };
  std::vector<Operand> sources = elements(k + 1);
  static const unsigned counts[] = {2, 4, 8};
  int v = d.choice("v2 v4 v8");
  if (sources.size() != (v < 0 ? 1 : counts[v])) {
    d.fail("a list of other length is needed");
    return;
  }
  std::vector<uint32_t> slots;
  if (Returns) {
    std::vector<Operand> results = elements(0);
    if (results.size() != sources.size()) {
      d.fail("as many results as sources are needed");
      return;
    }
    for (const Operand &o : results)
      slots.push_back(d.dst(o, t));
  } else {
    slots.assign(sources.size(), kNoSlot);
  }
  for (const Operand &o : sources)
    slots.push_back(d.src(o, t));
  if (op == Cas)
    slots.push_back(d.src(k + 2, t));
  d.list(slots);
  d.out.listSize = static_cast<uint32_t>(sources.size());
  d.out.op[1] = d.address(k, space);
  d.out.aux |= static_cast<uint32_t>(op) | static_cast<uint32_t>(t)
                                               << kTypeShift;
  d.out.aux2 = kStrong | (d.has("acquire") || d.has("acq_rel") ? kAcquire : 0) |
               (d.has("release") || d.has("acq_rel") ? kRelease : 0);
  d.out.exec = atomic;
}
} // namespace

static const char kAtomicTypes[] =
    "b16 b32 b64 b128 u32 u64 s32 s64 f16 f16x2 bf16 bf16x2 f32 f64";
static const char kAtomicModifiers[] =
    "and or xor exch cas add inc dec min max global shared shared::cta "
    "shared::cluster relaxed acquire release acq_rel cta cluster gpu sys "
    "noftz v2 v4 v8 L2::cache_hint";
static const char kReductionModifiers[] =
    "and or xor add inc dec min max global shared shared::cta shared::cluster "
    "relaxed release cta cluster gpu sys noftz v2 v4 v8 L2::cache_hint";

static const InstructionInfo kTable[] = {
    {"atom", kAtomicTypes, kAtomicModifiers, InstructionClass::Atomic,
     decodeAtomic<true>},
    {"red", "b32 b64 u32 u64 s32 s64 f16 f16x2 bf16 bf16x2 f32 f64",
     kReductionModifiers, InstructionClass::Atomic, decodeAtomic<false>},
};

InstructionList ptx::atomicInstructions() { return kTable; }
