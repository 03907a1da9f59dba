//! A headless browser, driven by ChromeDriver over the WebDriver protocol: plain HTTP with JSON, one session.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ureq::Agent;

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
];

/// A browser that is open. Dropping it ends it.
pub struct Browser {
    driver: Child,
    session: String,
    agent: Agent,
    // Last: the browser writes there until it has ended.
    _profile: tempfile::TempDir,
}

/// Where browser and driver are; `None` where either is not on the path.
pub fn installed() -> Option<(PathBuf, PathBuf)> {
    let browser = BROWSERS.iter().find_map(|name| on_path(name))?;
    Some((browser, on_path("chromedriver")?))
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

impl Browser {
    /// Starts both.
    pub fn start(browser: &Path, driver: &Path) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut command = Command::new(driver);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().with_context(|| format!("cannot start {}", driver.display()))?;
        let lines = BufReader::new(driver.stdout.take().context("no output")?).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
        // From here on a failure ends the driver.
        let mut this = Self { driver, session: String::new(), agent, _profile: profile };
        this.session = format!("http://127.0.0.1:{}/session", port.context("chromedriver did not start")?);
        let data = format!("--user-data-dir={}", this._profile.path().display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([data.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": browser, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let made = this.post("", &wanted)?;
        let id = made["sessionId"].as_str().context("no session")?;
        this.session = format!("{}/{id}", this.session);
        Ok(this)
    }

    /// Opens a file.
    pub fn open(&self, file: &Path) -> Result<()> {
        let address = format!("file://{}", std::path::absolute(file)?.display());
        self.post("/url", &json!({ "url": address })).map(drop)
    }

    /// Sets the size of the window, and what the reader prefers.
    pub fn emulate(&self, (width, height): (u32, u32), dark: bool) -> Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &media).map(drop)
    }

    /// What a script returns.
    pub fn script(&self, body: &str, arguments: &[&Value]) -> Result<Value> {
        self.post("/execute/sync", &json!({"script": body, "args": arguments}))
    }

    /// The entries of a log since it was last asked for.
    pub fn log(&self, kind: &str) -> Result<Vec<Value>> {
        let entries = self.post("/se/log", &json!({ "type": kind }))?;
        Ok(entries.as_array().cloned().unwrap_or_default())
    }

    /// A picture of the whole page.
    pub fn picture(&self, file: &Path) -> Result<()> {
        let shot = self.devtools("Page.captureScreenshot", &json!({"captureBeyondViewport": true}))?;
        let bytes = STANDARD.decode(shot["data"].as_str().context("no picture")?)?;
        std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut response = self.agent.post(format!("{}{path}", self.session)).send_json(body)?;
        let mut answer: Value = response.body_mut().with_config().limit(64 << 20).read_json()?;
        if !response.status().is_success() {
            bail!("the browser refuses {path}: {}", answer["value"]["message"].as_str().unwrap_or("no reason"));
        }
        Ok(answer["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
