//! What the machine says of itself.

use crate::Level;

/// The processor as its maker names it, where the system tells.
pub(crate) fn model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    line.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// Architecture, instruction set, version, and the caches: the matrix product blocks by them.
pub(crate) fn numeric_class(level: Level) -> String {
    let cache = |index: usize| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
        std::fs::read_to_string(path).map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
    };
    let caches: Vec<String> = [0, 2, 3].into_iter().map(cache).collect();
    format!("cpu-{}-{}-{}-{}", std::env::consts::ARCH, level.name(), env!("CARGO_PKG_VERSION"), caches.join("-"))
}
