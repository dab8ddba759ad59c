// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Samples from .npz, .npy and folders. All headers are read when the source is
// opened; afterwards one file is open at a time and one sample in memory.

#include "QDialect/Support/InputSource.h"
#include "QDialect/Support/Npy.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace qdialect;

namespace {
/// How one array yields the samples of one input.
struct Binding {
  int array = 0; ///< index of the array in its .npz
  DType type;    ///< of the input
  int64_t samples = 1;
  int64_t step = 0; ///< leading indices a sample; 0: the array is the sample
  std::vector<int64_t> shape; ///< of one sample
};

struct SampleFile {
  std::string path;
  bool npz = false;
  int64_t samples = 0;
  std::vector<Binding> bindings; ///< one an input
};
} // namespace

bool qdialect::takesElements(DType wanted, DType found) {
  bool isHalf = wanted == DType::F16 || wanted == DType::BF16;
  return found == wanted || (isHalf && found == DType::F32);
}

static bool matches(ArrayRef<int64_t> wanted, ArrayRef<int64_t> found) {
  return llvm::equal(wanted, found,
                     [](int64_t w, int64_t f) { return w < 0 || w == f; });
}

static Expected<Binding> bind(const InputSpec &spec, const NpyHeader &header,
                              StringRef path) {
  auto mismatch = [&](const Twine &hint) {
    return createStringError(path + ": input '" + spec.name + "' wants " +
                             describe(spec.type, spec.shape) +
                             ", the array is " +
                             describe(header.type, header.shape) + hint);
  };
  if (!takesElements(spec.type, header.type))
    return mismatch("");
  ArrayRef<int64_t> wanted(spec.shape), found(header.shape);
  Binding binding;
  binding.type = spec.type;
  if (found.size() == wanted.size() + 1 &&
      matches(wanted, found.drop_front())) {
    binding.samples = found.front();
    binding.step = 1;
    binding.shape = found.drop_front().vec();
    return binding;
  }
  if (found.size() == wanted.size()) {
    if (found.empty())
      return binding;
    if (!matches(wanted.drop_front(), found.drop_front()))
      return mismatch("");
    int64_t batch = wanted.front() < 0 ? 1 : wanted.front();
    if (batch == 0 || found.front() % batch != 0)
      return mismatch(": its leading axis is no multiple of the batch");
    binding.samples = found.front() / batch;
    binding.step = batch;
    binding.shape = found.vec();
    binding.shape.front() = batch;
    return binding;
  }
  if (found.size() + 1 == wanted.size() &&
      (wanted.front() == 1 || wanted.front() < 0) &&
      matches(wanted.drop_front(), found)) {
    binding.shape = found.vec();
    binding.shape.insert(binding.shape.begin(), 1);
    return binding;
  }
  return mismatch("");
}

static Expected<SampleFile> inspectNpz(StringRef path,
                                       ArrayRef<InputSpec> inputs) {
  Expected<NpzFile> npz = NpzFile::open(path);
  if (!npz)
    return npz.takeError();
  SampleFile file{path.str(), /*npz=*/true, 0, {}};
  for (const InputSpec &spec : inputs) {
    int index = npz->find(spec.name);
    if (index < 0) {
      std::string names;
      for (const NpzFile::Entry &entry : npz->entries())
        names += (names.empty() ? "'" : ", '") + entry.name + "'";
      return createStringError(
          path + ": there is no array for input '" + spec.name +
          "' (arrays: " + (names.empty() ? "none" : names) + ")");
    }
    Expected<Binding> binding = bind(spec, npz->entries()[index].header, path);
    if (!binding)
      return binding.takeError();
    binding->array = index;
    if (!file.bindings.empty() && binding->samples != file.samples)
      return createStringError(path + ": input '" + spec.name + "' has " +
                               Twine(binding->samples) + " samples, input '" +
                               inputs.front().name + "' has " +
                               Twine(file.samples));
    file.samples = binding->samples;
    file.bindings.push_back(std::move(*binding));
  }
  return file;
}

static Expected<SampleFile> inspectNpy(StringRef path,
                                       ArrayRef<InputSpec> inputs) {
  if (inputs.size() != 1)
    return createStringError(path +
                             ": a .npy file feeds a model with one "
                             "input, this one has " +
                             Twine(inputs.size()) + "; use a .npz");
  Expected<NpyFile> npy = NpyFile::open(path);
  if (!npy)
    return npy.takeError();
  Expected<Binding> binding = bind(inputs.front(), npy->header(), path);
  if (!binding)
    return binding.takeError();
  return SampleFile{path.str(), /*npz=*/false, binding->samples, {*binding}};
}

static Expected<std::vector<std::string>> listFiles(StringRef path) {
  if (!sys::fs::is_directory(path))
    return std::vector<std::string>{path.str()};
  std::vector<std::string> files;
  std::error_code code;
  for (sys::fs::directory_iterator it(path, code), end; it != end && !code;
       it.increment(code)) {
    StringRef extension = sys::path::extension(it->path());
    if (extension == ".npy" || extension == ".npz")
      files.push_back(it->path());
  }
  if (code)
    return createStringError(path + ": " + code.message());
  if (files.empty())
    return createStringError(path + ": the folder holds no .npy or .npz file");
  llvm::sort(files);
  return files;
}

//===----------------------------------------------------------------------===//
// InputSource
//===----------------------------------------------------------------------===//

struct InputSource::Impl {
  std::vector<SampleFile> files;
  int64_t total = 0;
  size_t file = 0;
  int64_t sample = 0;
  std::optional<NpzFile> npz;
  std::optional<NpyFile> npy;
  std::string last;

  Error openCurrent();
  Expected<HostTensor> read(const Binding &binding);
};

Expected<InputSource> InputSource::open(StringRef path,
                                        ArrayRef<InputSpec> inputs) {
  Expected<std::vector<std::string>> names = listFiles(path);
  if (!names)
    return names.takeError();
  auto impl = std::make_unique<Impl>();
  for (const std::string &name : *names) {
    StringRef extension = sys::path::extension(name);
    if (extension != ".npz" && extension != ".npy")
      return createStringError(
          name + ": expected a .npz or .npy file, or a folder of them");
    Expected<SampleFile> file = extension == ".npz" ? inspectNpz(name, inputs)
                                                    : inspectNpy(name, inputs);
    if (!file)
      return file.takeError();
    impl->total += file->samples;
    impl->files.push_back(std::move(*file));
  }
  if (impl->total == 0)
    return createStringError(path + ": holds no samples");
  return InputSource(std::move(impl));
}

InputSource::InputSource(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
InputSource::InputSource(InputSource &&) = default;
InputSource &InputSource::operator=(InputSource &&) = default;
InputSource::~InputSource() = default;

int64_t InputSource::numSamples() const { return impl->total; }
std::string InputSource::lastSampleName() const { return impl->last; }

void InputSource::rewind() {
  impl->file = 0;
  impl->sample = 0;
  impl->npz.reset();
  impl->npy.reset();
}

Error InputSource::Impl::openCurrent() {
  const SampleFile &current = files[file];
  if (current.npz && !npz) {
    Expected<NpzFile> opened = NpzFile::open(current.path);
    if (!opened)
      return opened.takeError();
    npz.emplace(std::move(*opened));
  } else if (!current.npz && !npy) {
    Expected<NpyFile> opened = NpyFile::open(current.path);
    if (!opened)
      return opened.takeError();
    npy.emplace(std::move(*opened));
  }
  return Error::success();
}

Expected<HostTensor> InputSource::Impl::read(const Binding &binding) {
  if (!npz) {
    HostTensor tensor = binding.step
                            ? npy->slice(sample * binding.step, binding.step)
                            : npy->read();
    return tensor.converted(binding.type).reshaped(binding.shape);
  }
  Expected<HostTensor> tensor = binding.step
                                    ? npz->readNext(binding.array, binding.step)
                                    : npz->read(binding.array);
  if (!tensor)
    return tensor.takeError();
  return tensor->converted(binding.type).reshaped(binding.shape);
}

Expected<std::optional<std::vector<HostTensor>>> InputSource::next() {
  while (impl->file < impl->files.size() &&
         impl->sample >= impl->files[impl->file].samples) {
    ++impl->file;
    impl->sample = 0;
    impl->npz.reset();
    impl->npy.reset();
  }
  if (impl->file == impl->files.size())
    return std::nullopt;
  if (Error error = impl->openCurrent())
    return std::move(error);
  const SampleFile &current = impl->files[impl->file];
  std::vector<HostTensor> tensors;
  for (const Binding &binding : current.bindings) {
    Expected<HostTensor> tensor = impl->read(binding);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  impl->last = current.path + ", sample " + std::to_string(impl->sample);
  ++impl->sample;
  return tensors;
}
