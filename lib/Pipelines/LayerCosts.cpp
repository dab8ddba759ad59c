// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A step of the profile belongs to the layer whose name its kernel has.

#include "LayerCosts.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include <chrono>
#include <numeric>

using namespace llvm;

namespace qdialect {
namespace {

/// Time for one program's turn, and the most runs in it.
constexpr double kRoundMilliseconds = 150;
constexpr int kMaxRuns = 64;
constexpr int kRounds = 5;

/// For each step of a program the number of its layer, or none.
struct StepOwners {
  std::vector<std::optional<unsigned>> layerOf;
  std::vector<double> weightBytes; ///< by layer
  double fileBytes = 0;

  static Expected<StepOwners> read(const CompiledModel &model,
                                   const CostTable &table, size_t numSteps);
};

Expected<StepOwners> StepOwners::read(const CompiledModel &model,
                                      const CostTable &table, size_t numSteps) {
  Expected<json::Value> receipt = json::parse(model.receipt());
  if (!receipt)
    return receipt.takeError();
  StringMap<unsigned> numberOf;
  for (auto [number, layer] : enumerate(table.layers))
    numberOf.try_emplace(layer.name, number);
  StepOwners owners;
  owners.layerOf.resize(numSteps);
  owners.weightBytes.resize(table.layers.size());
  const json::Object *root = receipt->getAsObject();
  const json::Array *layers = root->getArray("layers");
  for (const json::Value &value : *layers) {
    const json::Object *layer = value.getAsObject();
    size_t step = *layer->getInteger("step");
    for (const json::Value &name : *layer->getArray("names")) {
      auto known = numberOf.find(*name.getAsString());
      if (known == numberOf.end() || step >= numSteps)
        continue;
      owners.layerOf[step] = known->second;
      owners.weightBytes[known->second] += *layer->getNumber("weights_bytes");
      break;
    }
  }
  owners.fileBytes = *root->getObject("totals")->getNumber("file_bytes");
  return owners;
}

/// Lowers `fastest`, by step, to the times of `runs` runs. A profile is the
/// mean of all runs so far: each run is the difference to the one before.
Error profileRuns(CompiledModel &model, int threads, int runs,
                  ArrayRef<std::vector<HostTensor>> samples,
                  std::vector<double> &fastest) {
  if (Error error = model.setThreads(threads)) // counters restart
    return error;
  std::vector<double> before;
  for (int run = 0; run <= runs; ++run) {
    if (auto outputs = model.run(samples[run % samples.size()]); !outputs)
      return outputs.takeError();
    auto steps = model.profile();
    if (!steps)
      return steps.takeError();
    before.resize(steps->size());
    fastest.resize(steps->size(), std::numeric_limits<double>::infinity());
    for (auto [step, sum, least] : zip_equal(*steps, before, fastest)) {
      double now = step.milliseconds * (run + 1);
      if (run > 0) // the first one warms up
        least = std::min(least, now - sum);
      sum = now;
    }
  }
  return Error::success();
}

/// How many runs fill a round, every sample once if there is time.
Expected<int> runsOfRound(CompiledModel &model,
                          ArrayRef<std::vector<HostTensor>> samples) {
  using Clock = std::chrono::steady_clock;
  if (auto warm = model.run(samples.front()); !warm)
    return warm.takeError();
  Clock::time_point begin = Clock::now();
  if (auto outputs = model.run(samples.front()); !outputs)
    return outputs.takeError();
  double once =
      std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  return std::clamp(static_cast<int>(kRoundMilliseconds / (once + 1e-3)), 1,
                    kMaxRuns);
}

} // namespace

Error measureCosts(CostTable &table, ArrayRef<MeasuredProgram> programs,
                   ArrayRef<std::vector<HostTensor>> samples) {
  constexpr unsigned size = static_cast<unsigned>(Resource::Size),
                     latency = static_cast<unsigned>(Resource::Latency);
  Expected<int> runs = runsOfRound(*programs.back().model, samples);
  if (!runs)
    return runs.takeError();
  std::vector<std::vector<double>> fastest(programs.size());
  for (int round = 0; round < kRounds; ++round)
    for (auto [program, best] : zip_equal(programs, fastest))
      if (Error error =
              profileRuns(*program.model, table.threads, *runs, samples, best))
        return error;
  for (auto [program, times] : zip_equal(programs, fastest)) {
    auto owners = StepOwners::read(*program.model, table, times.size());
    if (!owners)
      return owners.takeError();
    ResourceVector rest{};
    rest[size] = owners->fileBytes;
    std::vector<double> layerTimes(table.layers.size());
    std::optional<unsigned> owner;
    auto names = program.model->profile();
    if (!names)
      return names.takeError();
    for (auto [number, time] : enumerate(times)) {
      // What a block of rows leaves over is the same layer's.
      if (!StringRef((*names)[number].name).ends_with(" (rest)"))
        owner = owners->layerOf[number];
      (owner ? layerTimes[*owner] : rest[latency]) += time;
    }
    for (auto [number, layer] : enumerate(table.layers)) {
      CostTable::Choice &choice = layer.choices[program.choices[number]];
      choice.costs[size] = owners->weightBytes[number];
      choice.costs[latency] = layerTimes[number];
      // Equal constants lie there once and are counted twice.
      rest[size] = std::max(0.0, rest[size] - owners->weightBytes[number]);
    }
    table.rest = rest;
  }
  return Error::success();
}

Expected<double> measureLatency(CompiledModel &model, int threads,
                                ArrayRef<std::vector<HostTensor>> samples) {
  Expected<int> runs = runsOfRound(model, samples);
  if (!runs)
    return runs.takeError();
  std::vector<double> fastest;
  for (int round = 0; round < kRounds; ++round)
    if (Error error = profileRuns(model, threads, *runs, samples, fastest))
      return std::move(error);
  return std::accumulate(fastest.begin(), fastest.end(), 0.0);
}

} // namespace qdialect
