// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// shfl, vote, match, redux, activemask, elect: lanes speak to lanes.
//
// The .sync forms wait until every lane of their member mask stands at them;
// a lane that names a mask without itself is an error.

#include "Decoder.h"
#include "FloatFormats.h"
#include "Lanes.h"

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
/// Picks the lanes whose member mask is here in full. Lanes with another mask
/// come back to this instruction; where no mask is complete all of them wait.
/// False where the instruction must be left for now, else `mask` and `members`
/// are the lanes that go on.
bool meet(Warp &w, const Inst &i, uint32_t &mask, uint32_t slot,
          uint32_t &members) {
  const uint32_t *masks = w.lanes<uint32_t>(slot);
  uint32_t all = mask;
  for (uint32_t rest = mask; rest;) {
    uint32_t named = masks[__builtin_ctz(rest)];
    uint32_t same =
        testLanes(mask, [named](uint32_t m) { return m == named; }, masks);
    rest &= ~same;
    members = named & w.exists;
    all |= members;
    if (uint32_t outside = same & ~members) {
      w.fault(i, FindingKind::Divergence,
              w.describe(static_cast<uint32_t>(__builtin_ctz(outside))) +
                  " is not in its own member mask");
      return false;
    }
    if (members & ~same)
      continue;
    if (uint32_t others = mask & ~same) {
      w.active &= ~others;
      w.wait(w.pc - 1, others, false);
    }
    mask = same;
    return w.converge(i, mask, members);
  }
  return w.converge(i, mask, all);
}

enum ShuffleMode : uint32_t { Up, Down, Bfly, Idx };

void shuffle(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t members = mask;
  if (i.op[4] != kNoSlot && !meet(w, i, mask, i.op[4], members))
    return;
  const uint32_t *a = w.lanes<uint32_t>(i.op[1]);
  const uint32_t *b = w.lanes<uint32_t>(i.op[2]);
  const uint32_t *c = w.lanes<uint32_t>(i.op[3]);
  uint32_t result[kWarpSize], inRange = 0, dead = 0;
  forLanes(mask, [&](unsigned lane) {
    int l = static_cast<int>(lane), by = static_cast<int>(b[lane] & 31);
    int segment = static_cast<int>(c[lane] >> 8 & 31);
    int clamp = static_cast<int>(c[lane] & 31);
    int top = (l & segment) | (clamp & ~segment);
    int bottom = l & segment;
    int j = l;
    bool in = false;
    switch (i.aux) {
    case Up:
      j = l - by;
      in = j >= top;
      break;
    case Down:
      j = l + by;
      in = j <= top;
      break;
    case Bfly:
      j = l ^ by;
      in = j <= top;
      break;
    default:
      j = bottom | (by & ~segment);
      in = j <= top;
    }
    if (!in)
      j = l;
    if (!(members >> j & 1))
      dead |= 1u << lane;
    result[lane] = a[j];
    inRange |= uint32_t{in} << lane;
  });
  if (dead && w.checks())
    w.report(i, FindingKind::Divergence,
             w.describe(static_cast<uint32_t>(__builtin_ctz(dead))) +
                 " reads a lane that does not take part");
  if (i.op[0] != kNoSlot)
    forLanes(mask,
             [&](unsigned l) { w.lanes<uint32_t>(i.op[0])[l] = result[l]; });
  if (i.op[5] != kNoSlot)
    setMask(w.mask(i.op[5]), mask, inRange);
}
void decodeShuffle(Decoder &d) {
  bool sync = d.has("sync");
  int mode = d.choice("up down bfly idx");
  if (mode < 0 || !d.expectOperands(sync ? 5 : 4, sync ? 5 : 4)) {
    d.fail("a mode is needed");
    return;
  }
  d.out.op[0] = d.dst(0u, Type::B32);
  if (!d.operand(0).second.empty())
    d.out.op[5] = d.dst(d.operand(0).second[0], Type::Pred);
  for (unsigned k = 1; k < d.operands(); ++k)
    d.out.op[k] = d.src(k, Type::B32);
  d.out.aux = static_cast<uint32_t>(mode);
  d.out.exec = shuffle;
}

enum VoteMode : uint32_t { All, Any, Uni, Ballot };

void vote(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t members = mask;
  if (i.op[2] != kNoSlot && !meet(w, i, mask, i.op[2], members))
    return;
  uint32_t p = (w.mask(i.op[1]) ^ (i.aux2 ? ~0u : 0)) & mask;
  if (i.aux == Ballot) {
    forLanes(mask, [&](unsigned l) { w.lanes<uint32_t>(i.op[0])[l] = p; });
    return;
  }
  bool holds = i.aux == All   ? p == mask
               : i.aux == Any ? p != 0
                              : p == mask || !p;
  setMask(w.mask(i.op[0]), mask, holds ? ~0u : 0);
}
void decodeVote(Decoder &d) {
  bool sync = d.has("sync");
  int mode = d.choice("all any uni ballot");
  if (mode < 0 || !d.expectOperands(sync ? 3 : 2, sync ? 3 : 2)) {
    d.fail("a mode is needed");
    return;
  }
  bool negated;
  d.out.op[0] = d.dst(0u, mode == Ballot ? Type::B32 : Type::Pred);
  d.out.op[1] = d.predicate(1, negated);
  if (sync)
    d.out.op[2] = d.src(2u, Type::B32);
  d.out.aux = static_cast<uint32_t>(mode);
  d.out.aux2 = negated;
  d.out.exec = vote;
}

/// The lanes with the same value (any), or all of them if all agree.
template <typename T, bool IsAll>
void match(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t members;
  if (!meet(w, i, mask, i.op[2], members))
    return;
  const T *a = w.lanes<T>(i.op[1]);
  uint32_t result[kWarpSize];
  forLanes(mask, [&](unsigned l) {
    result[l] = testLanes(mask, [&](T x) { return x == a[l]; }, a);
  });
  bool agree = result[__builtin_ctz(mask)] == mask;
  forLanes(mask, [&](unsigned l) {
    w.lanes<uint32_t>(i.op[0])[l] = !IsAll ? result[l] : agree ? mask : 0;
  });
  if (i.op[5] != kNoSlot)
    setMask(w.mask(i.op[5]), mask, agree ? ~0u : 0);
}
void decodeMatch(Decoder &d) {
  Type t = d.type();
  if (!d.has("sync") || d.has("any") == d.has("all") ||
      !d.expectOperands(3, 3)) {
    d.fail(".any.sync or .all.sync is needed");
    return;
  }
  d.out.op[0] = d.dst(0u, Type::B32);
  if (!d.operand(0).second.empty())
    d.out.op[5] = d.dst(d.operand(0).second[0], Type::Pred);
  d.out.op[1] = d.src(1u, t);
  d.out.op[2] = d.src(2u, Type::B32);
  bool all = d.has("all");
  if (t == Type::B32)
    d.out.exec = all ? match<uint32_t, true> : match<uint32_t, false>;
  else
    d.out.exec = all ? match<uint64_t, true> : match<uint64_t, false>;
}

enum ReduceMode : uint32_t { Add, Min, Max, And, Or, Xor };

template <typename T>
void reduce(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t members;
  if (!meet(w, i, mask, i.op[2], members))
    return;
  const T *a = w.lanes<T>(i.op[1]);
  T r = a[__builtin_ctz(mask)];
  forLanes(mask & (mask - 1), [&](unsigned l) {
    T x = a[l];
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      switch (i.aux) {
      case Add:
        r = static_cast<T>(U(r) + U(x));
        return;
      case And:
        r &= x;
        return;
      case Or:
        r |= x;
        return;
      case Xor:
        r ^= x;
        return;
      default:
        break;
      }
    } else if (i.aux2 & 1) {
      x = std::fabs(x);
      r = std::fabs(r);
    }
    if constexpr (std::is_floating_point_v<T>)
      if (std::isnan(x) || std::isnan(r)) {
        r = i.aux2 & 2 ? bitCast<T>(kNaN32) : std::isnan(x) ? r : x;
        return;
      }
    if ((x < r) == (i.aux == Min) && x != r)
      r = x;
  });
  forLanes(mask, [&](unsigned l) { w.lanes<T>(i.op[0])[l] = r; });
}
void decodeReduce(Decoder &d) {
  int op = d.choice("add min max and or xor");
  Type t = d.type();
  bool bitwise = op > static_cast<int>(Max);
  if (op < 0 || !d.has("sync") || bitwise != (t == Type::B32) ||
      (t == Type::F32 && op == static_cast<int>(Add))) {
    d.fail("this reduction does not exist");
    return;
  }
  d.simple(t, {t, Type::B32});
  d.out.aux = static_cast<uint32_t>(op);
  d.out.aux2 = (d.has("abs") ? 1 : 0) | (d.has("NaN") ? 2 : 0);
  d.out.exec = t == Type::S32   ? reduce<int32_t>
               : t == Type::F32 ? reduce<float>
                                : reduce<uint32_t>;
}

void activeMask(Warp &w, const Inst &i, uint32_t mask) {
  forLanes(mask, [&](unsigned l) { w.lanes<uint32_t>(i.op[0])[l] = mask; });
}
void decodeActiveMask(Decoder &d) {
  d.simple(Type::B32, {});
  d.out.exec = activeMask;
}

/// The lowest member is elected.
void elect(Warp &w, const Inst &i, uint32_t mask) {
  uint32_t members;
  if (!meet(w, i, mask, i.op[2], members))
    return;
  unsigned leader = static_cast<unsigned>(__builtin_ctz(mask));
  if (i.op[0] != kNoSlot)
    forLanes(mask, [&](unsigned l) { w.lanes<uint32_t>(i.op[0])[l] = leader; });
  setMask(w.mask(i.op[5]), mask, 1u << leader);
}
void decodeElect(Decoder &d) {
  if (!d.has("sync") || !d.expectOperands(2, 2) ||
      d.operand(0).second.empty()) {
    d.fail("elect.sync d|p, membermask is needed");
    return;
  }
  d.out.op[0] = d.dst(0u, Type::B32);
  d.out.op[5] = d.dst(d.operand(0).second[0], Type::Pred);
  d.out.op[2] = d.src(1u, Type::B32);
  d.out.exec = elect;
}
} // namespace

static const InstructionInfo kTable[] = {
    {"shfl", "b32", "sync up down bfly idx", InstructionClass::Warp,
     decodeShuffle},
    {"vote", "pred b32", "sync all any uni ballot", InstructionClass::Warp,
     decodeVote},
    {"match", "b32 b64", "sync any all", InstructionClass::Warp, decodeMatch},
    {"redux", "u32 s32 b32 f32", "sync add min max and or xor abs NaN",
     InstructionClass::Warp, decodeReduce},
    {"activemask", "b32", "", InstructionClass::Warp, decodeActiveMask},
    {"elect", "", "sync", InstructionClass::Warp, decodeElect},
};

InstructionList ptx::warpInstructions() { return kTable; }
