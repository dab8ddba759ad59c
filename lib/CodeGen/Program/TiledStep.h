// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the runtime is told about a step that runs on tiles.

#ifndef QDIALECT_LIB_CODEGEN_PROGRAM_TILEDSTEP_H
#define QDIALECT_LIB_CODEGEN_PROGRAM_TILEDSTEP_H

#include "QDialect/CodeGen/Program/Program.h"
#include "QDialect/CodeGen/Program/TileBlocks.h"

namespace qdialect {

struct TiledStep {
  ProgramStep::Tiles tiles;            ///< `scratch` and `padding` are not set
  int64_t scratchBytes = 0;            ///< may be symbolic
  std::optional<ConstantBlob> padding; ///< one pixel
};

/// Where the patches of the inputs with the numbers `inputs`, and of the
/// result, lie in the images and in scratch memory.
TiledStep planTiledStep(const TileBlocks &blocks, qd::DispatchOp dispatch,
                        llvm::ArrayRef<unsigned> inputs,
                        SymbolicShapes &shapes);

} // namespace qdialect

#endif // QDIALECT_LIB_CODEGEN_PROGRAM_TILEDSTEP_H
