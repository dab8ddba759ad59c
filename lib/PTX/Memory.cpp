// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ld, ldu, st, prefetch and their like: all spaces, widths and vectors.

#include "Access.h"
#include "Decoder.h"
#include "Lanes.h"
#include "Ordering.h"

#include <cstring>
#include <optional>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
/// aux: bytes of an element, of a lane in its register; sign.
constexpr uint32_t kElementMask = 0xff, kStrideShift = 8, kSigned = 1 << 16;

/// An element of `size` bytes, extended to `stride` bytes of a register.
void loadElement(uint8_t *target, const uint8_t *from, unsigned size,
                 unsigned stride, bool isSigned) {
  if (size >= stride) {
    std::memcpy(target, from, stride);
    return;
  }
  uint64_t value = 0;
  std::memcpy(&value, from, size);
  if (isSigned && (value >> (8 * size - 1) & 1))
    value |= ~uint64_t{0} << 8 * size;
  std::memcpy(target, &value, stride > 8 ? 8 : stride);
}

template <typename T>
void loadWord(Warp &w, const Inst &i, uint32_t mask, const Access &access,
              uint32_t slot) {
  T *d = w.lanes<T>(slot);
  if (mask == kAllLanes) {
    for (unsigned l = 0; l < kWarpSize; ++l)
      std::memcpy(&d[l], access.host[l], sizeof(T));
    return;
  }
  forLanes(mask,
           [&](unsigned l) { std::memcpy(&d[l], access.host[l], sizeof(T)); });
}

void load(Warp &w, const Inst &i, uint32_t mask) {
  unsigned size = i.aux & kElementMask, stride = i.aux >> kStrideShift & 0xff;
  unsigned bytes = size * i.listSize;
  Access access;
  if (!resolve(w, i, mask, i.op[1], bytes, false, access))
    return;
  const LaunchConfig &config = *w.block->launch->config;
  Ordering ordering = orderingOf(i);
  if (config.check) {
    AccessKind kind =
        ordering.strong ? AccessKind::StrongRead : AccessKind::Read;
    forLanes(mask, [&](unsigned l) {
      checkLane(w, i, l, access, bytes, kind, nullptr);
    });
    if (ordering.strong)
      orderStrong(w, mask, access, ordering, kind);
  }
  if (config.count)
    countAccess(w, i, mask, access, bytes);
  const uint32_t *slots = &w.frame().code->pool[i.list];
  if (i.listSize == 1 && size == stride && slots[0] != kNoSlot) {
    if (size == 4)
      return loadWord<uint32_t>(w, i, mask, access, slots[0]);
    if (size == 8)
      return loadWord<uint64_t>(w, i, mask, access, slots[0]);
  }
  forLanes(mask, [&](unsigned l) {
    for (unsigned k = 0; k < i.listSize; ++k)
      if (slots[k] != kNoSlot)
        loadElement(w.base + slots[k] + l * stride, access.host[l] + k * size,
                    size, stride, i.aux & kSigned);
  });
}

void store(Warp &w, const Inst &i, uint32_t mask) {
  unsigned size = i.aux & kElementMask;
  unsigned bytes = size * i.listSize;
  Access access;
  if (!resolve(w, i, mask, i.op[0], bytes, true, access))
    return;
  const LaunchConfig &config = *w.block->launch->config;
  Ordering ordering = orderingOf(i);
  AccessKind kind =
      ordering.strong ? AccessKind::StrongWrite : AccessKind::Write;
  if (config.check && ordering.strong)
    orderStrong(w, mask, access, ordering, kind);
  if (config.count)
    countAccess(w, i, mask, access, bytes);
  // Slots and the strides of their registers follow each other.
  const uint32_t *slots = &w.frame().code->pool[i.list];
  const uint32_t *strides = slots + i.listSize;
  forLanes(mask, [&](unsigned l) {
    uint8_t values[64];
    for (unsigned k = 0; k < i.listSize; ++k)
      std::memcpy(values + k * size, w.base + slots[k] + l * strides[k], size);
    if (config.check)
      checkLane(w, i, l, access, bytes, kind, values);
    std::memcpy(access.host[l], values, bytes);
  });
}

Space decodeSpace(Decoder &d) {
  int s = d.choice("global shared shared::cta shared::cluster local param "
                   "param::entry param::func const");
  static const Space spaces[] = {Space::Global, Space::Shared, Space::Shared,
                                 Space::Shared, Space::Local,  Space::Param,
                                 Space::Param,  Space::Param,  Space::Const};
  return s < 0 ? Space::Generic : spaces[s];
}

void decodeOrdering(Decoder &d) {
  d.out.aux2 =
      (d.has("volatile") || d.has("relaxed") || d.has("mmio") ? kStrong : 0) |
      (d.has("acquire") ? kStrong | kAcquire : 0) |
      (d.has("release") ? kStrong | kRelease : 0);
}

/// What the forms of load and store share: a place, and the registers of a
/// scalar or {vector}. Nothing where it is wrong.
struct Transfer {
  Space space;
  std::vector<Operand> elements;
};
std::optional<Transfer> decodeTransfer(Decoder &d, unsigned registers) {
  unsigned hint = d.has("L2::cache_hint") ? 1 : 0;
  if (!d.expectOperands(2 + hint, 2 + hint))
    return std::nullopt;
  Transfer transfer;
  transfer.space = decodeSpace(d);
  const Operand &o = d.operand(registers);
  transfer.elements =
      o.kind == Operand::Vector ? o.elements : std::vector<Operand>{o};
  size_t count = transfer.elements.size();
  static const unsigned counts[] = {2, 4, 8};
  int v = d.choice("v2 v4 v8");
  unsigned want = v < 0 ? 1 : counts[v];
  if (count != want)
    d.fail(std::to_string(count) + " elements, expected " +
           std::to_string(want));
  else if (count * byteWidth(d.type()) > 32)
    d.fail("more than 32 bytes");
  return d.failed() ? std::nullopt : std::optional(std::move(transfer));
}

void decodeLoad(Decoder &d) {
  Type t = d.type();
  std::optional<Transfer> transfer = decodeTransfer(d, 0);
  if (!transfer)
    return;
  std::vector<uint32_t> slots;
  unsigned stride = 0;
  for (const Operand &o : transfer->elements) {
    slots.push_back(d.dst(o, t, true));
    if (o.kind == Operand::Register) {
      if (stride && stride != d.stride(o, t))
        d.fail("registers of different widths");
      stride = d.stride(o, t);
    }
  }
  d.list(slots);
  d.out.op[1] = d.address(1, transfer->space);
  d.out.aux |= byteWidth(t) | (stride ? stride : byteWidth(t)) << kStrideShift |
               (isSigned(t) ? kSigned : 0);
  decodeOrdering(d);
  d.out.exec = load;
}

void decodeStore(Decoder &d) {
  Type t = d.type();
  std::optional<Transfer> transfer = decodeTransfer(d, 1);
  if (!transfer)
    return;
  std::vector<uint32_t> slots, strides;
  for (const Operand &o : transfer->elements) {
    slots.push_back(d.src(o, t, true));
    strides.push_back(d.failed() ? 0 : d.stride(o, t));
  }
  unsigned count = static_cast<unsigned>(slots.size());
  slots.insert(slots.end(), strides.begin(), strides.end());
  d.list(slots);
  d.out.listSize = count;
  d.out.op[0] = d.address(0, transfer->space);
  d.out.aux |= byteWidth(t);
  decodeOrdering(d);
  d.out.exec = store;
}

void nothing(Warp &, const Inst &, uint32_t) {}
void decodeNothing(Decoder &d) { d.out.exec = nothing; }
/// A cache policy is an opaque number.
void policy(Warp &w, const Inst &i, uint32_t mask) {
  forLanes(mask, [&](unsigned l) { w.lanes<uint64_t>(i.op[0])[l] = 0; });
}
void decodePolicy(Decoder &d) {
  d.out.op[0] = d.dst(0u, Type::B64);
  d.out.exec = policy;
}
} // namespace

static const char kMemoryTypes[] = "b8 b16 b32 b64 b128 u8 u16 u32 u64 s8 s16 "
                                   "s32 s64 f16 bf16 f32 f64";
static const char kLoadModifiers[] =
    "global shared shared::cta shared::cluster local param param::entry "
    "param::func const v2 v4 v8 weak volatile relaxed acquire mmio nc cta "
    "cluster gpu sys ca cg cs cv lu L1::evict_normal L1::evict_unchanged "
    "L1::evict_first L1::evict_last L1::no_allocate L2::evict_normal "
    "L2::evict_first L2::evict_last L2::cache_hint L2::64B L2::128B L2::256B "
    "unified";
static const char kStoreModifiers[] =
    "global shared shared::cta shared::cluster local param param::func v2 v4 "
    "v8 weak volatile relaxed release mmio cta cluster gpu sys wb cg cs wt "
    "L1::evict_normal L1::evict_unchanged L1::evict_first L1::evict_last "
    "L1::no_allocate L2::evict_normal L2::evict_first L2::evict_last "
    "L2::cache_hint";

static const InstructionInfo kTable[] = {
    {"ld", kMemoryTypes, kLoadModifiers, InstructionClass::Load, decodeLoad},
    {"ldu", kMemoryTypes, "global v2 v4", InstructionClass::Load, decodeLoad},
    {"st", kMemoryTypes, kStoreModifiers, InstructionClass::Store, decodeStore},
    {"prefetch", "", "global local L1 L2 L2::evict_last L2::evict_normal",
     InstructionClass::Load, decodeNothing},
    {"prefetchu", "", "L1", InstructionClass::Load, decodeNothing},
    {"createpolicy", "b64",
     "fractional L2::evict_first L2::evict_last L2::evict_normal",
     InstructionClass::Move, decodePolicy},
};

InstructionList ptx::memoryInstructions() { return kTable; }
