//! Writes the first inputs of the fuzz targets into `fuzz/corpus`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    taiwa_tests::fuzz::seeds::write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus"))
}
