//! Devices that check themselves at the end of a test: nothing live, nothing stranded, nothing staged or imported.
//!
//! Every test opens its devices here, and one test sees to that.

use std::ops::Deref;
use std::time::Duration;

use millstream::Device;

/// What must be true of a device when everything of it has been dropped. Ends the device.
pub fn check(device: &Device) {
    if let Err(leak) = find(device) {
        panic!("{}: {leak}", device.info().name);
    }
}

/// The first leak. A device that the test shut down itself, without waiting for its work, is only looked at for what is live.
fn find(device: &Device) -> Result<(), String> {
    let report = device.shutdown(Duration::from_secs(20));
    let stats = device.memory_stats();
    let (live, imports, staging) = (stats.live_bytes, stats.imports, stats.staging_bytes);
    let stranded = report.stranded_bytes;
    match (live, stranded, staging, imports) {
        (0, 0, 0, 0) => Ok(()),
        _ => Err(format!(
            "leaked: {live} bytes live, {stranded} stranded, {staging} staged, {imports} imports; {report:?}"
        )),
    }
}

/// A device that is checked when it drops, at the end of its test. Declared before what lives on it, so that it drops last.
pub struct Checked(Option<Device>);

impl Checked {
    /// For a test about the last handle: the only one, which nobody checks.
    pub fn unchecked(mut self) -> Device {
        self.0.take().expect("taken only here")
    }
}

impl Deref for Checked {
    type Target = Device;
    fn deref(&self) -> &Device {
        self.0.as_ref().expect("taken only by value")
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        // A test that has failed already fails by what it says.
        if let Some(device) = self.0.take().filter(|_| !std::thread::panicking()) {
            check(&device);
        }
    }
}

/// The CPU, checked. The same names as in `millstream::cpu`.
pub mod cpu {
    pub use millstream::cpu::CpuOptions;
    use millstream::{DeviceOptions, RuntimeError};

    use super::Checked;

    type Result<T> = std::result::Result<T, RuntimeError>;

    pub fn open() -> Result<Checked> {
        millstream::cpu::open().map(|device| Checked(Some(device)))
    }

    pub fn open_queued() -> Result<Checked> {
        millstream::cpu::open_queued().map(|device| Checked(Some(device)))
    }

    pub fn open_with(options: CpuOptions, adjust: impl FnOnce(&mut DeviceOptions)) -> Result<Checked> {
        millstream::cpu::open_with(options, adjust).map(|device| Checked(Some(device)))
    }
}

#[test]
fn a_leak_of_any_kind_is_caught() {
    let leaks = |make: &dyn Fn(&Device)| {
        let device = millstream::cpu::open().expect("the CPU is always there");
        make(&device);
        find(&device).is_err()
    };
    let kept = millstream_sync::BoundedQueue::with_capacity(4);
    assert!(!leaks(&|device| drop(device.upload(&[1; 5000]).unwrap())));
    assert!(leaks(&|device| drop(kept.try_push(device.allocate(1000).unwrap()))), "a live buffer");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(leaks(&|device| drop(kept.try_push(device.map_file(file.path(), 0, 0).unwrap()))), "an import");
}

#[test]
fn every_test_opens_its_devices_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut files = 0;
    let mut left: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    while let Some(entry) = left.pop() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            left.extend(std::fs::read_dir(path).unwrap());
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        if name == "leaks.rs" || !text.contains("#[test]") {
            continue;
        }
        files += 1;
        let bare = text
            .lines()
            .filter(|line| line.starts_with("use millstream::"))
            .any(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "cpu"));
        assert!(
            !bare && !text.contains("millstream::cpu::"),
            "{name} opens devices that nobody checks: crate::leaks::cpu"
        );
        let (opened, checked) = (text.matches("Device::open").count(), text.matches("leaks::check(").count());
        assert!(checked >= opened, "{name}: {opened} devices opened over a backend, {checked} checked");
    }
    assert!(files > 10);
}
