// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Findings, counters, the report by source line, the table of instructions.

#include "PrintReport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;
using namespace qdialect;
using namespace qdialect::ptx;

static std::string describe(const Module &module, const SourceLocation &at) {
  auto file = module.files.find(at.file);
  if (!at.line || file == module.files.end())
    return {};
  return file->second + ":" + std::to_string(at.line);
}

void qdialect::printFindings(const LaunchResult &result, const Module &module,
                             StringRef path, raw_ostream &os) {
  for (const Finding &f : result.findings) {
    os << path << ":" << f.line << ": " << StringRef(name(f.kind)) << ": "
       << f.message;
    if (f.count > 1)
      os << " (" << f.count << " times)";
    std::string source = describe(module, f.source);
    if (!source.empty())
      os << " [" << source << "]";
    os << "\n";
  }
}

void qdialect::printCounters(const LaunchResult &result, raw_ostream &os) {
  SiteCounters all = result.total();
  os << "warp instructions     " << all.executed << "\n";
  for (unsigned g = 0; g < kNumInstructionClasses; ++g) {
    auto group = static_cast<InstructionClass>(g);
    if (uint64_t n = result.total(group).executed)
      os << "  " << left_justify(StringRef(name(group)), 20) << n << "\n";
  }
  uint64_t mma = 0;
  for (const LineReport &line : result.lines) {
    StringRef opcode = line.opcode;
    if (opcode.starts_with("mma") || opcode.starts_with("wmma.mma"))
      mma += line.counters.executed;
  }
  os << "mma                   " << mma << "\n";
  os << "bytes asked for       " << all.bytes << "\n";
  os << "shared wavefronts     " << all.wavefronts << ", " << all.conflicts
     << " of them bank conflicts\n";
  os << "global requests       " << all.requests << ", " << all.sectors
     << " sectors of 32 bytes, at least " << all.idealSectors << "\n";
}

void qdialect::printLines(const LaunchResult &result, const Module &module,
                          raw_ostream &os) {
  struct Row {
    std::string where;
    SiteCounters counters;
  };
  std::map<std::pair<SourceLocation, unsigned>, Row> rows;
  for (const LineReport &line : result.lines) {
    std::string where = describe(module, line.source);
    bool isPtx = where.empty();
    Row &row =
        rows[{isPtx ? SourceLocation() : line.source, isPtx ? line.line : 0}];
    row.where = isPtx ? "ptx:" + std::to_string(line.line) : where;
    row.counters.add(line.counters);
  }
  os << "executed      lanes  conflicts    sectors      ideal  line\n";
  for (auto &[key, row] : rows) {
    const SiteCounters &c = row.counters;
    os << format("%8llu %10llu %10llu %10llu %10llu  ",
                 (unsigned long long)c.executed, (unsigned long long)c.lanes,
                 (unsigned long long)c.conflicts, (unsigned long long)c.sectors,
                 (unsigned long long)c.idealSectors)
       << row.where << "\n";
  }
}

static std::string suffixes(std::string_view list) {
  std::string text;
  SmallVector<StringRef> words;
  StringRef(list).split(words, ' ', -1, false);
  for (StringRef w : words)
    text += (text.empty() ? "`." : " `.") + w.str() + "`";
  return text;
}

void qdialect::printInstructions(raw_ostream &os) {
  os << "| instruction | types | modifiers | class |\n| --- | --- | --- | --- |"
        "\n";
  for (const InstructionRow &row : listInstructions())
    os << "| `" << StringRef(row.opcode) << "` | " << suffixes(row.types)
       << " | " << suffixes(row.modifiers) << " | "
       << StringRef(name(row.group)) << " |\n";
}
