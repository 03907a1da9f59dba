//! candle, burn and Millstream on the CPU, as `benches/peers/cpu.py` runs them. One JSON object on standard output.
//!
//! `rust_peers describe`, `rust_peers candle|burn stress SIZE THREADS ITERATIONS SYNC_EVERY`, `rust_peers candle|burn|millstream grid`
//!
//! Without the feature `peers` it has only Millstream's grid. The stress of Millstream is the command `millstream stress`. Threads inside an operation come from RAYON_NUM_THREADS, as both peers document.

#[cfg(feature = "peers")]
mod burn;
#[cfg(feature = "peers")]
mod candle;
mod grid;
mod millstream;
#[cfg(feature = "peers")]
mod stress;

use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The operations of the stress and the grids, as a library has them.
trait Peer: Clone + Send + Sync + 'static {
    type Tensor;
    type Scalar;
    fn randn(&self, shape: &[usize; 2]) -> Result<Self::Tensor>;
    fn matmul(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor>;
    fn sum(&self, a: &Self::Tensor) -> Result<Self::Scalar>;
    fn mean(&self, a: &Self::Tensor) -> Result<Self::Scalar>;
    /// The value on the host.
    fn read(&self, scalar: Self::Scalar) -> Result<f32>;
}

fn run(words: &[&str]) -> Result<String> {
    match words {
        #[cfg(feature = "peers")]
        ["describe"] => Ok(format!("{{\"candle\":\"{}\",\"burn\":\"{}\"}}", candle::VERSION, burn::VERSION)),
        #[cfg(feature = "peers")]
        ["candle", "stress", rest @ ..] => stress::run(&candle::Candle, rest),
        #[cfg(feature = "peers")]
        ["burn", "stress", rest @ ..] => stress::run(&burn::Burn::default(), rest),
        #[cfg(feature = "peers")]
        ["candle", "grid"] => grid::run(&candle::Candle),
        #[cfg(feature = "peers")]
        ["burn", "grid"] => grid::run(&burn::Burn::default()),
        ["millstream", "grid"] => grid::run(&millstream::Millstream::open()?),
        _ => Err("see the head of src/main.rs for the arguments".into()),
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
