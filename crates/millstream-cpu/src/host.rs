//! What the machine says of itself.

use crate::Level;

/// The processor as its maker names it, where the system tells.
pub(crate) fn model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    line.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// Architecture, instruction set and version. Of machines with other cache sizes it promises nothing: see the product's module.
pub(crate) fn numeric_class(level: Level) -> String {
    // The product is a library's, which takes the best level whatever ours is.
    let product = if level == Level::best() { String::new() } else { format!("+{}", Level::best().name()) };
    format!("cpu-{}-{}{product}-{}", std::env::consts::ARCH, level.name(), env!("CARGO_PKG_VERSION"))
}
