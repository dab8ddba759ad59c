// One case for each constraint label of the attribute qd.dim_bounds.
// RUN: q-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{qd.dim_bounds is array<i64: 1, 64>, not a dictionary}}
func.func @dim_bounds_c1_dictionary(%x: tensor<?xf32> {qd.dims = ["n"]}) attributes {qd.dim_bounds = array<i64: 1, 64>} {
  return
}

// -----

// expected-error@+1 {{qd.dim_bounds of 'n' are array<i64: 64>, not two or three i64 numbers}}
func.func @dim_bounds_c1_one_number(%x: tensor<?xf32> {qd.dims = ["n"]}) attributes {qd.dim_bounds = {n = array<i64: 64>}} {
  return
}

// -----

// expected-error@+1 {{qd.dim_bounds of 'n' are array<i32: 1, 64>, not two or three i64 numbers}}
func.func @dim_bounds_c1_element(%x: tensor<?xf32> {qd.dims = ["n"]}) attributes {qd.dim_bounds = {n = array<i32: 1, 64>}} {
  return
}

// -----

// expected-error@+1 {{qd.dim_bounds of 'n' are -1 to 64, which is no range of sizes}}
func.func @dim_bounds_c2_negative(%x: tensor<?xf32> {qd.dims = ["n"]}) attributes {qd.dim_bounds = {n = array<i64: -1, 64>}} {
  return
}

// -----

// expected-error@+1 {{qd.dim_bounds of 'n' are 65 to 64, which is no range of sizes}}
func.func @dim_bounds_c2_empty(%x: tensor<?xf32> {qd.dims = ["n"]}) attributes {qd.dim_bounds = {m = array<i64: 0, 4>, n = array<i64: 65, 64>}} {
  return
}

// -----

// expected-error@+1 {{qd.dim_bounds of 'n' have the step 0, which is not positive}}
func.func @dim_bounds_c3_no_step(%x: tensor<?xf32> {qd.dims = ["n"]}) attributes {qd.dim_bounds = {n = array<i64: 0, 64, 0>}} {
  return
}

// -----

// expected-error@+1 {{qd.dim_bounds of 'n' are 1 to 64, not multiples of the step 32}}
func.func @dim_bounds_c3_low(%x: tensor<?xf32> {qd.dims = ["n"]}) attributes {qd.dim_bounds = {n = array<i64: 1, 64, 32>}} {
  return
}

// -----

// expected-error@+1 {{qd.dim_bounds of 'n' are 32 to 65, not multiples of the step 32}}
func.func @dim_bounds_c3_high(%x: tensor<?xf32> {qd.dims = ["n"]}) attributes {qd.dim_bounds = {n = array<i64: 32, 65, 32>}} {
  return
}
