// Minifloats: ties, subnormals, both ends, values that are no numbers, -0.
// RUN: q-opt %s --qd-cast-to-linalg --qd-expand-ops > %t.expanded.mlir
// RUN: FileCheck %s < %t.expanded.mlir
// RUN: q-run %s --function=minifloats --print > %t.minifloats
// RUN: q-run %t.expanded.mlir --function=minifloats --print | diff %t.minifloats -
// CHECK-NOT: qd.{{(quantize|dequantize)}}
func.func @minifloats() -> (tensor<12xf8E4M3FN>, tensor<12xf8E5M2>, tensor<12xf8E4M3FNUZ>, tensor<12xf4E2M1FN>, tensor<12xf32>, tensor<12xf32>, tensor<12xf32>, tensor<12xf32>) {
  %x = arith.constant dense<[0.0, -0.0, 0.0009765625, -0.00146484375, 0.0703125, 1.0625, -1.1875, 447.9, 1.0e30, 0xFF800000, 0x7FC00000, -2.5]> : tensor<12xf32>
  %s = arith.constant dense<0.75> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %0 = qd.quantize %x scale %one rounding(half_even) overflow(saturate) : tensor<12xf32>, tensor<f32> -> tensor<12xf8E4M3FN>
  %1 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<12xf32>, tensor<f32> -> tensor<12xf8E5M2>
  %2 = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<12xf32>, tensor<f32> -> tensor<12xf8E4M3FNUZ>
  %3 = qd.quantize %x scale %one rounding(half_even) overflow(saturate) : tensor<12xf32>, tensor<f32> -> tensor<12xf4E2M1FN>
  %4 = qd.dequantize %0 scale %s : tensor<12xf8E4M3FN>, tensor<f32> -> tensor<12xf32>
  %5 = qd.dequantize %1 scale %one : tensor<12xf8E5M2>, tensor<f32> -> tensor<12xf32>
  %6 = qd.dequantize %2 scale %s : tensor<12xf8E4M3FNUZ>, tensor<f32> -> tensor<12xf32>
  %7 = qd.dequantize %3 scale %s : tensor<12xf4E2M1FN>, tensor<f32> -> tensor<12xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<12xf8E4M3FN>, tensor<12xf8E5M2>, tensor<12xf8E4M3FNUZ>, tensor<12xf4E2M1FN>, tensor<12xf32>, tensor<12xf32>, tensor<12xf32>, tensor<12xf32>
}

// Every code of the formats of eight bits, and what lies between them.
// RUN: q-run %s --function=codes --print > %t.codes
// RUN: q-run %t.expanded.mlir --function=codes --print | diff %t.codes -
func.func @codes() -> (tensor<256xf32>, tensor<256xf8E4M3FN>, tensor<256xf8E4M3FN>, tensor<256xf8E4M3FN>, tensor<256xf32>, tensor<256xf8E5M2>, tensor<256xf8E5M2>, tensor<256xf8E5M2>, tensor<256xf32>, tensor<256xf8E4M3FNUZ>, tensor<256xf8E4M3FNUZ>, tensor<256xf8E4M3FNUZ>, tensor<256xf32>, tensor<256xf8E5M2FNUZ>, tensor<256xf8E5M2FNUZ>, tensor<256xf8E5M2FNUZ>, tensor<256xf32>, tensor<256xf8E3M4>, tensor<256xf8E3M4>, tensor<256xf8E3M4>, tensor<256xf32>, tensor<256xf8E4M3B11FNUZ>, tensor<256xf8E4M3B11FNUZ>, tensor<256xf8E4M3B11FNUZ>) {
  %one = arith.constant dense<1.0> : tensor<f32>
  %less = arith.constant dense<0.9375> : tensor<f32>
  %more = arith.constant dense<1.03125> : tensor<f32>
  %c0 = arith.constant dense<"0x000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF"> : tensor<256xf8E4M3FN>
  %v0 = qd.dequantize %c0 scale %one : tensor<256xf8E4M3FN>, tensor<f32> -> tensor<256xf32>
  %one0 = qd.quantize %v0 scale %one rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3FN>
  %less0 = qd.quantize %v0 scale %less rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3FN>
  %more0 = qd.quantize %v0 scale %more rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3FN>
  %c1 = arith.constant dense<"0x000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF"> : tensor<256xf8E5M2>
  %v1 = qd.dequantize %c1 scale %one : tensor<256xf8E5M2>, tensor<f32> -> tensor<256xf32>
  %one1 = qd.quantize %v1 scale %one rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E5M2>
  %less1 = qd.quantize %v1 scale %less rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E5M2>
  %more1 = qd.quantize %v1 scale %more rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E5M2>
  %c2 = arith.constant dense<"0x000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF"> : tensor<256xf8E4M3FNUZ>
  %v2 = qd.dequantize %c2 scale %one : tensor<256xf8E4M3FNUZ>, tensor<f32> -> tensor<256xf32>
  %one2 = qd.quantize %v2 scale %one rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3FNUZ>
  %less2 = qd.quantize %v2 scale %less rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3FNUZ>
  %more2 = qd.quantize %v2 scale %more rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3FNUZ>
  %c3 = arith.constant dense<"0x000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF"> : tensor<256xf8E5M2FNUZ>
  %v3 = qd.dequantize %c3 scale %one : tensor<256xf8E5M2FNUZ>, tensor<f32> -> tensor<256xf32>
  %one3 = qd.quantize %v3 scale %one rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E5M2FNUZ>
  %less3 = qd.quantize %v3 scale %less rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E5M2FNUZ>
  %more3 = qd.quantize %v3 scale %more rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E5M2FNUZ>
  %c4 = arith.constant dense<"0x000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF"> : tensor<256xf8E3M4>
  %v4 = qd.dequantize %c4 scale %one : tensor<256xf8E3M4>, tensor<f32> -> tensor<256xf32>
  %one4 = qd.quantize %v4 scale %one rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E3M4>
  %less4 = qd.quantize %v4 scale %less rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E3M4>
  %more4 = qd.quantize %v4 scale %more rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E3M4>
  %c5 = arith.constant dense<"0x000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF"> : tensor<256xf8E4M3B11FNUZ>
  %v5 = qd.dequantize %c5 scale %one : tensor<256xf8E4M3B11FNUZ>, tensor<f32> -> tensor<256xf32>
  %one5 = qd.quantize %v5 scale %one rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3B11FNUZ>
  %less5 = qd.quantize %v5 scale %less rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3B11FNUZ>
  %more5 = qd.quantize %v5 scale %more rounding(half_even) overflow(saturate) : tensor<256xf32>, tensor<f32> -> tensor<256xf8E4M3B11FNUZ>
  return %v0, %one0, %less0, %more0, %v1, %one1, %less1, %more1, %v2, %one2, %less2, %more2, %v3, %one3, %less3, %more3, %v4, %one4, %less4, %more4, %v5, %one5, %less5, %more5 : tensor<256xf32>, tensor<256xf8E4M3FN>, tensor<256xf8E4M3FN>, tensor<256xf8E4M3FN>, tensor<256xf32>, tensor<256xf8E5M2>, tensor<256xf8E5M2>, tensor<256xf8E5M2>, tensor<256xf32>, tensor<256xf8E4M3FNUZ>, tensor<256xf8E4M3FNUZ>, tensor<256xf8E4M3FNUZ>, tensor<256xf32>, tensor<256xf8E5M2FNUZ>, tensor<256xf8E5M2FNUZ>, tensor<256xf8E5M2FNUZ>, tensor<256xf32>, tensor<256xf8E3M4>, tensor<256xf8E3M4>, tensor<256xf8E3M4>, tensor<256xf32>, tensor<256xf8E4M3B11FNUZ>, tensor<256xf8E4M3B11FNUZ>, tensor<256xf8E4M3B11FNUZ>
}

// Floats that wrap: infinity or NaN beyond the largest value, ties and subnormals as always. Powers of two are decoded.
// RUN: q-run %s --function=small_floats --print > %t.small
// RUN: q-run %t.expanded.mlir --function=small_floats --print | diff %t.small -
// RUN: FileCheck %s --check-prefix=SMALL < %t.small
// SMALL: 126, 126, 127, 127, 127, 127, 127, 128, 0, 127
// SMALL: 95, 95, 95, 252, 124, 252, 126, 128, 0, 123
// SMALL: 128, 128, 128, 128, 128, 128, 128, 0, 0, 128
// SMALL: 5.877472e-39, 1, 2, nan
func.func @small_floats() -> (tensor<10xf8E4M3FN>, tensor<10xf8E5M2>, tensor<10xf8E4M3FNUZ>, tensor<4xf32>) {
  %x = arith.constant dense<[448.0, 464.0, 465.0, -1.0e6, 0x7F800000, 0xFF800000, 0x7FC00000, -0.0, 1.0e-7, 57344.0]> : tensor<10xf32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %p = arith.constant dense<[0x00, 0x7F, 0x80, 0xFF]> : tensor<4xf8E8M0FNU>
  %0 = qd.quantize %x scale %one rounding(half_even) overflow(wrap) : tensor<10xf32>, tensor<f32> -> tensor<10xf8E4M3FN>
  %1 = qd.quantize %x scale %one rounding(half_even) overflow(wrap) : tensor<10xf32>, tensor<f32> -> tensor<10xf8E5M2>
  %2 = qd.quantize %x scale %one rounding(half_even) overflow(wrap) : tensor<10xf32>, tensor<f32> -> tensor<10xf8E4M3FNUZ>
  %3 = qd.dequantize %p scale %one : tensor<4xf8E8M0FNU>, tensor<f32> -> tensor<4xf32>
  return %0, %1, %2, %3 : tensor<10xf8E4M3FN>, tensor<10xf8E5M2>, tensor<10xf8E4M3FNUZ>, tensor<4xf32>
}
