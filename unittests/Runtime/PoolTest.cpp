// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The thread pool: which tasks are a part, that parts change hands, and that no
// wake-up is lost.

#include "gtest/gtest.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

extern "C" {
#include "pool.h"
}

namespace {

struct Recorder {
  std::mutex mutex;
  std::vector<std::pair<int64_t, int64_t>> ranges;
  std::vector<int> hits;
};

void record(void **args, int64_t begin, int64_t end) {
  auto *recorder = static_cast<Recorder *>(args[0]);
  std::lock_guard<std::mutex> lock(recorder->mutex);
  recorder->ranges.push_back({begin, end});
  for (int64_t task = begin; task < end; ++task)
    ++recorder->hits.at(task);
}

class Pool {
public:
  explicit Pool(int threads) {
    EXPECT_EQ(qd_pool_create(threads, &pool), QD_OK);
  }
  ~Pool() { qd_pool_destroy(pool); }
  void run(qd_kernel kernel, void **args, int64_t tasks) {
    qd_pool_run(pool, kernel, args, tasks);
  }

private:
  qd_pool *pool = nullptr;
};

TEST(PoolTest, PartitionIsThePublishedFormula) {
  for (int parts = 1; parts <= 9; ++parts)
    for (int64_t tasks = 0; tasks <= 50; ++tasks)
      for (int part = 0; part <= parts; ++part)
        ASSERT_EQ(qd_pool_first_task(tasks, parts, part), part * tasks / parts);
  // Where p * n overflows 64 bits the formula must not.
  int64_t huge = INT64_MAX - 7;
  EXPECT_EQ(qd_pool_first_task(huge, 16, 16), huge);
  EXPECT_EQ(qd_pool_first_task(huge, 16, 8), huge / 2);
  EXPECT_EQ(qd_pool_num_parts(3, 2), 3);
  EXPECT_EQ(qd_pool_num_parts(huge, 2), 8);
}

TEST(PoolTest, EveryTaskRunsOnceInItsPart) {
  for (int threads : {1, 2, 3, 5, 8}) {
    Pool pool(threads);
    for (int64_t tasks = 0; tasks <= 70; ++tasks) {
      Recorder recorder;
      recorder.hits.assign(tasks, 0);
      void *args[] = {&recorder};
      pool.run(record, args, tasks);
      EXPECT_EQ(recorder.hits, std::vector<int>(tasks, 1))
          << threads << " threads, " << tasks << " tasks";
      // A single thread takes everything at once, else each part is one call.
      std::vector<std::pair<int64_t, int64_t>> expected;
      int parts = threads == 1 ? std::min<int64_t>(tasks, 1)
                               : qd_pool_num_parts(tasks, threads);
      for (int part = 0; part < parts; ++part)
        expected.push_back({part * tasks / parts, (part + 1) * tasks / parts});
      std::sort(recorder.ranges.begin(), recorder.ranges.end());
      EXPECT_EQ(recorder.ranges, expected);
    }
  }
}

struct Stuck {
  std::atomic<int> rest{0};
  std::atomic<bool> failed{false};
};

/// Task 0 waits until all others are done.
void waitForTheOthers(void **args, int64_t begin, int64_t end) {
  auto *stuck = static_cast<Stuck *>(args[0]);
  for (int64_t task = begin; task < end; ++task) {
    if (task) {
      --stuck->rest;
      continue;
    }
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (stuck->rest && !stuck->failed) {
      std::this_thread::yield();
      if (std::chrono::steady_clock::now() > limit)
        stuck->failed = true;
    }
  }
}

TEST(PoolTest, AStuckThreadHoldsUpOnePartOnly) {
  Pool pool(2); // 8 parts of one task; the caller is stuck in the first
  for (int round = 0; round < 20; ++round) {
    Stuck stuck;
    stuck.rest = 7;
    void *args[] = {&stuck};
    pool.run(waitForTheOthers, args, 8);
    ASSERT_FALSE(stuck.failed);
  }
}

void addOne(void **args, int64_t begin, int64_t end) {
  auto *cells = static_cast<int64_t *>(args[0]);
  for (int64_t i = begin; i < end; ++i)
    ++cells[i];
}

TEST(PoolTest, WhatWorkersWriteIsVisibleToTheNextJob) {
  Pool pool(4);
  constexpr int64_t kCells = 64, kJobs = 20000;
  std::vector<int64_t> cells(kCells);
  void *args[] = {cells.data()};
  // Odd sizes move the boundaries between threads from job to job.
  int64_t expectedSum = 0;
  for (int64_t job = 0; job < kJobs; ++job) {
    int64_t tasks = 2 + job % (kCells - 1);
    pool.run(addOne, args, tasks);
    expectedSum += tasks;
  }
  int64_t sum = 0;
  for (int64_t cell : cells)
    sum += cell;
  EXPECT_EQ(sum, expectedSum);
}

TEST(PoolTest, SleepingWorkersWakeUp) {
  Pool pool(3);
  std::vector<int64_t> cells(3);
  void *args[] = {cells.data()};
  for (int job = 0; job < 30; ++job) {
    // Longer than they spin.
    std::this_thread::sleep_for(std::chrono::milliseconds(job % 3 * 2));
    pool.run(addOne, args, 3);
  }
  EXPECT_EQ(cells, std::vector<int64_t>(3, 30));
}

TEST(PoolTest, SeveralCallersWithTheirOwnPools) {
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&, caller] {
      Pool pool(1 + caller);
      std::vector<int64_t> cells(16);
      void *args[] = {cells.data()};
      for (int job = 0; job < 2000; ++job)
        pool.run(addOne, args, 16);
      for (int64_t cell : cells)
        failures += cell != 2000;
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(failures, 0);
}

TEST(PoolTest, PoolsComeAndGo) {
  for (int i = 0; i < 200; ++i) {
    Pool pool(1 + i % 4);
    if (i % 2) {
      std::vector<int64_t> cells(4);
      void *args[] = {cells.data()};
      pool.run(addOne, args, 4);
      EXPECT_EQ(cells, std::vector<int64_t>(4, 1));
    }
  }
}

} // namespace
