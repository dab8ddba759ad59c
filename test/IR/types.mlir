// Alphabet types wherever element types stand, and attributes in generic form.
// RUN: q-opt %s -verify-roundtrip | FileCheck %s
// RUN: q-opt %s --emit-bytecode | q-opt | FileCheck %s

// CHECK-LABEL: func @scalars
// CHECK-SAME: !qd.uint<8>, %{{.*}}: !qd.uint<16>, %{{.*}}: !qd.ternary, %{{.*}}: !qd.binary, %{{.*}}: !qd.codebook<16>
func.func @scalars(%0: !qd.uint<8>, %1: !qd.uint<16>, %2: !qd.ternary, %3: !qd.binary, %4: !qd.codebook<16>) {
  return
}

// CHECK-LABEL: func @minifloats
// CHECK-SAME: !qd.minifloat<e = 2, m = 1, bias = 1, specials = none>
// CHECK-SAME: !qd.minifloat<e = 3, m = 0, bias = 3, specials = none>
// CHECK-SAME: !qd.minifloat<e = 4, m = 3, bias = 7, specials = ocp>
// CHECK-SAME: !qd.minifloat<e = 8, m = 10, bias = 127, specials = ieee>
// CHECK-SAME: !qd.minifloat<e = 5, m = 2, bias = -3, specials = fnuz>
func.func @minifloats(%0: !qd.minifloat<e = 2, m = 1, bias = 1, specials = none>,
                      %1: !qd.minifloat<e = 3, m = 0, bias = 3, specials = none>,
                      %2: !qd.minifloat<e = 4, m = 3, bias = 7, specials = ocp>,
                      %3: !qd.minifloat<e = 8, m = 10, bias = 127, specials = ieee>,
                      %4: !qd.minifloat<e = 5, m = 2, bias = -3, specials = fnuz>) {
  return
}

// CHECK-LABEL: func @containers
func.func @containers(%t: tensor<4x?x!qd.uint<4>>, %m: memref<4x!qd.ternary>, %v: vector<4x!qd.binary>) {
  // CHECK: dense_resource<codes> : tensor<4x!qd.codebook<4>>
  %c = arith.constant dense_resource<codes> : tensor<4x!qd.codebook<4>>
  return
}

// CHECK-LABEL: func @attributes
// CHECK-SAME: #qd.rounding<half_even>
// CHECK-SAME: #qd.overflow<wrap>
// CHECK-SAME: #qd.zero_point_domain<real>
// CHECK-SAME: #qd.gelu_approximation<tanh>
func.func @attributes() attributes {test.a = #qd.rounding<half_even>, test.b = #qd.overflow<wrap>,
                                    test.c = #qd.zero_point_domain<real>, test.d = #qd.gelu_approximation<tanh>} {
  return
}

// linalg.generic carries alphabets through a payload of qd ops.
#id = affine_map<(d0) -> (d0)>
// CHECK-LABEL: func @payload
func.func @payload(%a: tensor<4x!qd.uint<8>>, %o: tensor<4xi8>) -> tensor<4xi8> {
  // CHECK: qd.storage_cast %{{.*}} : !qd.uint<8> to i8
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%a : tensor<4x!qd.uint<8>>) outs(%o : tensor<4xi8>) {
  ^bb0(%x: !qd.uint<8>, %y: i8):
    %z = qd.storage_cast %x : !qd.uint<8> to i8
    linalg.yield %z : i8
  } -> tensor<4xi8>
  return %r : tensor<4xi8>
}

{-# dialect_resources: { builtin: { codes: "0x0100000000010203" } } #-}
