//! Flags that name the server of a command: a program to start, or a URL with its credentials.
//!
//! Credentials come from variables or files, because a command line can be read by every user of the machine.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, anyhow, ensure};

use super::principal;
use super::source::read_text;
use super::task_args::DefaultPrincipal;
use crate::client::server::Target;
use taskcell_gateway::http_client::{ConnectionLimits, Credentials, Endpoint, HttpConnector, TargetError};

/// Largest file of a token, in bytes.
const MAX_TOKEN: u64 = 64 << 10;

/// Flags of a server that is reached by its URL.
#[derive(clap::Args)]
pub(crate) struct UrlArgs {
    /// The URL of a server that runs already and speaks streamable HTTP, instead of a program to start
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    url: Option<String>,
    /// The environment variable that holds the server's bearer token
    #[arg(long, value_name = "VARIABLE", requires = "url", conflicts_with_all = ["server", "token_file"])]
    token_env: Option<String>,
    /// The file that holds the server's bearer token
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with = "server")]
    token_file: Option<PathBuf>,
    /// A header to send to the server, with the environment variable that holds its value; may be given more than once
    #[arg(long, value_name = "NAME=VARIABLE", requires = "url", conflicts_with = "server", value_parser = name_and_variable)]
    header_env: Vec<(String, String)>,
    /// A header to send to the server, whose value other users of the machine may see; may be given more than once
    #[arg(long, value_name = "NAME: VALUE", requires = "url", conflicts_with = "server", value_parser = name_and_value)]
    header: Vec<(String, String)>,
    /// Send credentials over http:// to another machine, in clear text
    #[arg(long, requires = "url", conflicts_with = "server")]
    insecure: bool,
}

/// Flags of the server.
#[derive(clap::Args)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    url: UrlArgs,
    /// The server and its arguments
    #[arg(last = true, required_unless_present = "url", value_name = "SERVER")]
    server: Vec<OsString>,
}

impl ServerArgs {
    /// Returns the default principal: the server.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub(crate) fn principal(&self) -> anyhow::Result<DefaultPrincipal> {
        Ok(self.url.principal()?.unwrap_or_else(|| DefaultPrincipal {
            name: principal::of_server(&self.server, &principal::Place::here()),
            earlier: Some(principal::of_words(&self.server)),
        }))
    }

    /// Returns the way to the server.
    ///
    /// # Errors
    /// When the URL or a credential cannot be read, or credentials would cross the network in clear text.
    pub(crate) fn target(self) -> anyhow::Result<Target> {
        Ok(match self.url.connector()? {
            Some(connector) => Target::Url(Box::new(connector)),
            None => Target::Command(self.server),
        })
    }
}

impl UrlArgs {
    /// Returns the default principal of the server; none without a URL.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub(crate) fn principal(&self) -> anyhow::Result<Option<DefaultPrincipal>> {
        let Some(url) = &self.url else { return Ok(None) };
        Ok(Some(principal::of_url(&endpoint(url)?).as_str().into()))
    }

    /// Returns the way to the server; none without a URL.
    ///
    /// # Errors
    /// When the URL or a credential cannot be read, or credentials would cross the network in clear text.
    pub(crate) fn connector(&self) -> anyhow::Result<Option<HttpConnector>> {
        let Some(url) = &self.url else { return Ok(None) };
        let endpoint = endpoint(url)?;
        let mut credentials = Credentials::default();
        if let Some(variable) = &self.token_env {
            credentials.bearer(&from_variable("--token-env", variable)?)?;
        }
        if let Some(file) = &self.token_file {
            credentials.bearer(&read_text(file, MAX_TOKEN).context("--token-file")?)?;
        }
        for (name, variable) in &self.header_env {
            credentials.header(name, &from_variable("--header-env", variable)?)?;
        }
        for (name, value) in &self.header {
            credentials.header(name, value)?;
        }
        let names = credentials.names().collect::<Vec<_>>().join(", ");
        tracing::debug!(server = endpoint.name(), headers = names, "the server is reached by its URL");
        let connector = HttpConnector::new(endpoint, credentials, ConnectionLimits::default(), self.insecure);
        let connector = connector.map_err(|error| match error {
            TargetError::Insecure(_) => anyhow!("{error}, by --insecure"),
            error => error.into(),
        })?;
        Ok(Some(connector))
    }
}

fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    Endpoint::parse(url).context("--url")
}

/// Reads the environment variable that a flag names.
///
/// # Errors
/// When there is no such variable, or it is empty.
pub(crate) fn from_variable(flag: &str, variable: &str) -> anyhow::Result<String> {
    let value = std::env::var(variable).with_context(|| format!("{flag} {variable}"))?;
    ensure!(!value.trim().is_empty(), "{flag} {variable}: the environment variable is empty");
    Ok(value)
}

/// Parses `NAME=VARIABLE`.
pub(crate) fn name_and_variable(text: &str) -> Result<(String, String), String> {
    let (name, variable) = text.split_once('=').ok_or("expected NAME=VARIABLE")?;
    Ok((name.to_owned(), variable.to_owned()))
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
