// Codes below eight bits and small floats at the border of a compiled program: a byte each, of which only the code's bits count.

// RUN: rm -rf %t && mkdir %t
// RUN: q-compile %s --recipe float -o %t/m.so
// RUN: q-run %t/m.so --info | FileCheck %s
// The receipt says what the bytes mean.
// RUN: q-run %t/m.so --receipt | %python -c "import json, sys; r = json.load(sys.stdin); c = {t['name']: t.get('codes') for t in r['inputs'] + r['outputs']}; assert c == {'q': 'int4', 'u': 'uint4', 'w': None, 'twice': 'int4', 'small': 'float4e2m1fn', 'more': None}, c"
// RUN: %python -c "import numpy as np; np.save('%t/q.npy', np.array([7, -8, 0x15, -1], np.int8)); np.save('%t/u.npy', np.array([3, 15], np.uint8)); np.save('%t/w.npy', np.array([2**32 - 1, 5], np.uint32))"
// RUN: q-run %t/m.so --input q=%t/q.npy --input u=%t/u.npy --input w=%t/w.npy --output-dir %t/so
// RUN: q-run %s --input q=%t/q.npy --input u=%t/u.npy --input w=%t/w.npy --output-dir %t/interpreted
// RUN: diff -r %t/so %t/interpreted
// RUN: %python -c "import numpy as np; r = {k: np.load('%t/so/' + k + '.npy').tolist() for k in ('twice', 'small', 'more')}; assert r == {'twice': [-2, 0, -6, -2], 'small': [7, 7], 'more': [2, 8]}, r"

// CHECK: input      q  4xint4 in int8
// CHECK: input      u  2xuint4 in uint8
// CHECK: input      w  2xuint32
// CHECK: output     twice  4xint4 in int8
// CHECK: output     small  2xfloat4e2m1fn in uint8
#id = affine_map<(d0) -> (d0)>
func.func @main(%q: tensor<4xi4> {qd.name = "q"}, %u: tensor<2x!qd.uint<4>> {qd.name = "u"}, %w: tensor<2x!qd.uint<32>> {qd.name = "w"})
    -> (tensor<4xi4> {qd.name = "twice"}, tensor<2xf4E2M1FN> {qd.name = "small"}, tensor<2x!qd.uint<32>> {qd.name = "more"}) {
  %e = tensor.empty() : tensor<4xi4>
  %twice = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%q : tensor<4xi4>) outs(%e : tensor<4xi4>) {
  ^bb0(%a: i4, %o: i4):
    %s = arith.addi %a, %a : i4
    linalg.yield %s : i4
  } -> tensor<4xi4>
  // 3 * 2.5 and 15 * 2.5 saturate at 6, code 7.
  %scale = arith.constant dense<2.5> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %x = qd.dequantize %u scale %scale : tensor<2x!qd.uint<4>>, tensor<f32> -> tensor<2xf32>
  %small = qd.quantize %x scale %one rounding(half_even) overflow(saturate) : tensor<2xf32>, tensor<f32> -> tensor<2xf4E2M1FN>
  %f = tensor.empty() : tensor<2x!qd.uint<32>>
  %more = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%w : tensor<2x!qd.uint<32>>) outs(%f : tensor<2x!qd.uint<32>>) {
  ^bb0(%a: !qd.uint<32>, %o: !qd.uint<32>):
    %three = arith.constant 3 : i32
    %n = qd.storage_cast %a : !qd.uint<32> to i32
    %s = arith.addi %n, %three : i32
    %r = qd.storage_cast %s : i32 to !qd.uint<32>
    linalg.yield %r : !qd.uint<32>
  } -> tensor<2x!qd.uint<32>>
  return %twice, %small, %more : tensor<4xi4>, tensor<2xf4E2M1FN>, tensor<2x!qd.uint<32>>
}
