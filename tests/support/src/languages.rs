//! Handlers of all kinds, one for each language of handlers, with identical behavior.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use taskcell::{Grants, Handler, Handlers, Limits};

use crate::built_examples::build_project;
use crate::examples::build_example;
use crate::fake_application::FakeApplication;
use crate::guests::build_guest;
use crate::handlers::engine;
use crate::provision::{c_variables, go_variables, repository};

/// A language, with its example of all kinds.
#[derive(Debug)]
pub struct Language {
    /// Name of the language, also for `TASKCELL_SKIP_LANGUAGES`.
    pub name: &'static str,
    /// Folder of the example in `guest-examples`.
    pub folder: &'static str,
    /// Builds the example in a folder of `guest-examples` and returns the path of the component.
    build: fn(&str) -> Result<PathBuf>,
}

/// All languages.
pub const LANGUAGES: &[Language] = &[
    Language { name: "rust", folder: "rust-everything", build: rust },
    Language { name: "python", folder: "python-everything", build: build_example },
    Language { name: "javascript", folder: "javascript-everything", build: build_example },
    Language { name: "c", folder: "c-everything", build: c },
    Language { name: "cpp", folder: "cpp-everything", build: c },
    Language { name: "go", folder: "go-everything", build: go },
];

fn c(folder: &str) -> Result<PathBuf> {
    build_project(folder, c_variables()?)
}

fn go(folder: &str) -> Result<PathBuf> {
    build_project(folder, go_variables()?)
}

fn rust(folder: &str) -> Result<PathBuf> {
    build_guest(&repository().join("guest-examples").join(folder))
}

impl Language {
    /// Finds the language with this name.
    ///
    /// # Errors
    /// When there is no such language.
    pub fn named(name: &str) -> Result<&'static Self> {
        LANGUAGES.iter().find(|language| language.name == name).with_context(|| format!("{name} is not in the table"))
    }

    /// Builds the example if it is not built yet, and returns the path of the component. Runs the toolchain once per
    /// process.
    ///
    /// # Errors
    /// When the toolchain is missing or the build fails.
    pub fn component(&self) -> Result<PathBuf> {
        static BUILT: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());

        // Held during the build: one build uses all cores anyway.
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = built.get(self.name) {
            return Ok(component.clone());
        }
        let component = (self.build)(self.folder).with_context(|| format!("the example in {}", self.name))?;
        built.insert(self.name, component.clone());
        Ok(component)
    }

    /// Loads the example with all grants that it needs; `application` is its model and its user.
    ///
    /// # Errors
    /// When the example cannot be built or loaded.
    pub async fn everything(&self, limits: Limits, application: &Arc<FakeApplication>) -> Result<Handlers> {
        let mut grants = Grants::default();
        grants.tasks = true;
        grants.progress = true;
        grants.model = Some(Arc::<FakeApplication>::clone(application));
        grants.user = Some(Arc::<FakeApplication>::clone(application));
        let handler = Handler::from_file(&engine(limits)?, &self.component()?, grants).await?;
        Ok(Handlers::new([handler])?)
    }
}
