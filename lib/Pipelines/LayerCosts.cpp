// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A step of the profile belongs to the layer whose name its kernel has.

#include "LayerCosts.h"

#include "QDialect/Execution/StepTimes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
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

} // namespace

Error measureCosts(CostTable &table, ArrayRef<MeasuredProgram> programs,
                   ArrayRef<std::vector<HostTensor>> samples) {
  constexpr unsigned size = static_cast<unsigned>(Resource::Size),
                     latency = static_cast<unsigned>(Resource::Latency);
  Expected<int> runs = countRuns(*programs.back().model, samples.front(),
                                 kRoundMilliseconds, kMaxRuns);
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
  Expected<int> runs =
      countRuns(model, samples.front(), kRoundMilliseconds, kMaxRuns);
  if (!runs)
    return runs.takeError();
  std::vector<double> fastest;
  for (int round = 0; round < kRounds; ++round)
    if (Error error = profileRuns(model, threads, *runs, samples, fastest))
      return std::move(error);
  return std::accumulate(fastest.begin(), fastest.end(), 0.0);
}

} // namespace qdialect
