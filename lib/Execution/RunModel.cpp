// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Order: describe, bind, run, write, compare, measure. The first error ends it.

#include "QDialect/Execution/RunModel.h"
#include "ModelInputs.h"
#include "QDialect/Execution/CompareTensors.h"
#include "QDialect/Execution/EmulatedDevice.h"
#include "QDialect/Execution/StepTimes.h"
#include "QDialect/Support/Npy.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include <algorithm>
#include <chrono>
#include <numeric>

using namespace llvm;
using namespace qdialect;

namespace {

class Runner {
public:
  Runner(const RunModelOptions &options, raw_ostream &out)
      : options(options), out(out) {}

  Error run();
  bool differs = false;

private:
  void printInfo();
  Error writeOutputs();
  Expected<std::map<std::string, HostTensor>> referenceOutputs();
  Error compare();
  Error benchmark();
  Expected<std::vector<double>> stepTimes();
  std::vector<std::optional<double>> predictions(size_t numSteps);
  Error printProfile();
  Error printCounters();

  const RunModelOptions &options;
  raw_ostream &out;
  std::unique_ptr<CompiledModel> model;
  std::vector<HostTensor> inputs, outputs;
};

void Runner::printInfo() {
  out << "model      " << options.model << "\n"
      << "prefix     " << model->prefix() << "\n"
      << "variants   " << join(model->variants(), ", ") << "\n"
      << "runs here  "
      << (model->variant().empty() ? "nothing" : model->variant()) << "\n"
      << "weights    " << model->weightsBytes() << " bytes\n"
      << "scratch    " << model->scratchBytes() << " bytes an instance\n";
  for (const TensorSpec &spec : model->inputs())
    out << "input      " << spec.name << "  " << spec.describe() << "\n";
  for (const TensorSpec &spec : model->outputs())
    out << "output     " << spec.name << "  " << spec.describe() << "\n";
  for (const SymbolSpec &symbol : model->symbols())
    out << "symbol     " << symbol.name << "  " << symbol.describe() << "\n";
}

Error Runner::writeOutputs() {
  if (std::error_code code = sys::fs::create_directories(options.outputDir))
    return createStringError(code, "cannot create folder '" +
                                       options.outputDir +
                                       "': " + code.message());
  for (auto [spec, tensor] : zip(model->outputs(), outputs)) {
    SmallString<128> path(options.outputDir);
    sys::path::append(path, outputFileName(spec.name));
    if (Error error = writeNpy(path, tensor))
      return error;
  }
  return Error::success();
}

Expected<std::map<std::string, HostTensor>> Runner::referenceOutputs() {
  StringRef path = options.compare;
  std::map<std::string, HostTensor> result;
  if (sys::fs::is_directory(path)) {
    for (const TensorSpec &spec : model->outputs()) {
      SmallString<128> file(path);
      sys::path::append(file, outputFileName(spec.name));
      Expected<HostTensor> tensor = readNpy(file);
      if (!tensor)
        return tensor.takeError();
      result.insert({spec.name, std::move(*tensor)});
    }
    return result;
  }
  std::map<std::string, HostTensor> named;
  for (auto [spec, tensor] : zip(model->inputs(), inputs))
    named.insert({spec.name, tensor});
  if (!path.ends_with(".so")) {
    if (options.reference)
      return options.reference(path, named);
    return createStringError("reference '" + path +
                             "' is neither a library nor a folder");
  }
  auto reference = CompiledModel::load(path, options.load);
  if (!reference)
    return reference.takeError();
  std::vector<HostTensor> ordered;
  for (const TensorSpec &spec : (*reference)->inputs()) {
    auto entry = named.find(spec.name);
    if (entry == named.end())
      return createStringError("the reference's input '" + spec.name +
                               "' is no input of the model");
    ordered.push_back(entry->second);
  }
  auto values = (*reference)->run(ordered);
  if (!values)
    return values.takeError();
  for (auto [spec, tensor] : zip((*reference)->outputs(), *values))
    result.insert({spec.name, tensor});
  return result;
}

Error Runner::compare() {
  auto references = referenceOutputs();
  if (!references)
    return references.takeError();
  for (auto [spec, tensor] : zip(model->outputs(), outputs)) {
    auto entry = references->find(spec.name);
    if (entry == references->end())
      return createStringError("the reference has no output '" + spec.name +
                               "'");
    auto difference = compareTensors(tensor, entry->second);
    if (!difference)
      return createStringError("output '" + spec.name +
                               "': " + toString(difference.takeError()));
    differs |= !difference->bitEqual();
    out << "compare    " << spec.name
        << format("  max_abs_diff %g  sqnr_db %.2f  cosine %.6f  equal %.6f  "
                  "argmax %.6f\n",
                  difference->maxAbs, difference->sqnrDb, difference->cosine,
                  difference->equalShare, difference->argmaxShare);
  }
  return Error::success();
}

Error Runner::benchmark() {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  auto seconds = [](Clock::duration d) {
    return std::chrono::duration<double>(d).count();
  };
  // The runs before this one have touched the memory and woken the threads.
  auto start = Clock::now();
  constexpr size_t kFewestRuns = 5;
  while (times.size() < kFewestRuns ||
         seconds(Clock::now() - start) < options.minTime) {
    auto begin = Clock::now();
    if (Error error = model->runInto(inputs, outputs))
      return error;
    times.push_back(seconds(Clock::now() - begin) * 1e3);
  }
  llvm::sort(times);
  double median = times[times.size() / 2];
  double mean = std::accumulate(times.begin(), times.end(), 0.0) / times.size();
  out << "benchmark  " << times.size()
      << format(" runs  min %.4f ms  median %.4f ms  mean %.4f ms  max %.4f ms",
                times.front(), median, mean, times.back())
      << "  threads " << options.load.threads << "  variant "
      << model->variant() << "\n";
  if (options.json.empty())
    return Error::success();
  std::error_code code;
  raw_fd_ostream file(options.json, code);
  if (code)
    return createStringError(code, "cannot write '" + options.json +
                                       "': " + code.message());
  json::OStream json(file, 2);
  json.object([&] {
    json.attribute("model", json::fixUTF8(options.model));
    json.attribute("variant", model->variant());
    json.attribute("threads", options.load.threads);
    json.attribute("runs", static_cast<int64_t>(times.size()));
    json.attribute("min_ms", times.front());
    json.attribute("median_ms", median);
    json.attribute("mean_ms", mean);
    json.attribute("max_ms", times.back());
  });
  file << "\n";
  return Error::success();
}

/// The fastest of a few runs of each step; emulated ones are slow and all
/// alike.
Expected<std::vector<double>> Runner::stepTimes() {
  constexpr double kMilliseconds = 500;
  constexpr int kMostRuns = 50;
  std::vector<double> times;
  if (model->emulator()) {
    auto steps = model->profile();
    if (!steps)
      return steps.takeError();
    for (const auto &step : *steps)
      times.push_back(step.milliseconds);
    return times;
  }
  auto runs = countRuns(*model, inputs, kMilliseconds, kMostRuns);
  if (!runs)
    return runs.takeError();
  if (Error error =
          profileRuns(*model, options.load.threads, *runs, inputs, times))
    return std::move(error);
  return times;
}

/// What the receipt predicts of each step of this variant, in milliseconds on
/// one core; nothing where it does not.
std::vector<std::optional<double>> Runner::predictions(size_t numSteps) {
  std::vector<std::optional<double>> times(numSteps);
  Expected<json::Value> receipt = json::parse(model->receipt());
  const json::Object *root = receipt ? receipt->getAsObject() : nullptr;
  const json::Array *layers = root ? root->getArray("layers") : nullptr;
  if (!receipt)
    consumeError(receipt.takeError());
  for (const json::Value &value : layers ? *layers : json::Array()) {
    const json::Object *layer = value.getAsObject();
    const json::Object *predicted =
        layer ? layer->getObject("predicted_us") : nullptr;
    auto step = layer ? layer->getInteger("step") : std::nullopt;
    auto time =
        predicted ? predicted->getNumber(model->variant()) : std::nullopt;
    if (step && time && *step >= 0 && static_cast<size_t>(*step) < numSteps)
      times[*step] = *time * 1e-3;
  }
  return times;
}

Error Runner::printProfile() {
  auto times = stepTimes();
  if (!times)
    return times.takeError();
  auto steps = model->profile();
  if (!steps)
    return steps.takeError();
  std::vector<std::optional<double>> predicted = predictions(times->size());
  double total = std::accumulate(times->begin(), times->end(), 0.0);
  double all = 0;
  for (auto [number, step, time, expected] :
       enumerate(*steps, *times, predicted)) {
    out << format("profile    %4zu %10.4f ms %5.1f %%  ",
                  static_cast<size_t>(number), time,
                  total ? 100 * time / total : 0.0);
    if (expected)
      out << format("predicted %10.4f ms  ", *expected);
    else
      out << "predicted          -     ";
    out << step.name << "\n";
    all += expected.value_or(0);
  }
  out << format("profile    all  %10.4f ms          predicted %10.4f ms on one "
                "core\n",
                total, all);
  return Error::success();
}

Error Runner::printCounters() {
  const EmulatedDevice *device = model->emulator();
  if (!device)
    return createStringError("--counters needs --device ptx-emulator");
  for (const auto &step : device->counters())
    out << "counters   " << step.step << "  kernel " << step.kernel
        << "  launches " << step.launches << "  instructions "
        << step.warpInstructions << "  mma " << step.matrixInstructions
        << "  sectors " << step.memory.sectors << " of at least "
        << step.memory.idealSectors << "  bank conflicts "
        << step.memory.conflicts << "\n";
  return Error::success();
}

Error Runner::run() {
  LoadOptions load = options.load;
  load.profile |= options.profile;
  bool computes = !options.inputs.empty() || !options.outputDir.empty() ||
                  !options.compare.empty() || options.benchmark ||
                  options.profile;
  load.describeOnly = !computes && (options.info || options.receipt);
  auto loaded = CompiledModel::load(options.model, load);
  if (!loaded)
    return loaded.takeError();
  model = std::move(*loaded);
  if (!options.load.device.empty() && !model->isForGpu())
    return createStringError("model '" + options.model +
                             "' was compiled for CPUs, --device " +
                             options.load.device + " runs those for GPUs");
  if (options.info)
    printInfo();
  if (options.receipt)
    out << model->receipt();
  if (load.describeOnly)
    return Error::success();

  // Speed hardly depends on the data, so measuring needs no file.
  if (options.inputs.empty() && (options.benchmark || options.profile) &&
      options.compare.empty() && options.outputDir.empty()) {
    inputs = syntheticInputs(model->inputs(), model->symbols(), options.sizes);
  } else {
    auto bound = bindInputs(model->inputs(), options.inputs);
    if (!bound)
      return bound.takeError();
    inputs = std::move(*bound);
  }
  auto results = model->run(inputs);
  if (!results)
    return results.takeError();
  outputs = std::move(*results);
  if (!options.outputDir.empty())
    if (Error error = writeOutputs())
      return error;
  if (!options.compare.empty())
    if (Error error = compare())
      return error;
  if (options.counters)
    if (Error error = printCounters())
      return error;
  if (options.benchmark)
    if (Error error = benchmark())
      return error;
  return options.profile ? printProfile() : Error::success();
}

} // namespace

std::string qdialect::outputFileName(StringRef name) {
  std::string file = name.str();
  for (char &c : file)
    if (c == '/' || c == '\0')
      c = '_';
  return file + ".npy";
}

int qdialect::runModel(const RunModelOptions &options, raw_ostream &out,
                       raw_ostream &errors) {
  Runner runner(options, out);
  if (Error error = runner.run()) {
    out.flush();
    errors << "error: " << toString(std::move(error)) << "\n";
    return kRunFailure;
  }
  return runner.differs && options.requireEqual ? kRunDiffers : kRunSuccess;
}
