// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of special registers. Clusters have one block each.

#include "Special.h"

#include <iterator>

using namespace qdialect;
using namespace qdialect::ptx;

namespace {
template <int Axis>
uint64_t tid(const Warp &w, unsigned lane) {
  const Dim3 &dim = w.block->launch->config->block;
  uint64_t linear = w.index * kWarpSize + lane;
  if (Axis == 0)
    return linear % dim.x;
  if (Axis == 1)
    return linear / dim.x % dim.y;
  return linear / dim.x / dim.y;
}
uint64_t axis(const Dim3 &dim, int a) {
  return a == 0 ? dim.x : a == 1 ? dim.y : dim.z;
}
template <int Axis>
uint64_t ntid(const Warp &w, unsigned) {
  return axis(w.block->launch->config->block, Axis);
}
template <int Axis>
uint64_t ctaid(const Warp &w, unsigned) {
  return w.block->id[Axis];
}
template <int Axis>
uint64_t nctaid(const Warp &w, unsigned) {
  return axis(w.block->launch->config->grid, Axis);
}
template <int Value>
uint64_t constant(const Warp &, unsigned) {
  return Value;
}
uint64_t laneid(const Warp &, unsigned lane) { return lane; }
uint64_t warpid(const Warp &w, unsigned) { return w.index; }
uint64_t nwarpid(const Warp &w, unsigned) { return w.block->warps.size(); }
uint64_t smid(const Warp &w, unsigned) { return w.block->linear % 108; }
uint64_t gridid(const Warp &w, unsigned) { return w.block->launch->number; }
uint64_t dynamicShared(const Warp &w, unsigned) {
  return w.block->launch->config->sharedBytes;
}
uint64_t totalShared(const Warp &w, unsigned) { return w.block->sharedBytes; }
uint64_t maskEq(const Warp &, unsigned lane) { return 1u << lane; }
uint64_t maskLt(const Warp &, unsigned lane) { return (1u << lane) - 1; }
uint64_t maskLe(const Warp &, unsigned lane) {
  return (uint64_t{2} << lane) - 1;
}
uint64_t maskGt(const Warp &w, unsigned lane) {
  return uint32_t(~maskLe(w, lane));
}
uint64_t maskGe(const Warp &w, unsigned lane) {
  return uint32_t(~maskLt(w, lane));
}
/// A clock that ticks once an instruction of the warp.
uint64_t clock(const Warp &w, unsigned) { return w.steps; }
} // namespace

static const SpecialRegister kSpecial[] = {
    {"%tid.x", 32, false, tid<0>},
    {"%tid.y", 32, false, tid<1>},
    {"%tid.z", 32, false, tid<2>},
    {"%ntid.x", 32, false, ntid<0>},
    {"%ntid.y", 32, false, ntid<1>},
    {"%ntid.z", 32, false, ntid<2>},
    {"%ctaid.x", 32, false, ctaid<0>},
    {"%ctaid.y", 32, false, ctaid<1>},
    {"%ctaid.z", 32, false, ctaid<2>},
    {"%nctaid.x", 32, false, nctaid<0>},
    {"%nctaid.y", 32, false, nctaid<1>},
    {"%nctaid.z", 32, false, nctaid<2>},
    {"%clusterid.x", 32, false, ctaid<0>},
    {"%clusterid.y", 32, false, ctaid<1>},
    {"%clusterid.z", 32, false, ctaid<2>},
    {"%nclusterid.x", 32, false, nctaid<0>},
    {"%nclusterid.y", 32, false, nctaid<1>},
    {"%nclusterid.z", 32, false, nctaid<2>},
    {"%cluster_ctaid.x", 32, false, constant<0>},
    {"%cluster_ctaid.y", 32, false, constant<0>},
    {"%cluster_ctaid.z", 32, false, constant<0>},
    {"%cluster_nctaid.x", 32, false, constant<1>},
    {"%cluster_nctaid.y", 32, false, constant<1>},
    {"%cluster_nctaid.z", 32, false, constant<1>},
    {"%cluster_ctarank", 32, false, constant<0>},
    {"%cluster_nctarank", 32, false, constant<1>},
    {"%laneid", 32, false, laneid},
    {"%warpid", 32, false, warpid},
    {"%nwarpid", 32, false, nwarpid},
    {"%smid", 32, false, smid},
    {"%nsmid", 32, false, constant<108>},
    {"%gridid", 64, false, gridid},
    {"%lanemask_eq", 32, false, maskEq},
    {"%lanemask_lt", 32, false, maskLt},
    {"%lanemask_le", 32, false, maskLe},
    {"%lanemask_gt", 32, false, maskGt},
    {"%lanemask_ge", 32, false, maskGe},
    {"%dynamic_smem_size", 32, false, dynamicShared},
    {"%total_smem_size", 32, false, totalShared},
    {"%clock", 32, true, clock},
    {"%clock_hi", 32, true, constant<0>},
    {"%clock64", 64, true, clock},
    {"%globaltimer", 64, true, clock},
    {"%globaltimer_lo", 32, true, clock},
    {"%globaltimer_hi", 32, true, constant<0>},
};

const SpecialRegister *ptx::findSpecialRegister(std::string_view name) {
  for (const SpecialRegister &special : kSpecial)
    if (special.name == name)
      return &special;
  return nullptr;
}

const SpecialRegister &ptx::specialRegister(uint32_t number) {
  return kSpecial[number];
}

uint32_t ptx::numberOf(const SpecialRegister &special) {
  return static_cast<uint32_t>(&special - kSpecial);
}
