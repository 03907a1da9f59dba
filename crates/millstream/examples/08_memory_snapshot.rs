//! A picture of a device's memory in two files: JSON for reading and for scripts, and a pickle for PyTorch's memory visualiser.
//!
//! `cargo run --release --example 08_memory_snapshot -- FOLDER` writes `memory.json` and `memory.pickle`; without a folder, to the system's folder for temporary files.
//! What to do with them is in `docs/guide/memory-snapshot.md`.

use std::path::{Path, PathBuf};

use millstream::{BlockState, Generator, Result, Tensor, cpu};

/// Runs the example for the folder of the command line.
#[allow(dead_code, reason = "the test names its own folder: its command line is not ours")]
fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).filter(|folder| folder.is_dir());
    write_to(&folder.unwrap_or_else(std::env::temp_dir))
}

/// Makes some tensors and writes both files. Errors: those of the library; a wrong claim or a file that cannot be written panics.
pub fn write_to(folder: &Path) -> Result<()> {
    let device = cpu::open()?;
    // From here on each allocation and free is noted, the last 4096 of them.
    device.start_memory_history(4096);

    let weights = Tensor::randn(&device, &[512, 512], &mut Generator::new(1))?;
    let mut outputs = Vec::new();
    for i in 0..8 {
        let input = Tensor::randn(&device, &[64, 512], &mut Generator::new(2).split(i))?;
        outputs.push(input.matmul(&weights)?);
    }
    // Half of the results are dropped: their blocks are in this thread's cache.
    outputs.truncate(4);

    let snapshot = device.memory_snapshot()?;
    let stats = device.memory_stats();
    assert_eq!(snapshot.reserved_bytes(), stats.reserved_bytes);
    assert_eq!(snapshot.bytes(BlockState::Live), stats.live_bytes);
    for (name, bytes) in
        [("memory.json", snapshot.to_json().to_string().into_bytes()), ("memory.pickle", snapshot.to_memory_viz())]
    {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("{}", path.display());
    }
    println!(
        "{} segments, {} KiB live, {} KiB cached, {} events",
        snapshot.segments.len(),
        snapshot.bytes(BlockState::Live) / 1024,
        snapshot.bytes(BlockState::Cached) / 1024,
        snapshot.history.len()
    );
    Ok(())
}
