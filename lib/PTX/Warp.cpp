// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A warp: lock-step execution, divergence, reconvergence, frames.
//
// The lanes of a frame form groups by program counter. The group with the
// lowest one runs; when it reaches the next group's it takes that group in, and
// when it jumps past it, it waits itself. An instruction that needs lanes which
// are not there parks its group until they come.

#include "Calls.h"
#include "Exec.h"
#include "Lanes.h"
#include "Special.h"

#include <cstring>

using namespace qdialect;
using namespace qdialect::ptx;

/// Backward branches that a group may take while others wait: lanes of one
/// warp that wait for each other by spinning shall not hang.
static constexpr uint32_t kPatience = 20000;

std::string Warp::describe(uint32_t lane) const {
  const Dim3 &dim = block->launch->config->block;
  uint64_t linear = index * kWarpSize + lane;
  auto triple = [](uint64_t x, uint64_t y, uint64_t z) {
    return "(" + std::to_string(x) + "," + std::to_string(y) + "," +
           std::to_string(z) + ")";
  };
  return "block " + triple(block->id[0], block->id[1], block->id[2]) +
         " thread " +
         triple(linear % dim.x, linear / dim.x % dim.y, linear / dim.x / dim.y);
}

void Warp::report(const Inst &inst, FindingKind kind, std::string message) {
  Launch &launch = *block->launch;
  std::lock_guard<std::mutex> lock(launch.mutex);
  auto [it, isNew] = launch.findings.try_emplace({inst.line, kind});
  Finding &finding = it->second;
  if (!isNew) {
    ++finding.count;
    return;
  }
  finding.kind = kind;
  finding.line = inst.line;
  finding.message = std::move(message);
  for (const Code *code : launch.functions)
    if (&inst >= code->insts.data() &&
        &inst < code->insts.data() + code->function->body.size())
      finding.source =
          code->function->body[static_cast<size_t>(&inst - code->insts.data())]
              .source;
}

void Warp::fault(const Inst &inst, FindingKind kind, std::string message) {
  report(inst, kind, std::move(message));
  event |= Stopped;
  block->launch->stop = true;
}

//===----------------------------------------------------------------------===//
// Frames
//===----------------------------------------------------------------------===//

void Warp::enter(const Code &code, uint32_t mask, uint32_t localBase,
                 uint32_t callSite) {
  auto f = std::make_unique<Frame>();
  f->code = &code;
  f->entered = mask;
  f->localBase = localBase;
  f->callSite = callSite;
  f->storage.resize(code.frameBytes() + 64);
  auto address = reinterpret_cast<uintptr_t>(f->storage.data());
  f->base = f->storage.data() + ((64 - address % 64) % 64);
  std::copy(code.constants.begin(), code.constants.end(),
            f->base + code.registerBytes);
  f->initialized.resize(code.slots.size());
  for (const DynamicConstant &c : code.dynamic)
    for (unsigned l = 0; l < kWarpSize; ++l) {
      uint64_t value = c.kind == DynamicConstant::Special
                           ? specialRegister(c.value).value(*this, l)
                           : localBase + c.value;
      std::memcpy(f->base + c.slot + l * c.width, &value, c.width);
    }
  base = f->base;
  pc = 0;
  active = mask;
  waitMin = kNoSlot;
  event |= Switched;
  frames.push_back(std::move(f));
}

void Warp::popFrame() {
  uint32_t back = frames.back()->entered & ~exited;
  std::unique_ptr<Frame> callee = std::move(frames.back());
  uint32_t site = callee->callSite;
  frames.pop_back();
  event |= Switched;
  if (frames.empty()) {
    event |= Finished;
    return;
  }
  base = frame().base;
  returnResults(*this, *callee);
  pc = site + 1;
  active = back;
  updateWaitMin();
  if (!active && frame().waiting.empty())
    popFrame(); // its last lanes exited in the callee
  else
    reschedule();
}

void Warp::leave(uint32_t mask, bool all) {
  if (all)
    exited |= mask;
  Frame &f = frame();
  f.returned |= mask;
  active &= ~mask;
  event |= Switched;
  if (!(f.entered & ~(f.returned | exited)))
    popFrame();
  else if (!active)
    reschedule();
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

void Warp::updateWaitMin() {
  waitMin = kNoSlot;
  for (const Group &g : frame().waiting)
    if (!g.parked && g.pc < waitMin)
      waitMin = g.pc;
}

void Warp::wait(uint32_t at, uint32_t mask, bool parked) {
  for (Group &g : frame().waiting)
    if (g.pc == at && g.parked == parked) {
      g.mask |= mask;
      return;
    }
  frame().waiting.push_back({at, mask, parked});
  if (!parked && at < waitMin)
    waitMin = at;
}

void Warp::branch(uint32_t taken, uint32_t target) {
  uint32_t on = active & ~taken;
  bool backward = target < pc;
  if (on) {
    wait(pc, on, false);
    active = taken;
  }
  pc = target;
  if (backward && waitMin != kNoSlot && ++spins > kPatience) {
    // Somebody above may hold what these lanes spin for: let the highest run
    // until it stops.
    spins = 0;
    wait(pc, active, false);
    std::vector<Group> &groups = frame().waiting;
    size_t best = groups.size();
    for (size_t g = 0; g < groups.size(); ++g)
      if (!groups[g].parked &&
          (best == groups.size() || groups[g].pc > groups[best].pc))
        best = g;
    pc = groups[best].pc;
    active = groups[best].mask;
    groups.erase(groups.begin() + static_cast<long>(best));
    waitMin = kNoSlot;
  }
}

void Warp::reschedule() {
  std::vector<Group> &groups = frame().waiting;
  if (active && pc > waitMin) {
    uint32_t mask = active;
    active = 0;
    wait(pc, mask, false);
  }
  if (!active) {
    updateWaitMin();
    if (waitMin == kNoSlot) {
      if (!groups.empty())
        reportParked();
      return;
    }
    pc = waitMin;
    spins = 0;
  }
  for (size_t g = groups.size(); g-- > 0;)
    if (groups[g].pc == pc && !groups[g].parked) {
      active |= groups[g].mask;
      groups.erase(groups.begin() + static_cast<long>(g));
    }
  updateWaitMin();
}

static std::string maskText(uint32_t mask) {
  char text[16];
  std::snprintf(text, sizeof(text), "0x%08x", mask);
  return text;
}

void Warp::reportParked() {
  const std::vector<Group> &groups = frame().waiting;
  const Inst &inst = frame().code->insts[groups[0].pc];
  std::string message =
      describe(static_cast<uint32_t>(__builtin_ctz(groups[0].mask))) +
      ": lanes " + maskText(groups[0].mask) +
      " wait here for others of their warp";
  for (size_t g = 1; g < groups.size(); ++g)
    message += ", lanes " + maskText(groups[g].mask) + " at line " +
               std::to_string(frame().code->insts[groups[g].pc].line);
  if (exited)
    message += ", lanes " + maskText(exited) + " have exited";
  fault(inst, FindingKind::Divergence, message);
}

bool Warp::converge(const Inst &inst, uint32_t mask, uint32_t needed) {
  if (needed & exited) {
    if (checks()) {
      fault(inst, FindingKind::Divergence,
            describe(static_cast<uint32_t>(__builtin_ctz(mask))) + ": lanes " +
                maskText(needed & exited) + " are needed but have exited");
      return false;
    }
    needed &= ~exited;
  }
  if (!(needed & ~mask))
    return true;
  uint32_t here = pc - 1;
  event |= Switched;
  uint32_t met = 0;
  std::vector<Group> &groups = frame().waiting;
  for (size_t g = groups.size(); g-- > 0;)
    if (groups[g].pc == here) {
      met |= groups[g].mask;
      groups.erase(groups.begin() + static_cast<long>(g));
    }
  pc = here;
  active |= met;
  updateWaitMin();
  if (met)
    return false; // again, with more lanes
  if (!(needed & ~active)) {
    fault(inst, FindingKind::Divergence,
          "lanes " + maskText(needed & ~mask) +
              " are needed but their guard is false");
    return false;
  }
  uint32_t parked = active;
  active = 0;
  wait(here, parked, true);
  reschedule();
  return false;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

void Warp::checkReads(const Inst &inst, uint32_t mask) {
  const uint32_t *reads = &frame().code->pool[inst.reads];
  const std::vector<uint32_t> &initialized = frame().initialized;
  for (uint32_t k = 0; k < inst.readCount; ++k) {
    bool isGuard = k == 0 && inst.guard != kNoSlot;
    if (inst.propagates && !isGuard)
      return;
    uint32_t missing = (isGuard ? active : mask) & ~initialized[reads[k]];
    if (missing)
      report(inst, FindingKind::Uninitialized,
             describe(static_cast<uint32_t>(__builtin_ctz(missing))) +
                 " reads register '" +
                 frame().code->function->registers[reads[k]].name +
                 "', which was never written");
  }
}

void Warp::noteWrites(const Inst &inst, uint32_t mask) {
  const Code &code = *frame().code;
  std::vector<uint32_t> &initialized = frame().initialized;
  uint32_t value = mask;
  if (inst.propagates)
    for (uint32_t k = inst.guard != kNoSlot; k < inst.readCount; ++k)
      value &= initialized[code.pool[inst.reads + k]];
  for (uint32_t k = 0; k < inst.writeCount; ++k) {
    uint32_t &lanes = initialized[code.pool[inst.writes + k]];
    lanes = (lanes & ~mask) | value;
  }
}

template <bool Check>
void Warp::loop(uint64_t quantum) {
  const bool check = Check && checks();
  const bool count = Check && block->launch->config->count;
  while (quantum) {
    const Inst *insts = frame().code->insts.data();
    while (quantum) {
      const Inst &inst = insts[pc];
      uint32_t mask = active;
      if (inst.guard != kNoSlot) {
        uint32_t guard = this->mask(inst.guard);
        mask &= inst.guardNegated ? ~guard : guard;
      }
      ++pc;
      --quantum;
      ++steps;
      if (Check) {
        if (check)
          checkReads(inst, mask);
        if (count) {
          SiteCounters &site = block->site(inst);
          ++site.executed;
          site.lanes += static_cast<unsigned>(__builtin_popcount(mask));
        }
      }
      if (mask)
        inst.exec(*this, inst, mask);
      if (event) {
        uint32_t what = event;
        event &= ~uint32_t{Switched};
        if (Check && check && !(what & Switched))
          noteWrites(inst, mask);
        if (event)
          return;
        break;
      }
      if (Check && check)
        noteWrites(inst, mask);
      if (pc >= waitMin)
        reschedule();
    }
  }
}

void Warp::run(uint64_t quantum) {
  event = 0;
  const LaunchConfig &config = *block->launch->config;
  if (config.check || config.count)
    loop<true>(quantum);
  else
    loop<false>(quantum);
}
