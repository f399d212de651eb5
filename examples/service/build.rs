//! What the migrations declare travels in the binary.

fn main() {
    phasegate_build::embed("../../migrations-example");
}
