//! Fixtures: files with a request and the expected answer, to test a handler without writing Rust.
//!
//! A fixture is a folder with `request.json` and `expected.json`: a JSON-RPC message and its response, or a list of
//! each for a conversation. An optional `settings.json` has the settings of the handler and the answers of the model
//! and the user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bench::{Bench, Conversation, Observed};
use super::matching::{differences, resolved};
use super::mocks;
use super::report::Row;
use super::verdict::{Fault, Verdict};
use crate::config::source::read_text;
use taskcell::Grants;
use taskcell::protocol::types::{CreateMessageResult, ElicitResult};

/// Maximum size of a file of a fixture in bytes.
const MAX_FILE: u64 = 16 << 20;
/// Maximum number of fixtures in a folder.
const MAX_FIXTURES: usize = 10_000;
/// Maximum number of differences that are shown.
const MAX_DIFFERENCES: usize = 20;

pub(crate) const REQUEST: &str = "request.json";
pub(crate) const EXPECTED: &str = "expected.json";
const SETTINGS: &str = "settings.json";

/// A request sequence with the expected responses.
pub(super) struct Fixture {
    folder: PathBuf,
    name: String,
    requests: Vec<Value>,
    expected: Vec<Value>,
    settings: FixtureSettings,
}

/// Contents of `settings.json`. A missing member keeps the settings of the check.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FixtureSettings {
    /// Settings that replace all others.
    config: Option<BTreeMap<String, String>>,
    /// Answer of the model.
    model: Option<CreateMessageResult>,
    /// Answer of the user to a form or a page.
    user: Option<ElicitResult>,
    /// Answer of the user to a yes-or-no question.
    confirm: Option<bool>,
}

/// Reads the fixtures of a folder.
///
/// # Errors
/// Fails when the folder has no fixture or one cannot be read: a test that does not run must not look like a passed
/// one.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<Fixture>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    ensure!(!folders.is_empty(), "{}: holds no fixture: a folder with {REQUEST} and {EXPECTED}", folder.display());
    ensure!(folders.len() <= MAX_FIXTURES, "{}: holds more than {MAX_FIXTURES} fixtures", folder.display());
    folders.into_iter().map(Fixture::read).collect()
}

impl Fixture {
    fn read(folder: PathBuf) -> anyhow::Result<Self> {
        let json = |name: &str| -> anyhow::Result<Value> {
            let path = folder.join(name);
            let text = read_text(&path, MAX_FILE)?;
            serde_json::from_str(&text).with_context(|| format!("{}: is not JSON", path.display()))
        };
        let (requests, expected) = (listed(json(REQUEST)?), listed(json(EXPECTED)?));
        let wanted = requests.iter().filter(|request| request.get("id").is_some()).count();
        if wanted != expected.len() {
            let (folder, found) = (folder.display(), expected.len());
            bail!("{folder}: {REQUEST} has {wanted} requests with an id, {EXPECTED} has {found} responses");
        }
        let path = folder.join(SETTINGS);
        let settings = if path.exists() {
            let text = read_text(&path, MAX_FILE)?;
            serde_json::from_str(&text).with_context(|| path.display().to_string())?
        } else {
            FixtureSettings::default()
        };
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { folder, name, requests, expected, settings })
    }

    /// Plays the fixture.
    pub(super) async fn play(&self, bench: &Bench<'_>) -> anyhow::Result<Row> {
        let conversation = bench.converse_with(|grants| self.settings.of(grants))?;
        let different = self.talk(&conversation).await?;
        let verdict = if different.is_empty() {
            Verdict::Passed("as expected".to_owned())
        } else {
            let fix = format!("change the handler, or what is expected in {}", self.folder.join(EXPECTED).display());
            Verdict::Failed(Fault { got: shown(&different), fix, see: "docs/check.md, Fixtures".to_owned() })
        };
        Ok(Row {
            kind: None,
            group: "fixture",
            name: self.name.clone(),
            verdict,
            request: None,
            printed: conversation.printed(),
        })
    }

    /// Sends the requests one after the other, each after the response to the previous one. Returns the differences of
    /// the responses.
    async fn talk(&self, conversation: &Conversation) -> anyhow::Result<Vec<String>> {
        let mut expected = self.expected.iter();
        let (mut answers, mut different) = (Vec::new(), Vec::new());
        for request in &self.requests {
            let request = match resolved(request, &answers) {
                Ok(request) => request,
                Err(why) => {
                    different.push(format!("request {}: {why}", answers.len().saturating_add(1)));
                    return Ok(different);
                }
            };
            let observed = conversation.send(&request).await?;
            if request.get("id").is_none() {
                continue;
            }
            let answer = match observed {
                Observed::Result(result) => json!({ "result": result }),
                Observed::Error(error) => json!({ "error": error }),
                Observed::Nothing => json!({ "nothing": "came" }),
                Observed::Late => json!({ "nothing": "came in time" }),
            };
            let mut wanted = expected.next().cloned().unwrap_or_default();
            if let Value::Object(wanted) = &mut wanted {
                // These members are the same in each response.
                wanted.remove("jsonrpc");
                wanted.remove("id");
            }
            let found = differences(&wanted, &answer, &answers);
            let number = answers.len().saturating_add(1);
            different.extend(found.into_iter().map(|found| match self.expected.len() {
                1 => found,
                _ => format!("answer {number}: {found}"),
            }));
            answers.push(answer);
        }
        Ok(different)
    }
}

impl FixtureSettings {
    fn of(&self, mut grants: Grants) -> Grants {
        if let Some(config) = &self.config {
            let settings = config.iter().map(|(key, value)| (key.clone(), value.clone()));
            grants.config = grants.config.map(|_| settings.collect());
        }
        if let (Some(model), Some(_)) = (&self.model, &grants.model) {
            grants.model = Some(mocks::model(model.clone()));
        }
        if let (true, Some(_)) = (self.user.is_some() || self.confirm.is_some(), &grants.user) {
            grants.user = Some(mocks::user(self.user.clone(), self.confirm));
        }
        grants
    }
}

fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        value => vec![value],
    }
}

fn shown(different: &[String]) -> String {
    let mut lines: Vec<_> = different.iter().take(MAX_DIFFERENCES).cloned().collect();
    if let Some(more) = different.len().checked_sub(MAX_DIFFERENCES).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}
