// One case for each constraint label of qd.block_matmul.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @block_matmul_c1_unsigned_lhs(%x: tensor<2x8x!qd.uint<8>>, %sx: tensor<2x2xf32>, %w: tensor<8x3xi4>, %sw: tensor<2x3xf32>) {
  // expected-error@+1 {{operand #0 must be 2D tensor of 8-bit signless integer values, but got 'tensor<2x8x!qd.uint<8>>'}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<2x8x!qd.uint<8>>, tensor<2x2xf32>, tensor<8x3xi4>, tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @block_matmul_c2_wide_codes(%x: tensor<2x8xi8>, %sx: tensor<2x2xf32>, %w: tensor<8x3xi16>, %sw: tensor<2x3xf32>) {
  // expected-error@+1 {{rhs element type 'i16' is no integer of at most 8 bits}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<2x8xi8>, tensor<2x2xf32>, tensor<8x3xi16>, tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @block_matmul_c3_large_block(%x: tensor<2x8xi8>, %sx: tensor<2x1xf32>, %w: tensor<8x3xi4>, %sw: tensor<1x3xf32>) {
  // expected-error@+1 {{block size 65537 is outside [1, 65536]}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 65537 : tensor<2x8xi8>, tensor<2x1xf32>, tensor<8x3xi4>, tensor<1x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @block_matmul_c3_no_block(%x: tensor<2x8xi8>, %sx: tensor<2x1xf32>, %w: tensor<8x3xi4>, %sw: tensor<1x3xf32>) {
  // expected-error@+1 {{block size 0 is outside [1, 65536]}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 0 : tensor<2x8xi8>, tensor<2x1xf32>, tensor<8x3xi4>, tensor<1x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @block_matmul_c4_rows_of_rhs(%x: tensor<2x8xi8>, %sx: tensor<2x2xf32>, %w: tensor<7x3xi4>, %sw: tensor<2x3xf32>) {
  // expected-error@+1 {{rhs 'tensor<7x3xi4>' does not have the 8 rows that lhs has columns}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<2x8xi8>, tensor<2x2xf32>, tensor<7x3xi4>, tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @block_matmul_c4_result(%x: tensor<2x8xi8>, %sx: tensor<2x2xf32>, %w: tensor<8x3xi4>, %sw: tensor<2x3xf32>) {
  // expected-error@+1 {{result 'tensor<2x4xf32>' is not 2x3}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<2x8xi8>, tensor<2x2xf32>, tensor<8x3xi4>, tensor<2x3xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @block_matmul_c5_lhs_scale(%x: tensor<2x9xi8>, %sx: tensor<2x2xf32>, %w: tensor<9x3xi4>, %sw: tensor<3x3xf32>) {
  // expected-error@+1 {{lhs scale 'tensor<2x2xf32>' is neither 2x3 nor 2x1}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<2x9xi8>, tensor<2x2xf32>, tensor<9x3xi4>, tensor<3x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @block_matmul_c5_lhs_scale_columns(%x: tensor<?x8xi8>, %sx: tensor<?x?xf32>, %w: tensor<8x3xi4>, %sw: tensor<2x3xf32>) {
  // expected-error@+1 {{lhs scale 'tensor<?x?xf32>' has a dynamic number of columns}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<?x8xi8>, tensor<?x?xf32>, tensor<8x3xi4>, tensor<2x3xf32> -> tensor<?x3xf32>
  return
}

// -----

func.func @block_matmul_c6_rhs_scale(%x: tensor<2x8xi8>, %sx: tensor<2x2xf32>, %w: tensor<8x3xi4>, %sw: tensor<1x3xf32>) {
  // expected-error@+1 {{rhs scale 'tensor<1x3xf32>' is not 2x3}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw block = 4 : tensor<2x8xi8>, tensor<2x2xf32>, tensor<8x3xi4>, tensor<1x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @block_matmul_c6_zero_point(%x: tensor<2x8xi8>, %sx: tensor<2x2xf32>, %w: tensor<8x3xi4>, %sw: tensor<2x3xf32>, %z: tensor<2x1xi32>) {
  // expected-error@+1 {{rhs zero point 'tensor<2x1xi32>' is not 2x3}}
  %0 = qd.block_matmul %x scale %sx, %w scale %sw zero_point %z block = 4 : tensor<2x8xi8>, tensor<2x2xf32>, tensor<8x3xi4>, tensor<2x3xf32>, tensor<2x1xi32> -> tensor<2x3xf32>
  return
}
