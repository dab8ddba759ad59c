// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything is made in a folder of its own beside the output (the same file
// system, so that a rename puts it in place at once), which is removed whatever
// happens.

#include "QDialect/Target/SharedLibrary/SharedLibrary.h"
#include "GpuKernels.h"
#include "KernelObjects.h"
#include "ModelHeader.h"
#include "ObjectCode.h"
#include "QDialect/CodeGen/NVVM/GpuKernelPlan.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Target/SharedLibrary/KernelCache.h"
#include "Receipt.h"
#include "WeightsImage.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>

using namespace llvm;
using namespace qdialect;

namespace {

Error fileError(const Twine &what, StringRef path, std::error_code code) {
  return createStringError(code, "cannot " + what + " '" + path +
                                     "': " + code.message());
}

/// Files beside the output that disappear with the object, and when the process
/// is interrupted: a folder of theirs would stay then.
class TemporaryFiles {
public:
  ~TemporaryFiles() {
    for (const std::string &path : paths) {
      sys::fs::remove(path);
      sys::DontRemoveFileOnSignal(path);
    }
  }

  /// Reserves the names; an error where nothing can be written.
  Error create(StringRef output) {
    SmallString<128> path;
    int file = 0;
    if (std::error_code code =
            sys::fs::createUniqueFile(output + ".tmp-%%%%%%", file, path))
      return fileError("write", output, code);
    sys::fs::file_t native = sys::fs::convertFDToNativeFile(file);
    sys::fs::closeFile(native);
    prefix = path.str().str();
    keepTrack(prefix);
    return Error::success();
  }

  std::string file(const Twine &name) {
    std::string path = (Twine(prefix) + "." + name).str();
    keepTrack(path);
    return path;
  }

private:
  void keepTrack(const std::string &path) {
    if (is_contained(paths, path))
      return;
    paths.push_back(path);
    sys::RemoveFileOnSignal(path);
  }

  std::string prefix;
  std::vector<std::string> paths;
};

Error writeFile(StringRef path, StringRef bytes) {
  std::error_code code;
  raw_fd_ostream stream(path, code);
  if (code)
    return fileError("write", path, code);
  stream << bytes;
  stream.close();
  if (stream.has_error()) {
    code = stream.error();
    stream.clear_error();
    return fileError("write", path, code);
  }
  return Error::success();
}

/// An error unless `bytes` more fit beside `path`. The linker writes through a
/// mapping, where a full disk is a signal and no error.
Error checkSpace(StringRef path, uint64_t bytes) {
  int file = 0;
  if (std::error_code code = sys::fs::openFileForWrite(path, file))
    return fileError("write", path, code);
  int code = posix_fallocate(file, 0, bytes);
  sys::fs::file_t native = sys::fs::convertFDToNativeFile(file);
  sys::fs::closeFile(native);
  sys::fs::remove(path);
  if (code)
    return fileError("reserve " + Twine(bytes) + " bytes for", path,
                     std::error_code(code, std::generic_category()));
  return Error::success();
}

class LibraryEmitter {
public:
  LibraryEmitter(mlir::ModuleOp module, const EmitOptions &options,
                 StringRef output)
      : module(module), options(options), output(output.str()),
        targets(options.targets) {
    if (targets.empty())
      targets = defaultCpuTargets();
    provenance = options.provenance;
    if (provenance.name.empty())
      provenance.name = sys::path::stem(output).str();
  }

  Expected<EmitSummary> run();

private:
  Error addObject(StringRef name, StringRef bytes);
  Error plan();
  Error addKernels();
  /// Compiles what the cache has not, and links its objects.
  Error addCachedKernels(KernelCache &cache);
  Error addProgram();
  Error link();
  Error writeCompanions();
  Error putInPlace();
  std::string companion(StringRef extension) const;

  mlir::ModuleOp module;
  // Copies: the linker resets every cl::opt of the process to its default.
  EmitOptions options;
  std::string output;
  std::vector<CpuTarget> targets;
  ModelProvenance provenance;
  Program program;
  WeightsLayout weights;
  std::vector<ProgramVariant> variants;
  std::string receipt;
  EmitSummary summary;
  TemporaryFiles temporaries;
  std::vector<std::string> objects;
  /// Finished files and their final names, the library last.
  std::vector<std::pair<std::string, std::string>> finished;
};

Error LibraryEmitter::addObject(StringRef name, StringRef bytes) {
  objects.push_back(temporaries.file(name));
  return writeFile(objects.back(), bytes);
}

Error LibraryEmitter::plan() {
  ProgramOptions programOptions;
  KernelOptions kernels{options.genericKernels};
  programOptions.planner = planCpuKernel(kernels);
  if (!options.gpuTargets.empty()) {
    programOptions.tiles = false; // a device has no such runtime function
    programOptions.tallBlocks = true;
    programOptions.symbolicPlanner = [=](qd::DispatchOp dispatch) {
      return planSymbolicGpuKernel(dispatch, kernels);
    };
    programOptions.planner = [this, kernels](qd::DispatchOp dispatch)
        -> mlir::FailureOr<std::unique_ptr<KernelPlan>> {
      auto kernel = planGpuKernel(dispatch, kernels, options.gpuTargets);
      if (failed(kernel))
        return mlir::failure();
      return std::unique_ptr<KernelPlan>(std::move(*kernel));
    };
  }
  mlir::FailureOr<Program> planned = planProgram(module, programOptions);
  if (failed(planned))
    return createStringError("the program cannot be planned");
  program = std::move(*planned);
  return Error::success();
}

Error LibraryEmitter::addKernels() {
  if (!options.gpuTargets.empty()) {
    auto compiled = compileGpuKernels(*module.getContext(), program.kernels,
                                      options.gpuTargets);
    if (!compiled)
      return compiled.takeError();
    variants = std::move(*compiled);
    return Error::success();
  }
  if (options.cache)
    return addCachedKernels(*options.cache);
  auto compiled =
      compileKernels(*module.getContext(), program.kernels, targets);
  if (!compiled)
    return compiled.takeError();
  for (auto [number, object] : enumerate(*compiled))
    if (Error error = addObject(("kernels" + Twine(number) + ".o").str(),
                                {object.bytes.data(), object.bytes.size()}))
      return error;
  return Error::success();
}

Error LibraryEmitter::addCachedKernels(KernelCache &cache) {
  std::string variants = options.genericKernels ? "generic " : "";
  for (const CpuTarget &target : targets)
    variants += target.name + " ";
  SetVector<size_t> needed;
  std::vector<ProgramKernel> missing;
  for (ProgramKernel &kernel : program.kernels) {
    const std::string &key = kernel.plan->key();
    auto known =
        key.empty() ? cache.entries.end() : cache.entries.find(variants + key);
    if (known != cache.entries.end()) {
      kernel.symbol = known->second.symbol;
      needed.insert_range(known->second.objects);
      continue;
    }
    std::string number = std::to_string(cache.named++);
    kernel.symbol = "qd_kernel_c" + number + "_" + kernel.plan->family;
    llvm::replace(kernel.symbol, '-', '_');
    missing.push_back(kernel);
  }
  auto compiled = compileKernels(*module.getContext(), missing, targets);
  if (!compiled)
    return compiled.takeError();
  for (KernelObject &object : *compiled) {
    size_t number = cache.objects.size();
    needed.insert(number);
    cache.objects.push_back(std::move(object.bytes));
    for (const ProgramKernel &kernel :
         ArrayRef(missing).slice(object.firstKernel, object.numKernels))
      if (!kernel.plan->key().empty()) {
        KernelCache::Entry &entry =
            cache.entries[variants + kernel.plan->key()];
        entry.symbol = kernel.symbol;
        entry.objects.push_back(number);
      }
  }
  for (size_t number : needed) {
    const auto &bytes = cache.objects[number];
    if (Error error = addObject(("kernels" + Twine(number) + ".o").str(),
                                {bytes.data(), bytes.size()}))
      return error;
  }
  return Error::success();
}

Error LibraryEmitter::addProgram() {
  if (options.gpuTargets.empty())
    variants = cpuVariants(program, targets);
  receipt = makeReceipt(program, weights, variants, provenance, summary);
  LLVMContext context;
  std::unique_ptr<Module> code = emitProgram(
      context, program, weights, variants, {options.prefix, receipt});
  // The main function runs before any variant is chosen.
  bool isArm = targets.front().isArm();
  CpuTarget baseline = (isArm ? armCpuTargets() : allCpuTargets()).back();
  Expected<ObjectBytes> object = compileModule(*code, baseline);
  if (!object)
    return object.takeError();
  if (Error error = addObject("program.o", {object->data(), object->size()}))
    return error;
  if (runtimeObject(isArm).empty())
    return createStringError(
        "this compiler carries no runtime for AArch64: it was built where "
        "Debian's libc6-dev-arm64-cross was missing");
  return addObject("runtime.o", runtimeObject(isArm));
}

Error LibraryEmitter::link() {
  std::string path = temporaries.file("model.so");
  uint64_t bytes = 1 << 16; // headers and tables of the linker's own
  for (const std::string &object : objects) {
    uint64_t size = 0;
    if (std::error_code code = sys::fs::file_size(object, size))
      return fileError("read", object, code);
    bytes += size;
  }
  if (Error error = checkSpace(path, bytes))
    return error;
  if (Error error = linkSharedLibrary(objects, path, targets.front().isArm()))
    return error;
  uint64_t size = 0;
  if (std::error_code code = sys::fs::file_size(path, size))
    return fileError("read", path, code);
  summary.fileBytes = size;
  auto handle = sys::fs::openNativeFileForReadWrite(
      path, sys::fs::CD_OpenExisting, sys::fs::OF_None);
  if (!handle)
    return handle.takeError();
  scope_exit closeHandle([&] { sys::fs::closeFile(*handle); });
  std::error_code code;
  sys::fs::mapped_file_region mapped(
      *handle, sys::fs::mapped_file_region::readwrite, size, 0, code);
  if (code)
    return fileError("map", path, code);
  setFileBytes({mapped.data(), static_cast<size_t>(size)}, size);
  setFileBytes({receipt.data(), receipt.size()}, size);
  return Error::success();
}

std::string LibraryEmitter::companion(StringRef extension) const {
  StringRef base = output;
  base.consume_back(".so");
  return (base + extension).str();
}

Error LibraryEmitter::writeCompanions() {
  if (options.writeHeader) {
    finished.push_back({temporaries.file("model.h"), companion(".h")});
    if (Error error =
            writeFile(finished.back().first,
                      modelHeader(program, options.prefix, provenance.name)))
      return error;
  }
  if (options.writeReceipt) {
    finished.push_back(
        {temporaries.file("receipt.json"), companion(".receipt.json")});
    if (Error error = writeFile(finished.back().first, receipt))
      return error;
  }
  return Error::success();
}

Error LibraryEmitter::putInPlace() {
  finished.push_back({temporaries.file("model.so"), output});
  for (auto [number, names] : enumerate(finished)) {
    auto &[from, to] = names;
    std::error_code code = sys::fs::rename(from, to);
    if (!code)
      continue;
    // A header without its library would be half an output.
    for (size_t i = 0; i < number; ++i)
      sys::fs::remove(finished[i].second);
    return fileError("write", to, code);
  }
  return Error::success();
}

Expected<EmitSummary> LibraryEmitter::run() {
  if (Error error = checkPrefix(options.prefix))
    return std::move(error);
  // First of all: an output that cannot be written must not cost a compilation.
  if (sys::fs::is_directory(output))
    return fileError("write", output,
                     std::make_error_code(std::errc::is_a_directory));
  if (Error error = temporaries.create(output))
    return std::move(error);

  if (Error error = plan())
    return std::move(error);
  objects.push_back(temporaries.file("weights.o"));
  Expected<WeightsLayout> layout = writeWeightsObject(
      program.constants, objects.back(), targets.front().isArm());
  if (!layout)
    return layout.takeError();
  weights = std::move(*layout);
  if (Error error = addKernels())
    return std::move(error);
  if (Error error = addProgram())
    return std::move(error);
  if (Error error = link())
    return std::move(error);
  if (Error error = writeCompanions())
    return std::move(error);
  if (Error error = putInPlace())
    return std::move(error);
  return summary;
}

} // namespace

Expected<EmitSummary> qdialect::emitSharedLibrary(mlir::ModuleOp module,
                                                  const EmitOptions &options,
                                                  StringRef path) {
  return LibraryEmitter(module, options, path).run();
}
