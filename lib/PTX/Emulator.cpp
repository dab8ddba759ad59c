// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading a module, laying out its memory, launching kernels.

#include "QDialect/PTX/Emulator.h"
#include "Calls.h"
#include "Decoder.h"
#include "Exec.h"

#include <algorithm>
#include <cstring>
#include <thread>

using namespace qdialect;
using namespace qdialect::ptx;

/// Kernel parameters take 32764 bytes at most.
static constexpr uint64_t kParameterBytes = 32768;
static constexpr uint64_t kMaxSharedBytes = 227 * 1024;
static constexpr uint64_t kMaxThreads = 1024;

struct Emulator::Impl {
  Module module;
  std::shared_ptr<DeviceMemory> memory;
  SymbolTable symbols;
  uint64_t parameters = 0;
  std::vector<std::unique_ptr<Code>> codes; // of the present launch

  bool placeVariables(Diagnostic &why);
  bool place(const Variable &v, Diagnostic &why);
  bool relocate(const Variable &v, Diagnostic &why);
  bool layout(const Function &f, Code &code, SymbolTable &table,
              uint64_t &sharedBytes, Diagnostic &why);
  bool decode(const Function &kernel, Launch &launch, Diagnostic &why);
  bool setArguments(const Function &kernel, const LaunchConfig &config,
                    Diagnostic &why);
};

Emulator::Emulator(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Emulator::~Emulator() = default;

const Module &Emulator::module() const { return impl->module; }

std::unique_ptr<Emulator> Emulator::create(std::string_view text,
                                           Diagnostic &why,
                                           const Emulator *sharing) {
  auto impl = std::make_unique<Impl>();
  impl->memory =
      sharing ? sharing->impl->memory : std::make_shared<DeviceMemory>();
  std::optional<Module> module = parseModule(text, why);
  if (!module)
    return nullptr;
  impl->module = std::move(*module);
  if (!impl->placeVariables(why))
    return nullptr;
  return std::unique_ptr<Emulator>(new Emulator(std::move(impl)));
}

uint64_t Emulator::allocate(uint64_t bytes, bool initialized, bool writable) {
  return impl->memory->allocate(bytes, initialized, writable);
}

void Emulator::release(uint64_t address) { impl->memory->release(address); }

bool Emulator::write(uint64_t address, const void *data, uint64_t bytes) {
  Allocation *a = impl->memory->find(address, bytes);
  if (!a)
    return false;
  std::memcpy(a->bytes.get() + (address - a->base), data, bytes);
  if (a->shadow)
    a->shadow->markInitialized(address - a->base, bytes);
  return true;
}

bool Emulator::read(uint64_t address, void *data, uint64_t bytes) const {
  Allocation *a = impl->memory->find(address, bytes);
  if (a)
    std::memcpy(data, a->bytes.get() + (address - a->base), bytes);
  return a != nullptr;
}

uint64_t Emulator::variable(std::string_view name) const {
  auto it = impl->symbols.variables.find(std::string(name));
  return it == impl->symbols.variables.end() ? 0 : it->second.address;
}

//===----------------------------------------------------------------------===//
// Memory of the module
//===----------------------------------------------------------------------===//

bool Emulator::Impl::place(const Variable &v, Diagnostic &why) {
  if (v.isExtern && symbols.variables.count(v.name))
    return true;
  uint64_t address =
      memory->allocate(v.size, true, /*writable=*/v.space != Space::Const);
  if (!address) {
    why = {v.line, "no memory for '" + v.name + "' of " +
                       std::to_string(v.size) + " bytes"};
    return false;
  }
  symbols.variables[v.name] = {v.space, address};
  Allocation *a = memory->find(address, v.size);
  std::copy(v.init.begin(), v.init.end(), a->bytes.get());
  return true;
}

bool Emulator::Impl::relocate(const Variable &v, Diagnostic &why) {
  Allocation *a = v.relocations.empty()
                      ? nullptr
                      : memory->find(symbols.variables[v.name].address, v.size);
  for (const Variable::Relocation &r : v.relocations) {
    uint64_t target;
    if (auto it = symbols.variables.find(r.symbol);
        it != symbols.variables.end()) {
      target = it->second.address;
    } else if (auto f = symbols.functions.find(r.symbol);
               f != symbols.functions.end()) {
      target = kFunctionWindow + f->second * uint64_t{16};
    } else {
      why = {v.line, "unknown symbol '" + r.symbol + "'"};
      return false;
    }
    uint64_t addend;
    std::memcpy(&addend, a->bytes.get() + r.offset, 8);
    target += addend;
    std::memcpy(a->bytes.get() + r.offset, &target, 8);
  }
  return true;
}

bool Emulator::Impl::placeVariables(Diagnostic &why) {
  parameters = memory->allocate(kParameterBytes, true, false);
  for (uint32_t f = 0; f < module.functions.size(); ++f)
    if (module.functions[f].hasBody ||
        !symbols.functions.count(module.functions[f].name))
      symbols.functions[module.functions[f].name] = f;
  for (const Variable &v : module.variables)
    if (v.space != Space::Shared && !place(v, why))
      return false;
  for (const Variable &v : module.variables)
    if (v.space != Space::Shared && !relocate(v, why))
      return false;
  return true;
}

static uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// Parameters, local and shared variables of a function to addresses, its
/// registers to offsets in the frame.
bool Emulator::Impl::layout(const Function &f, Code &code, SymbolTable &table,
                            uint64_t &sharedBytes, Diagnostic &why) {
  code.function = &f;
  uint64_t local = 0, param = 0;
  auto placeLocal = [&](const Variable &v) {
    local = alignUp(local, v.alignment);
    uint64_t at = local;
    local += v.size;
    table.locals[v.name] = {Space::Local, at};
    return static_cast<uint32_t>(at);
  };
  for (const Variable &v : f.params) {
    if (f.isEntry) {
      param = alignUp(param, v.alignment);
      table.locals[v.name] = {Space::Const, parameters + param};
      param += v.size;
    } else {
      code.paramOffsets.push_back(placeLocal(v));
    }
  }
  for (const Variable &v : f.returns)
    code.returnOffsets.push_back(placeLocal(v));
  for (const Variable &v : f.variables) {
    if (v.space == Space::Shared && !v.isExtern) {
      sharedBytes = alignUp(sharedBytes, v.alignment);
      table.locals[v.name] = {Space::Shared, sharedBytes};
      sharedBytes += v.size;
    } else if (v.space != Space::Shared) {
      placeLocal(v);
    }
  }
  if (local > (1 << 20) || param > kParameterBytes ||
      sharedBytes > kMaxSharedBytes) {
    why = {f.line, "'" + f.name + "' needs " + std::to_string(local) +
                       " bytes of local memory, " + std::to_string(param) +
                       " of parameters and " + std::to_string(sharedBytes) +
                       " of shared memory"};
    return false;
  }
  code.localBytes = static_cast<uint32_t>(alignUp(local, 16));
  uint32_t at = 64; // the carry flag
  for (const Register &r : f.registers) {
    code.slots.push_back(at);
    unsigned bits = bitWidth(r.type);
    at += bits == 1 ? 64 : std::max(64u, laneBytes(bits) * kWarpSize);
  }
  code.registerBytes = at;
  return true;
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

/// The kernel and every function it names, laid out and decoded.
bool Emulator::Impl::decode(const Function &kernel, Launch &launch,
                            Diagnostic &why) {
  codes.clear();
  launch.byNumber.assign(module.functions.size(), nullptr);
  std::vector<const Function *> work{&kernel};
  std::vector<SymbolTable> tables;
  std::vector<bool> seen(module.functions.size());
  seen[static_cast<size_t>(&kernel - module.functions.data())] = true;
  uint64_t sharedBytes = 0;
  SymbolTable shared = symbols;
  for (const Variable &v : module.variables)
    if (v.space == Space::Shared && !v.isExtern) {
      sharedBytes = alignUp(sharedBytes, v.alignment);
      shared.variables[v.name] = {Space::Shared, sharedBytes};
      sharedBytes += v.size;
    }
  for (size_t k = 0; k < work.size(); ++k) {
    const Function &f = *work[k];
    codes.push_back(std::make_unique<Code>());
    tables.push_back(shared);
    if (!layout(f, *codes.back(), tables.back(), sharedBytes, why))
      return false;
    launch.byNumber[static_cast<size_t>(&f - module.functions.data())] =
        codes.back().get();
    auto visit = [&](const Operand &o) {
      auto it = symbols.functions.find(o.text);
      if (o.kind == Operand::Symbol && it != symbols.functions.end() &&
          !seen[it->second] && module.functions[it->second].hasBody) {
        seen[it->second] = true;
        work.push_back(&module.functions[it->second]);
      }
    };
    for (const Instruction &i : f.body)
      for (const Operand &o : i.operands) {
        visit(o);
        for (const Operand &e : o.elements)
          visit(e);
      }
  }
  // Dynamic shared memory follows everything static.
  uint64_t dynamic = alignUp(sharedBytes, 128);
  uint64_t local = 0;
  for (size_t k = 0; k < codes.size(); ++k) {
    for (const Variable &v : module.variables)
      if (v.space == Space::Shared && v.isExtern)
        tables[k].variables[v.name] = {Space::Shared, dynamic};
    for (const Variable &v : work[k]->variables)
      if (v.space == Space::Shared && v.isExtern)
        tables[k].locals[v.name] = {Space::Shared, dynamic};
    Code &code = *codes[k];
    if (!Decoder(module, tables[k], code).run(why))
      return false;
    unsigned line =
        code.insts.empty() ? code.function->line : code.insts.back().line;
    code.insts.push_back(finalReturn(line));
    // An empty list at the end has an address too.
    code.pool.push_back(kNoSlot);
    launch.functions.push_back(&code);
    local += code.localBytes;
  }
  launch.kernel = codes[0].get();
  launch.sharedBytes = launch.config->sharedBytes
                           ? dynamic + launch.config->sharedBytes
                           : sharedBytes;
  // Functions may call themselves: give each a few more frames.
  launch.localBytes =
      codes.size() > 1 ? std::max<uint64_t>(local * 8, 4096) : local;
  return true;
}

bool Emulator::Impl::setArguments(const Function &kernel,
                                  const LaunchConfig &config, Diagnostic &why) {
  if (config.arguments.size() != kernel.params.size()) {
    why = {kernel.line,
           "'" + kernel.name + "' takes " +
               std::to_string(kernel.params.size()) + " arguments, " +
               std::to_string(config.arguments.size()) + " are given"};
    return false;
  }
  Allocation *a = memory->find(parameters, kParameterBytes);
  uint64_t at = 0;
  for (size_t k = 0; k < kernel.params.size(); ++k) {
    const Variable &v = kernel.params[k];
    at = alignUp(at, v.alignment);
    if (config.arguments[k].size() != v.size) {
      why = {v.line, "argument " + std::to_string(k + 1) + " of '" +
                         kernel.name + "' has " + std::to_string(v.size) +
                         " bytes, given are " +
                         std::to_string(config.arguments[k].size())};
      return false;
    }
    if (at + v.size > kParameterBytes) {
      why = {v.line, "too many parameters"};
      return false;
    }
    std::copy(config.arguments[k].begin(), config.arguments[k].end(),
              a->bytes.get() + at);
    at += v.size;
  }
  return true;
}

static bool checkSizes(const Function &f, const LaunchConfig &config,
                       Diagnostic &why) {
  uint64_t threads = config.block.count();
  std::string what;
  if (!threads || threads > kMaxThreads || config.block.x > 1024 ||
      config.block.y > 1024 || config.block.z > 64)
    what = "a block of " + std::to_string(threads) + " threads";
  else if (f.maxThreads && threads > f.maxThreads)
    what = std::to_string(threads) + " threads a block, at most " +
           std::to_string(f.maxThreads) + " by its .maxntid,";
  else if (!config.grid.count() || config.grid.x > 0x7fffffff ||
           config.grid.y > 65535 || config.grid.z > 65535)
    what = "a grid of " + std::to_string(config.grid.count()) + " blocks";
  else if (config.sharedBytes > kMaxSharedBytes)
    what = std::to_string(config.sharedBytes) + " bytes of shared memory";
  if (what.empty())
    return true;
  why = {f.line, what + " cannot be launched"};
  return false;
}

/// Runs the blocks in order, `threads` at a time, and adds up what they tell.
static void runBlocks(Launch &launch, LaunchResult &result) {
  const LaunchConfig &config = *launch.config;
  uint64_t count = config.grid.count();
  std::atomic<uint64_t> next{0};
  std::map<uint64_t, std::string> outputs;
  std::map<const Code *, std::vector<SiteCounters>> sites;
  std::mutex mutex;
  auto work = [&] {
    for (uint64_t b; !launch.stop && (b = next++) < count;) {
      Block block;
      block.launch = &launch;
      block.linear = static_cast<uint32_t>(b);
      block.id[0] = static_cast<uint32_t>(b % config.grid.x);
      block.id[1] = static_cast<uint32_t>(b / config.grid.x % config.grid.y);
      block.id[2] = static_cast<uint32_t>(b / config.grid.x / config.grid.y);
      block.run();
      std::lock_guard<std::mutex> lock(mutex);
      if (!block.output.empty())
        outputs[b] = std::move(block.output);
      for (auto &[code, list] : block.sites) {
        sites[code].resize(list.size());
        for (size_t k = 0; k < list.size(); ++k)
          sites[code][k].add(list[k]);
      }
    }
  };
  unsigned threads =
      config.threads ? config.threads : std::thread::hardware_concurrency();
  std::vector<std::thread> pool;
  for (unsigned t = 1; t < threads && t < count; ++t)
    pool.emplace_back(work);
  work();
  for (std::thread &t : pool)
    t.join();
  for (auto &[b, text] : outputs)
    result.output += text;
  for (auto &[code, list] : sites)
    for (size_t k = 0; k < list.size() && k < code->function->body.size(); ++k)
      if (list[k].executed) {
        const Instruction &i = code->function->body[k];
        result.lines.push_back(
            {i.line, i.source, i.opcode, code->insts[k].group, list[k]});
      }
  std::sort(result.lines.begin(), result.lines.end(),
            [](const auto &a, const auto &b) { return a.line < b.line; });
}

bool Emulator::launch(std::string_view kernel, const LaunchConfig &config,
                      LaunchResult &result, Diagnostic &why) {
  result = {};
  const Function *f = impl->module.findFunction(kernel);
  if (!f || !f->isEntry || !f->hasBody) {
    why = {0, "no kernel '" + std::string(kernel) + "'"};
    return false;
  }
  if (!checkSizes(*f, config, why) || !impl->setArguments(*f, config, why))
    return false;
  Launch launch;
  launch.config = &config;
  launch.memory = impl->memory.get();
  launch.number = ++impl->memory->launches;
  if (!impl->decode(*f, launch, why))
    return false;
  if (launch.sharedBytes > kMaxSharedBytes) {
    why = {f->line, "'" + f->name + "' needs " +
                        std::to_string(launch.sharedBytes) +
                        " bytes of shared memory, there are " +
                        std::to_string(kMaxSharedBytes)};
    return false;
  }
  runBlocks(launch, result);
  result.steps = launch.steps;
  for (auto &[key, finding] : launch.findings)
    result.findings.push_back(finding);
  return true;
}
