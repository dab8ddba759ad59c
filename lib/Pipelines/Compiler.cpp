// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the phases one after the other; see Compiler.h.

#include "QDialect/Pipelines/Compiler.h"

#include "Calibrate.h"
#include "CheckModule.h"
#include "PlanSearch.h"
#include "QDialect/CodeGen/CPU/CpuTarget.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/PTQ/Recipe.h"
#include "QDialect/Pipelines/ModuleFile.h"
#include "QDialect/Pipelines/Passes.h"
#include "QDialect/Target/SharedLibrary/SharedLibrary.h"
#include "QDialect/Transforms/Observers.h"
#include "QDialect/Transforms/Passes.h"
#include "QDialect/Transforms/Quantize.h"
#include "QDialect/Transforms/SequentialBias.h"
#include "SmoothSearch.h"
#include "Summary.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace qdialect {
namespace {

llvm::Error fail(ExitCode code, const llvm::Twine &message) {
  return llvm::make_error<CompileError>(code, message.str());
}

/// The same error as a CompileError of this code.
llvm::Error wrap(ExitCode code, llvm::Error error) {
  if (!error)
    return error;
  return fail(code, llvm::toString(std::move(error)));
}

CompileOptions withDefaults(CompileOptions options) {
  if (options.recipe.empty())
    options.recipe = kDefaultRecipe.str();
  return options;
}

class Driver {
public:
  explicit Driver(const CompileOptions &given)
      : options(withDefaults(given)), log(given.log),
        choosesRecipe(!given.recipe.empty() && given.recipe != "float") {
    // Whoever compiles a model knows its layers, not our operations.
    context.printOpOnDiagnostic(false);
  }

  llvm::Error run();

private:
  static constexpr llvm::StringLiteral kRescaleOption = "--rescale";
  /// What only quantizing reads.
  std::vector<std::pair<llvm::StringRef, llvm::StringRef>> dataOptions() const {
    return {{kRescaleOption, options.rescale},
            {"--calibration", options.calibration},
            {"--statistics", options.statistics},
            {"--search", options.search}};
  }
  llvm::Error check();
  llvm::Error load();
  llvm::Error checkRest();
  llvm::Error normalize();
  llvm::Error calibrateAndQuantize();
  llvm::Error searchPlan(bool isFloat);
  llvm::Error quantize();
  llvm::Error integerize();
  llvm::Error checkFallbacks();
  llvm::Error dispatch();
  llvm::Error emit();
  llvm::Error emitWithinLimits();
  llvm::Error runPasses(PassManager &pm, Phase phase);
  llvm::Expected<Statistics> obtainStatistics(bool &computed);
  bool isFloatRecipe() const { return options.recipe == "float"; }
  func::FuncOp mainFunction() {
    return module->lookupSymbol<func::FuncOp>("main");
  }
  /// What earlier phases, of this run or another, noted on the program.
  std::string noted(StringRef attribute) {
    auto text = mainFunction()->getAttrOfType<StringAttr>(attribute);
    return text ? text.str() : "unknown";
  }
  void note(StringRef attribute, const llvm::Twine &text) {
    mainFunction()->setAttr(attribute, StringAttr::get(&context, text));
  }
  /// Reports the end of a phase; true when the driver must stop after it.
  bool finished(Phase phase, const llvm::Twine &remark = "");

  /// A copy: lld, which emission runs in process, resets every option of the
  /// command line to its default, and the caller's object is bound to them.
  const CompileOptions options;
  PhaseLog log;
  /// Did the caller ask for a quantization, or is it the default?
  const bool choosesRecipe;
  std::optional<Recipe> recipe;
  std::string rescale = "float";
  llvm::SmallVector<CpuTarget> targets;
  llvm::SmallVector<GpuTarget> gpuTargets;
  Phase last = Phase::Emit;
  Phase reached = Phase::Import;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  Statistics statistics;
  /// With --search: it, the program that it measures, and the recipe that its
  /// plans are based on.
  std::optional<PlanSearch> search;
  OwningOpRef<ModuleOp> calibrated;
  std::optional<Recipe> base;
  int64_t fileBytes = 0;
};

/// Options that can be judged before any work.
llvm::Error Driver::check() {
  if (!options.stopAfter.empty()) {
    std::optional<Phase> phase = parsePhase(options.stopAfter);
    if (!phase || *phase == Phase::Emit)
      return fail(ExitCode::Usage,
                  "unknown phase '" + options.stopAfter +
                      "' for --stop-after, expected import, normalize, "
                      "calibrate, quantize, integerize or dispatch");
    last = *phase;
  }
  StringRef extension = llvm::sys::path::extension(options.output);
  bool moduleOutput = extension == ".mlir" || extension == ".mlirbc";
  if (last != Phase::Emit && !moduleOutput)
    return fail(ExitCode::Usage, "--stop-after writes a module, but '" +
                                     options.output +
                                     "' ends in neither .mlir nor .mlirbc");
  if (last == Phase::Emit && extension != ".so")
    return fail(ExitCode::Usage,
                "output '" + options.output + "' does not end in .so");
  // Found out now, not after minutes of calibration.
  StringRef folder = llvm::sys::path::parent_path(options.output);
  if (llvm::sys::fs::access(folder.empty() ? "." : folder,
                            llvm::sys::fs::AccessMode::Write))
    return fail(ExitCode::Failure, "cannot write '" + options.output +
                                       "': folder '" +
                                       (folder.empty() ? "." : folder) +
                                       "' does not exist or is not writable");
  if (!options.rescale.empty() && options.rescale != "float" &&
      options.rescale != "dyadic")
    return fail(ExitCode::Usage, "unknown rescale mode '" + options.rescale +
                                     "', expected float or dyadic");
  if (options.kernels != "auto" && options.kernels != "generic")
    return fail(ExitCode::Usage, "unknown kernels '" + options.kernels +
                                     "', expected auto or generic");
  StringRef target = options.target;
  if (target.consume_front("nvptx:")) {
    auto parsed = parseGpuTargets(target);
    if (!parsed)
      return wrap(ExitCode::Usage, parsed.takeError());
    gpuTargets = std::move(*parsed);
    if (!options.targetCpu.empty())
      return fail(ExitCode::Usage,
                  "--target-cpu is for CPUs, but --target is '" +
                      options.target + "'");
    if (!options.search.empty())
      return fail(ExitCode::Usage,
                  "--search measures libraries for CPUs, but --target is '" +
                      options.target + "'");
  } else if (target != "cpu") {
    return fail(ExitCode::Usage, "unknown target '" + options.target +
                                     "', expected cpu or nvptx:sm_80,...");
  }
  if (!options.targetCpu.empty()) {
    auto parsed = parseTargetCpus(options.targetCpu);
    if (!parsed)
      return wrap(ExitCode::Usage, parsed.takeError());
    targets = std::move(*parsed);
  }
  if (!isFloatRecipe()) {
    auto loaded = Recipe::load(options.recipe);
    if (!loaded)
      return wrap(ExitCode::BadInput, loaded.takeError());
    recipe = std::move(*loaded);
    rescale = stringify(recipe->rescale).str();
  }
  if (!options.rescale.empty())
    rescale = options.rescale;
  if (llvm::Error error = PlanSearch::check(options))
    return error;
  for (auto [option, value] : dataOptions())
    if (isFloatRecipe() && !value.empty())
      return fail(ExitCode::Usage, "recipe 'float' quantizes nothing, so " +
                                       option + "=" + value +
                                       " would do nothing");
  if (recipe && recipe->integerOnly && rescale != "dyadic")
    return fail(ExitCode::Usage, "recipe '" + options.recipe +
                                     "' is integer-only and rescales by dyadic "
                                     "numbers, not by --rescale=" +
                                     rescale);
  return llvm::Error::success();
}

/// What is given for phases that the input has behind it is no use, and would
/// be believed.
llvm::Error Driver::checkRest() {
  std::string where =
      "'" + options.input + "' is a module after " + stringify(reached).str();
  if (reached >= Phase::Quantize) {
    for (auto [option, value] : dataOptions())
      if (!value.empty() && option != kRescaleOption)
        return fail(ExitCode::Usage,
                    where + ", too late for " + option + "=" + value);
    if (choosesRecipe && recipe->name != noted(qd::kRecipeAttr))
      return fail(ExitCode::Usage,
                  where + " (recipe " + noted(qd::kRecipeAttr) +
                      "), too late for --recipe=" + options.recipe);
  }
  if (reached >= Phase::Integerize && !options.rescale.empty() &&
      options.rescale != noted(qd::kRescaleAttr))
    return fail(ExitCode::Usage,
                where + " (rescale mode " + noted(qd::kRescaleAttr) +
                    "), too late for --rescale=" + options.rescale);
  return llvm::Error::success();
}

bool Driver::finished(Phase phase, const llvm::Twine &remark) {
  reached = phase;
  if (phase != Phase::Emit) // no module is written behind it
    (*module)->setAttr(qd::kPhaseAttr,
                       StringAttr::get(&context, stringify(phase)));
  log.end(stringify(phase), remark);
  return phase == last;
}

llvm::Error Driver::runPasses(PassManager &pm, Phase phase) {
  if (succeeded(pm.run(*module)))
    return llvm::Error::success();
  return fail(ExitCode::Failure, "the " + stringify(phase) + " phase failed");
}

llvm::Error Driver::load() {
  auto loaded =
      readModule(options.input, options.dims, options.values, context);
  if (!loaded)
    return wrap(ExitCode::BadInput, loaded.takeError());
  module = std::move(loaded->module);
  reached = loaded->phase;
  if (!mainFunction())
    return fail(ExitCode::BadInput,
                "'" + options.input + "' has no function @main");
  if (failed(checkProgramForm(mainFunction())))
    return fail(ExitCode::BadInput, "'" + options.input + "' is no program");
  if (failed(checkBounds(mainFunction())))
    return fail(ExitCode::BadInput, "'" + options.input +
                                        "' was changed since its bounds were "
                                        "proven");
  if (reached > last)
    return fail(ExitCode::Usage, "'" + options.input + "' is a module after " +
                                     stringify(reached) +
                                     "; it cannot stop after " +
                                     stringify(last));
  if (llvm::Error error = checkRest())
    return error;
  if (!mainFunction()->hasAttr(qd::kModelAttr))
    note(qd::kModelAttr, llvm::sys::path::stem(options.input));
  if (reached < Phase::Integerize && isFloatRecipe()) {
    note(qd::kRecipeAttr, "float");
    note(qd::kRescaleAttr, "float");
  } else if (reached == Phase::Quantize && options.rescale.empty() &&
             mainFunction()->hasAttr(qd::kRescaleAttr)) {
    rescale = noted(qd::kRescaleAttr);
  }
  log.end(stringify(reached), llvm::Twine(countOps(*module)) + " ops");
  return llvm::Error::success();
}

llvm::Error Driver::normalize() {
  PassManager pm(&context);
  buildNormalizePipeline(pm);
  return runPasses(pm, Phase::Normalize);
}

llvm::Expected<Statistics> Driver::obtainStatistics(bool &computed) {
  computed = false;
  if (!options.statistics.empty() &&
      (options.calibration.empty() ||
       llvm::sys::fs::exists(options.statistics))) {
    auto read = Statistics::read(options.statistics);
    if (!read)
      return wrap(ExitCode::BadInput, read.takeError());
    StringRef program = getProgramDigest(mainFunction());
    if (read->program != program)
      return fail(ExitCode::BadInput, "statistics '" + options.statistics +
                                          "' are of program " + read->program +
                                          ", not of " + program);
    return read;
  }
  if (options.calibration.empty())
    return fail(ExitCode::Usage,
                "recipe '" + options.recipe +
                    "' needs calibration data for a float model: give "
                    "--calibration PATH (or --statistics of an earlier run)");
  auto collected = calibrate(*module, options.calibration, options.log);
  if (!collected)
    return wrap(ExitCode::BadInput, collected.takeError());
  computed = true;
  return collected;
}

/// Marks, measures and quantizes. A module that was stopped after calibrate has
/// its observers; its statistics lie in the file.
llvm::Error Driver::calibrateAndQuantize() {
  if (reached < Phase::Calibrate) {
    PassManager pm(&context);
    buildObservePipeline(pm, options.recipe);
    if (llvm::Error error = runPasses(pm, Phase::Calibrate))
      return error;
  }
  bool observed = false;
  bool isFloat = !getProgramDigest(mainFunction()).empty();
  mainFunction().walk([&](qd::ObserveOp) { observed = true; });
  if (observed) {
    bool computed = false;
    auto obtained = obtainStatistics(computed);
    if (!obtained)
      return obtained.takeError();
    statistics = std::move(*obtained);
    if (computed && !options.statistics.empty())
      if (llvm::Error error = statistics.write(options.statistics))
        return wrap(ExitCode::Failure, std::move(error));
  } else if (!options.calibration.empty()) {
    log.note(isFloat ? "the recipe chooses all scales at run time: calibration "
                       "data are not used"
                     : "the model is quantized already: calibration data are "
                       "not used");
  }
  std::string remark =
      observed  ? std::to_string(statistics.samples) + " samples, " +
                      std::to_string(statistics.values.size()) + " values"
      : isFloat ? "scales are chosen at run time"
                : "already quantized";
  if (finished(Phase::Calibrate, remark))
    return llvm::Error::success();
  if (observed && recipe->smoothing &&
      recipe->smoothing->method == SmoothingMethod::Search) {
    if (options.calibration.empty())
      return fail(ExitCode::Usage,
                  "recipe '" + options.recipe +
                      "' searches its smoothing on calibration data: give "
                      "--calibration PATH with --statistics, too");
    auto found = searchSmoothing(*module, *recipe, rescale, statistics,
                                 options.calibration, options.log);
    if (!found)
      return wrap(ExitCode::Failure, found.takeError());
    recipe->smoothing = *found;
  }
  if (!options.search.empty())
    if (llvm::Error error = searchPlan(isFloat))
      return error;
  return quantize();
}

/// Replaces the recipe by the plan.
llvm::Error Driver::searchPlan(bool isFloat) {
  if (!isFloat)
    return fail(ExitCode::Usage,
                "--search chooses the precisions of a float model, and '" +
                    options.input + "' is quantized already");
  calibrated = module->clone();
  base = std::move(recipe);
  // What is wrong with the request was said by check().
  search.emplace(options, llvm::cantFail(SearchRequest::parse(options.search)),
                 *base, log);
  if (llvm::Error error = search->measure(*calibrated, statistics, rescale))
    return error;
  auto plan = search->plan();
  if (!plan)
    return plan.takeError();
  recipe = std::move(*plan);
  return llvm::Error::success();
}

llvm::Error Driver::quantize() {
  if (recipe->biasCorrection == BiasCorrection::Sequential &&
      hasObservers(mainFunction())) {
    if (options.calibration.empty())
      return fail(ExitCode::Usage,
                  "recipe '" + options.recipe +
                      "' corrects biases on calibration data: give "
                      "--calibration PATH with --statistics, too");
    auto corrected = correctBiasSequentially(mainFunction(), *recipe,
                                             statistics, options.calibration);
    if (!corrected)
      return wrap(ExitCode::Failure, corrected.takeError());
    log.text("  " + std::to_string(*corrected) +
             " biases corrected, layer by layer\n");
  }
  QuantizeSummary summary;
  if (failed(quantizeProgram(mainFunction(), *recipe, statistics, &summary)))
    return fail(ExitCode::Failure, "the quantize phase failed");
  finished(Phase::Quantize,
           llvm::Twine(summary.activations) + " activations, " +
               llvm::Twine(summary.contractions) + " contractions" +
               (summary.outliers ? ", " + std::to_string(summary.outliers) +
                                       " channels in floats"
                                 : ""));
  return llvm::Error::success();
}

llvm::Error Driver::integerize() {
  PassManager pm(&context);
  IntegerizePipelineOptions pipeline;
  pipeline.rescale = rescale;
  buildIntegerizePipeline(pm, pipeline);
  if (llvm::Error error = runPasses(pm, Phase::Integerize))
    return error;
  return checkFallbacks();
}

llvm::Error Driver::checkFallbacks() {
  log.collectFallbacks(*module);
  if (options.failOnFallback && !log.fallbacks().empty()) {
    log.printFallbacks();
    return fail(ExitCode::Fallback,
                llvm::Twine(log.fallbacks().size()) +
                    " layers stay float (--fail-on-fallback)");
  }
  return llvm::Error::success();
}

llvm::Error Driver::dispatch() {
  PassManager pm(&context);
  buildDispatchPipeline(pm);
  return runPasses(pm, Phase::Dispatch);
}

llvm::Error Driver::emit() {
  EmitOptions emit;
  emit.targets.assign(targets.begin(), targets.end());
  emit.gpuTargets.assign(gpuTargets.begin(), gpuTargets.end());
  if (!options.symbolPrefix.empty())
    emit.prefix = options.symbolPrefix;
  emit.genericKernels = options.kernels == "generic";
  emit.provenance.name = noted(qd::kModelAttr);
  emit.provenance.digest = getProgramDigest(mainFunction()).str();
  emit.provenance.recipe = noted(qd::kRecipeAttr);
  emit.provenance.rescale = noted(qd::kRescaleAttr);
  auto summary = emitSharedLibrary(*module, emit, options.output);
  if (!summary)
    return wrap(ExitCode::Failure, summary.takeError());
  finished(Phase::Emit);
  log.printSummary(*summary, options.output);
  fileBytes = summary->fileBytes;
  return llvm::Error::success();
}

/// What a search predicts of a library's size leaves out the code of its
/// kernels for other CPUs; the library itself decides.
llvm::Error Driver::emitWithinLimits() {
  while (true) {
    if (llvm::Error error = emit())
      return error;
    if (!search || search->fits(fileBytes))
      return llvm::Error::success();
    for (StringRef extension : {".so", ".h", ".receipt.json"})
      llvm::sys::fs::remove(
          (StringRef(options.output).drop_back(3) + extension).str());
    module = calibrated->clone();
    auto plan = search->plan();
    if (!plan)
      return plan.takeError();
    recipe = std::move(*plan);
    for (auto step :
         {&Driver::quantize, &Driver::integerize, &Driver::dispatch})
      if (llvm::Error error = (this->*step)())
        return error;
  }
}

llvm::Error Driver::run() {
  if (llvm::Error error = check())
    return error;
  ScopedDiagnosticHandler handler(&context, printDiagnostic);
  log.start();
  if (llvm::Error error = load())
    return error;
  auto stop = [&]() {
    return wrap(ExitCode::Failure, writeModule(*module, options.output));
  };
  if (reached == last) {
    (*module)->setAttr(qd::kPhaseAttr,
                       StringAttr::get(&context, stringify(reached)));
    return stop();
  }
  if (reached < Phase::Normalize) {
    if (llvm::Error error = normalize())
      return error;
    if (finished(Phase::Normalize))
      return stop();
  }
  if (!isFloatRecipe()) {
    if (reached < Phase::Quantize) {
      if (llvm::Error error = calibrateAndQuantize())
        return error;
      if (reached == last)
        return stop();
    }
    if (reached < Phase::Integerize) {
      if (llvm::Error error = integerize())
        return error;
      if (finished(Phase::Integerize))
        return stop();
    } else if (llvm::Error error = checkFallbacks()) {
      return error;
    }
  } else if (last > Phase::Normalize && last < Phase::Dispatch) {
    return fail(ExitCode::Usage, "recipe 'float' has no " + stringify(last) +
                                     " phase to stop after");
  }
  if (reached < Phase::Dispatch) {
    if (llvm::Error error = dispatch())
      return error;
    if (finished(Phase::Dispatch))
      return stop();
  }
  return emitWithinLimits();
}

} // namespace

llvm::Error compile(const CompileOptions &options) {
  return Driver(options).run();
}

} // namespace qdialect
