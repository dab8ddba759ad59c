// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state of a launch while it runs: warps, blocks, and what they share.

#ifndef QDIALECT_LIB_PTX_EXEC_H
#define QDIALECT_LIB_PTX_EXEC_H

#include "Clocks.h"
#include "Code.h"
#include "DeviceMemory.h"
#include "QDialect/PTX/Emulator.h"

#include <atomic>
#include <unordered_map>

namespace qdialect::ptx {

struct Block;
struct Launch;

/// Lanes that wait at a program counter while others run.
struct Group {
  uint32_t pc;
  uint32_t mask;
  /// At an instruction that needs lanes which are not here yet.
  bool parked;
};

/// A function being executed by some lanes of a warp.
struct Frame {
  const Code *code = nullptr;
  std::vector<uint8_t> storage;
  uint8_t *base = nullptr;
  /// By register: the lanes that have been written.
  std::vector<uint32_t> initialized;
  std::vector<Group> waiting;
  /// Lanes that entered, and those of them that have returned.
  uint32_t entered = 0, returned = 0;
  uint32_t localBase = 0;
  /// The call in the frame below.
  uint32_t callSite = 0;
};

struct PendingCopy {
  uint32_t lane;
  uint32_t group;
  uint32_t shared;
  uint32_t bytes, sourceBytes;
  uint64_t source;
  /// Not null: no copy but the arrival of cp.async.mbarrier.arrive.
  uint64_t mbarrier;
  bool isArrival, noInc;
};

struct Warp {
  enum Event : uint32_t {
    Blocked = 1,
    Finished = 2,
    Stopped = 4,  // a fault
    Switched = 8, // pc, mask or frame changed behind the loop's back
  };

  // Hot: what the handlers touch.
  uint8_t *base = nullptr;
  uint32_t pc = 0;
  uint32_t active = 0;
  /// The least pc of the waiting groups that are not parked.
  uint32_t waitMin = kNoSlot;
  uint32_t event = 0;
  Block *block = nullptr;
  uint32_t index = 0;

  /// Lanes that exist and those that have exited.
  uint32_t exists = 0, exited = 0;
  std::vector<std::unique_ptr<Frame>> frames;
  Allocation *cached = nullptr;
  uint64_t steps = 0;
  /// Backward branches since another group ran; see branch().
  uint32_t spins = 0;

  // Synchronisation.
  uint32_t barrier = kNoSlot;
  uint32_t barrierExpected = 0;
  const Inst *barrierInst = nullptr;
  uint32_t time = 1, intra = 0;
  WarpTimes clock;
  Knowledge known, fenced, pendingAcquire;
  std::vector<PendingCopy> copies;
  uint32_t committed[kWarpSize] = {};

  template <typename T>
  T *lanes(uint32_t slot) {
    return reinterpret_cast<T *>(base + slot);
  }
  uint32_t &mask(uint32_t slot) {
    return *reinterpret_cast<uint32_t *>(base + slot);
  }
  Frame &frame() { return *frames.back(); }
  uint32_t live() const { return exists & ~exited; }

  /// Ends the launch.
  void fault(const Inst &inst, FindingKind kind, std::string message);
  /// Notes a finding; the kernel goes on.
  void report(const Inst &inst, FindingKind kind, std::string message);
  /// "block (0,0,0) thread (3,0,0)".
  std::string describe(uint32_t lane) const;
  bool checks() const;

  // Control (Warp.cpp).
  void enter(const Code &code, uint32_t mask, uint32_t localBase,
             uint32_t callSite);
  /// Lets the active lanes in `taken` go to `target`, the others on.
  void branch(uint32_t taken, uint32_t target);
  /// The active lanes in `mask` end this frame (or, `all`, every frame).
  void leave(uint32_t mask, bool all);
  void wait(uint32_t pc, uint32_t mask, bool parked);
  /// Goes on with the waiting group of the lowest pc when the present one has
  /// run past it or is empty.
  void reschedule();
  /// Runs until something other than an instruction must happen, or for
  /// `quantum` instructions.
  void run(uint64_t quantum);
  /// True when all lanes of `needed` stand at this instruction; else parks the
  /// present ones and lets others run.
  bool converge(const Inst &inst, uint32_t mask, uint32_t needed);
  /// The same for an instruction that every thread of the warp executes.
  bool convergeAll(const Inst &inst, uint32_t mask) {
    return converge(inst, mask, exists);
  }

private:
  template <bool Check>
  void loop(uint64_t quantum);
  void updateWaitMin();
  void popFrame();
  void reportParked();
  void checkReads(const Inst &inst, uint32_t mask);
  void noteWrites(const Inst &inst, uint32_t mask);
};

/// bar.sync and its kin: one of the 16 of a block.
struct Barrier {
  uint32_t arrivedThreads = 0;
  uint32_t expected = 0;
  std::vector<Warp *> waiting;
  /// Of all that arrived in this phase.
  WarpTimes clock;
  Knowledge known;
  /// bar.red's value.
  uint32_t andValue = 1, orValue = 0, popc = 0;
  const Inst *first = nullptr;
};

/// An mbarrier in shared memory: the count lives in its 8 bytes, the clocks
/// of those who arrived here.
struct MBarrierClock {
  WarpTimes clock;
  Knowledge known;
};

struct Block {
  Launch *launch = nullptr;
  uint32_t id[3] = {};
  uint32_t linear = 0;
  uint32_t now = 1;
  std::vector<uint8_t> sharedStorage;
  uint8_t *shared = nullptr;
  uint64_t sharedBytes = 0;
  std::vector<Cell> shadow;
  std::vector<std::unique_ptr<Warp>> warps;
  std::vector<uint8_t> local;
  uint64_t localBytes = 0;
  Barrier barriers[16];
  std::unordered_map<uint64_t, MBarrierClock> mbarriers;
  std::unordered_map<uint64_t, Knowledge> sharedSync;
  /// By code, by instruction.
  std::unordered_map<const Code *, std::vector<SiteCounters>> sites;
  std::vector<SiteCounters> *currentSites = nullptr;
  const Code *currentCode = nullptr;
  std::string output;
  uint32_t shuffle = 0;

  SiteCounters &site(const Inst &inst);
  void run();
  /// Lets the warps at a barrier go when enough threads have come.
  void release(Barrier &barrier);

private:
  void start();
  void reportDeadlock();
};

/// What all blocks of a launch share.
struct Launch {
  const LaunchConfig *config = nullptr;
  const Code *kernel = nullptr;
  DeviceMemory *memory = nullptr;
  uint32_t number = 0;
  uint64_t sharedBytes = 0;
  /// Local memory of a thread: what the deepest chain of calls needs.
  uint64_t localBytes = 0;
  std::vector<const Code *> functions;
  /// By number of the module's functions; null where not reachable.
  std::vector<const Code *> byNumber;
  std::vector<std::unique_ptr<Allocation>> parameters;
  std::atomic<uint64_t> steps{0};
  std::atomic<bool> stop{false};
  std::mutex mutex; // findings
  std::map<std::pair<unsigned, FindingKind>, Finding> findings;
  std::mutex syncMutex;
  std::unordered_map<uint64_t, Knowledge> sync;
  std::mutex atomics[64];
};

inline bool Warp::checks() const { return block->launch->config->check; }

} // namespace qdialect::ptx

#endif // QDIALECT_LIB_PTX_EXEC_H
