//! Table `[proxy]` of the configuration: the server behind the gateway, and who answers its questions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::Time;
use super::source::ConfigError;
use taskcell_gateway::dead_clients::{self, DeadClient};
use taskcell_gateway::policy::{Policy, Rule};

/// Table `[proxy]`. A setting that the file leaves out is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ProxyTable {
    /// Server and its arguments.
    pub(crate) command: Option<Vec<String>>,
    /// Whether a client may ask for revision 2026-07-28.
    pub(crate) protocol: Option<ProxyProtocol>,
    /// Address at which clients connect by streamable HTTP, instead of stdin and stdout.
    pub(crate) listen: Option<SocketAddr>,
    /// Whether other machines may reach that address.
    pub(crate) allow_remote: bool,
    /// Names of this machine in `Host` and `Origin`, beside the loopback forms.
    pub(crate) hosts: Vec<String>,
    /// Names of clients, and the environment variables that hold their bearer tokens.
    pub(crate) tokens: BTreeMap<String, String>,
    patience: Option<Time>,
    answer: AnswerTable,
    client: Vec<Spanned<ClientTable>>,
}

/// Revision that is agreed on through the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Deserialize)]
pub(crate) enum ProxyProtocol {
    /// 2025-11-25 and earlier: a client that asks for a later one first is told to go on with `initialize`
    #[value(name = "2025-11-25")]
    #[serde(rename = "2025-11-25")]
    Initialize,
    /// Any that the client asks for; handlers answer nothing in revision 2026-07-28
    #[value(name = "auto")]
    #[serde(rename = "auto")]
    Auto,
}

/// Table `[proxy.answer]`: a rule for each kind of question.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct AnswerTable {
    sampling: Option<Spanned<RuleWord>>,
    sampling_tools: Option<Spanned<RuleWord>>,
    sampling_context: Option<Spanned<RuleWord>>,
    elicitation_form: Option<Spanned<RuleWord>>,
    elicitation_url: Option<Spanned<RuleWord>>,
    roots: Option<Spanned<RuleWord>>,
    tasks: Option<Spanned<RuleWord>>,
}

#[derive(Debug, Clone, Copy)]
struct RuleWord(Rule);

impl<'de> Deserialize<'de> for RuleWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map(RuleWord).map_err(|why| serde::de::Error::custom(format!("{word:?} is no rule: {why}")))
    }
}

/// Table `[[proxy.client]]`: a client that declares what it never answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientTable {
    name: String,
    dead: Vec<Spanned<String>>,
}

impl ProxyTable {
    /// Time that a question may hold a call without a progress token.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience.map(Duration::from)
    }

    /// Rules of the file.
    pub(super) fn policy(&self) -> Result<Policy, ConfigError> {
        let AnswerTable { sampling, sampling_tools, sampling_context, elicitation_form, elicitation_url, roots, tasks } =
            &self.answer;
        let rules = [
            ("sampling", sampling),
            ("sampling-tools", sampling_tools),
            ("sampling-context", sampling_context),
            ("elicitation-form", elicitation_form),
            ("elicitation-url", elicitation_url),
            ("roots", roots),
            ("tasks", tasks),
        ];
        let mut policy = Policy::default();
        for (key, rule) in rules {
            let Some(rule) = rule else { continue };
            let set = policy.set(key, rule.get_ref().0);
            set.map_err(|error| ConfigError::new(rule.span(), error.to_string()))?;
        }
        Ok(policy)
    }

    /// Clients that declare what they never answer: the known ones, then those of the file, which take the place of
    /// known ones of the same name.
    pub(super) fn dead_clients(&self) -> Result<Vec<DeadClient>, ConfigError> {
        let mut rows = dead_clients::shipped();
        for table in &self.client {
            let ClientTable { name, dead } = table.get_ref();
            if let Some(wrong) = dead.iter().find(|word| !dead_clients::is_word(word.get_ref())) {
                let word = wrong.get_ref();
                let why = format!("{word:?} is no kind of question: a key of [proxy.answer], or \"elicitation\"");
                return Err(ConfigError::new(wrong.span(), why));
            }
            let dead = dead.iter().map(|word| word.get_ref().clone()).collect();
            rows.push(DeadClient { name: name.clone(), dead, source: "the configuration".to_owned() });
        }
        Ok(rows)
    }
}
