//! Command `taskcell doctor`: checks what the program needs on this machine and names the fix for each missing thing.
//!
//! The command changes nothing and shows no secret. A language that is not used here may be missing. Everything that
//! the configuration or the project in the folder needs must be present.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::check::mocks;
use crate::config::Config;
use crate::config::handler::{KeptFile, Policy};
use crate::config::handler_args::CacheArgs;
use crate::config::store::Place;
use crate::config::task_args::StoreArgs;
use crate::languages::{self, Language};
use crate::outcome::Outcome;
use crate::terminal::color::{self, Tone};
use crate::terminal::one_line;
use taskcell::grants::Settings;
use taskcell::sandbox::pagemap::Decision;
use taskcell::text;
use taskcell::{Engine, EngineOptions};

/// Configuration that `doctor` reads when none is named. Other commands have no default.
const CONFIG: &str = "taskcell.toml";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A language that must be ready to build; may be given more than once
    #[arg(long = "lang", value_name = "LANGUAGE")]
    languages: Vec<String>,
    /// The configuration to look at [default: taskcell.toml of this folder, where there is one]
    #[arg(long, value_name = "FILE", env = "TASKCELL_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    cache: CacheArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Grade of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    /// A missing thing that nothing here is known to need.
    Optional,
    Bad,
}

impl Grade {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Optional => "none",
            Self::Bad => "failed",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Optional => Tone::Doubtful,
            Self::Bad => Tone::Bad,
        }
    }
}

/// Result of one check.
struct Finding {
    grade: Grade,
    what: String,
    /// Facts that the check found.
    found: String,
    /// Remedy, when the finding is not good.
    fix: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { grade: Grade::Good, what: what.into(), found: found.into(), fix: None }
    }

    fn bad(what: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { grade: Grade::Bad, what: what.into(), found: found.into(), fix: Some(fix.into()) }
    }
}

pub(crate) async fn doctor(args: Args) -> anyhow::Result<Outcome> {
    let here = Path::new(CONFIG);
    let file = args.config.clone().or_else(|| here.is_file().then(|| here.to_owned()));
    let mut findings = Vec::new();
    let config = match file.as_deref().map(|file| (file, Config::load(file))) {
        None => {
            findings.push(Finding::good("configuration", "none: --config names one"));
            Config::default()
        }
        Some((file, Ok(config))) => {
            findings.push(Finding::good("configuration", file.display().to_string()));
            config
        }
        Some((file, Err(error))) => {
            findings.push(Finding::bad("configuration", format!("{error:#}"), format!("mend {}", file.display())));
            Config::default()
        }
    };
    findings.extend(folders(&args, &config));
    let engine = args.cache.engine(&config);
    findings.push(match &engine {
        Ok(_) => Finding::good("engine", engine_facts()),
        Err(error) => Finding::bad(
            "engine",
            error.to_string(),
            "--cache DIR or TASKCELL_CACHE names a folder, --no-cache keeps none",
        ),
    });
    // Neither way is a fault: one is faster, the other is safe on a machine with swap.
    findings.push(Finding::good("memory of cells", Decision::new(config.pagemap_scan).to_string()));
    let engine = engine.or_else(|_| {
        let mut options = EngineOptions::default();
        options.limits = config.limits.clone();
        Engine::new(options)
    });
    if let Ok(engine) = engine {
        for policy in &config.handlers {
            findings.extend(handler(policy, &engine).await);
        }
    }
    let wanted: Result<Vec<_>, _> = args.languages.iter().map(|name| Language::named(name)).collect();
    findings.extend(toolchains(&wanted?));
    show(&findings, args.json)?;
    let failed = findings.iter().any(|finding| finding.grade == Grade::Bad);
    Ok(if failed { Outcome::ErrorResult } else { Outcome::Success })
}

/// Checks the folders that the program writes to.
fn folders(args: &Args, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !args.cache.keeps_nothing() {
        findings.push(match args.cache.folder() {
            Some(folder) => {
                writable("cache", &folder, "--cache DIR or TASKCELL_CACHE names another, --no-cache keeps none")
            }
            None => Finding::bad("cache", "this user has no folder for it", "--cache DIR or TASKCELL_CACHE names one"),
        });
    }
    let fix = "--store FILE or TASKCELL_STORE names another, --store :memory: keeps tasks in memory";
    findings.push(match args.store.settle(config, Place::of_user) {
        Ok(Place::Memory) => Finding::good("task store", "in memory: tasks end with the program"),
        Ok(Place::File(file)) if file.exists() => match std::fs::File::options().append(true).open(&file) {
            Ok(_) => Finding::good("task store", file.display().to_string()),
            Err(error) => Finding::bad("task store", format!("{}: {error}", file.display()), fix),
        },
        Ok(Place::File(file)) => writable("task store", file.parent().unwrap_or(Path::new(".")), fix),
        Err(error) => Finding::bad("task store", format!("{error:#}"), fix),
    });
    findings.push(writable("temporary files", &std::env::temp_dir(), "TMPDIR names another folder"));
    for policy in &config.handlers {
        for KeptFile { what, file, fix } in policy.kept_files() {
            findings.push(match file {
                Ok(file) => writable(what, file.parent().unwrap_or(Path::new(".")), &fix),
                Err(error) => Finding::bad(what, format!("{error:#}"), fix),
            });
        }
    }
    findings
}

/// Checks that files can be created in a folder, or in its nearest existing ancestor.
fn writable(what: &str, folder: &Path, fix: &str) -> Finding {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let nearest = absolute.ancestors().find(|folder| folder.is_dir()).unwrap_or(&absolute);
    let probe = nearest.join(format!(".taskcell-doctor-{}", uuid::Uuid::new_v4()));
    let tried = std::fs::File::options().write(true).create_new(true).open(&probe);
    let shown = folder.display();
    match tried {
        Ok(_) => {
            // The probe is an empty file of this program.
            let _ = std::fs::remove_file(&probe);
            let later = if nearest == absolute { "" } else { " (made when it is needed)" };
            Finding::good(what, format!("{shown}{later}"))
        }
        Err(error) => {
            Finding::bad(what, format!("{shown}: nothing can be written in {}: {error}", nearest.display()), fix)
        }
    }
}

/// Returns the version and the platform of the engine.
fn engine_facts() -> String {
    format!("taskcell {} on {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)
}

/// Checks what a handler of the configuration needs.
async fn handler(policy: &Policy, engine: &Engine) -> Vec<Finding> {
    let what = format!("handler {}", policy.path.display());
    let mut findings = Vec::new();
    let grants = policy.of(&mocks::all(Settings::default()));
    findings.push(match policy.component(engine, &policy.path, grants).await {
        Ok(handler) => {
            let kinds: Vec<_> = handler.kinds().map(|kind| kind.info().export).collect();
            Finding::good(
                &what,
                format!("answers {}", if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") }),
            )
        }
        Err(error) => Finding::bad(&what, "cannot be loaded", format!("{error:#}")),
    });
    for variable in policy.secrets() {
        let is_set = std::env::var_os(variable).is_some_and(|value| !value.is_empty());
        findings.push(if is_set {
            Finding::good(format!("key {variable}"), "set; its value is not shown")
        } else {
            let fix = format!("set it before you start taskcell: export {variable}=...");
            Finding::bad(format!("key {variable}"), format!("the environment variable is not set ({})", policy.at), fix)
        });
    }
    for error in policy.unreadable_files() {
        findings.push(Finding::bad(&what, format!("{error:#}"), "name a file that is there"));
    }
    if policy.asks_the_user() && !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        findings.push(Finding {
            grade: Grade::Optional,
            what,
            found: "asks you, and this is no terminal".to_owned(),
            fix: Some("run it at a terminal".to_owned()),
        });
    }
    findings
}

/// Checks the tools of each language. The languages in `wanted` and the language of the project in this folder must
/// have theirs.
fn toolchains(wanted: &[&'static Language]) -> Vec<Finding> {
    let here = Path::new(".");
    let project = Language::of(here).ok();
    let is_needed = |language: &Language| wanted.iter().chain(&project).any(|needed| needed.name == language.name);
    let mut findings = Vec::new();
    for language in languages::all() {
        let missing = language.missing(here);
        let what = format!("handlers in {}", language.title);
        if missing.is_empty() {
            findings.push(Finding::good(what, "can be built"));
            continue;
        }
        let found: Vec<_> = missing.iter().map(|missing| missing.what.as_str()).collect();
        let mut fix: Vec<_> = missing.iter().map(|missing| missing.install.as_str()).collect();
        fix.dedup();
        let grade = if is_needed(language) { Grade::Bad } else { Grade::Optional };
        findings.push(Finding {
            grade,
            what,
            found: format!("without {}", found.join(" and ")),
            fix: Some(fix.join("; ")),
        });
    }
    findings
}

fn show(findings: &[Finding], as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let document: Vec<Value> = findings
            .iter()
            .map(|Finding { grade, what, found, fix }| {
                json!({ "grade": grade.word(), "what": what, "found": found, "fix": fix })
            })
            .collect();
        writeln!(out, "{}", text::json(&json!({ "findings": document })))?;
        return Ok(());
    }
    let is_on = color::is_on(&out);
    for Finding { grade, what, found, fix } in findings {
        let word = color::painted(&format!("{:<6}", grade.word()), grade.tone(), is_on);
        writeln!(out, "{word}  {}: {}", one_line(what), one_line(found))?;
        if let Some(fix) = fix {
            writeln!(out, "        fix: {}", one_line(fix))?;
        }
    }
    let failed = findings.iter().filter(|finding| finding.grade == Grade::Bad).count();
    let verdict = if failed == 0 { "all that is needed is there".to_owned() } else { format!("{failed} to fix") };
    writeln!(out, "{verdict}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_is_made_in_one_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let finding = writable("cache", &folder.path().join("a/b"), "fix");
        assert_eq!((finding.grade, finding.fix), (Grade::Good, None), "{}", finding.found);
        assert!(finding.found.ends_with("(made when it is needed)"), "{}", finding.found);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let nowhere = writable("cache", Path::new("/proc/no-such/folder"), "fix");
        assert_eq!((nowhere.grade, nowhere.fix.as_deref()), (Grade::Bad, Some("fix")));
    }
}
