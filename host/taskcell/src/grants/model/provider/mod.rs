//! A model of a provider, through genai, under guards.
//!
//! genai knows how to speak to each provider. What it does not bound is bounded here: who may run which model how often
//! and for how many tokens ([`ModelGuards`]), how long a call takes, and how much an answer holds (`relay`). The key
//! stays here: it is sent to the provider's address and shown nowhere.

mod answer;
mod effort;
mod failure;
mod guards;
mod models;
mod relay;
mod request;

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use genai::adapter::AdapterKind;
use genai::chat::ChatResponse;
use genai::resolver::{AuthData, Endpoint};
use genai::{Client, ModelIden, ServiceTarget};
use reqwest::Url;
use reqwest::redirect::Policy;
use tokio::sync::OnceCell;

pub use guards::ModelGuards;

use super::{Model, ModelContext, ModelUse};
use crate::grants::{Secret, tls};
use crate::protocol::types::{CreateMessageRequest, CreateMessageResult, RpcError};
use answer::Tokens;
use effort::EFFORTS;
use failure::Failure;
use guards::Gate;
use models::Models;
use relay::{Ended, Relay};
use request::Prepared;

/// Stands where a key would: genai sends no request without one, and a server of one's own often wants none.
const NO_KEY: &str = "none";

/// A provider of models, and what may be asked of it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Provider {
    /// The name of the provider, one of [`Provider::names`].
    pub name: String,
    /// Base URL, if it is not the provider's own: of a server with the same interface as `name`, such as
    /// `http://127.0.0.1:8080/v1/`.
    pub base_url: Option<String>,
    /// API key. Without one, the key `none` is sent to a server.
    pub key: Option<Secret>,
    /// The model that runs when no hint of a server names one that may.
    pub default_model: String,
    /// Reasoning effort of the models: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`. Without one, the
    /// provider's default applies. A model's name and a server's hints do not change it.
    pub effort: Option<String>,
    /// Whether the key and the prompts may go in clear to another machine.
    pub insecure: bool,
    /// Whether `metadata` of a request goes to the provider, as the member of that name. It comes from the server.
    pub metadata: bool,
    /// Limits of the calls.
    pub guards: ModelGuards,
}

/// A provider that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
#[non_exhaustive]
pub struct WrongProvider {
    /// The field of [`Provider`] or of [`ModelGuards`].
    pub field: &'static str,
    /// Description of the fault and of correct values.
    pub why: String,
}

impl Provider {
    /// A provider at its own address, without a key, and the guards' defaults.
    #[must_use]
    pub fn new(name: &str, default_model: &str) -> Self {
        Self {
            name: name.to_owned(),
            base_url: None,
            key: None,
            default_model: default_model.to_owned(),
            effort: None,
            insecure: false,
            metadata: false,
            guards: ModelGuards::default(),
        }
    }

    /// The names of the providers.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        AdapterKind::all().iter().map(AdapterKind::as_lower_str).collect()
    }

    /// Whether all of it can be.
    ///
    /// # Errors
    /// The first field that cannot.
    pub fn check(&self) -> Result<(), WrongProvider> {
        let wrong = |field, why: String| Err(WrongProvider { field, why });
        if AdapterKind::from_lower_str(&self.name).is_none() {
            return wrong("name", format!("there is no such provider; there are {}", Self::names().join(", ")));
        }
        if let Some(url) = &self.base_url {
            address(url, self.insecure).map_err(|why| WrongProvider { field: "base_url", why: why.to_owned() })?;
        }
        if let Some(key) = &self.key
            && (key.expose().is_empty() || !key.expose().chars().all(|c| c.is_ascii_graphic()))
        {
            return wrong("key", "a key has letters, digits and signs, with nothing between them".to_owned());
        }
        if self.effort.as_ref().is_some_and(|effort| !EFFORTS.contains(&effort.as_str())) {
            return wrong("effort", format!("there is no such effort; there are {}", EFFORTS.join(", ")));
        }
        let ModelGuards { allowed, calls, .. } = &self.guards;
        let is_name =
            |name: &str| !name.is_empty() && name.len() <= models::MAX_NAME && !name.contains(char::is_control);
        if !is_name(&self.default_model) {
            return wrong("default_model", format!("a model's name has 1 to {} characters", models::MAX_NAME));
        }
        if !allowed.iter().all(|name| is_name(name)) {
            return wrong("allowed", format!("a model's name has 1 to {} characters", models::MAX_NAME));
        }
        if !Models::new(&self.default_model, allowed).allows(&self.default_model) {
            return wrong("default_model", "the default model is none of those that are allowed".to_owned());
        }
        if *calls == 0 {
            return wrong("calls", "no call could be made".to_owned());
        }
        Ok(())
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("default_model", &self.default_model)
            .field("guards", &self.guards)
            .finish_non_exhaustive()
    }
}

/// The address of a provider, as genai needs it: its last part is kept only before a slash.
fn address(text: &str, insecure: bool) -> Result<Url, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "this is no address such as https://host/v1/")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address holds no user and no password; a key has a place of its own");
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_here || insecure => {}
        "http" => {
            return Err("the key and the prompts would go in clear to another machine: take https, or say \
                        `insecure = true`");
        }
        _ => return Err("the address of a provider begins with https:// or http://"),
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// A model of a provider. Give one to several handlers and they share its guards.
pub struct ProviderModel {
    provider: Provider,
    adapter: AdapterKind,
    models: Models,
    gate: Gate,
    /// The provider's own address, once it was needed.
    own_url: OnceCell<String>,
}

impl fmt::Debug for ProviderModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProviderModel").field(&self.provider).finish()
    }
}

impl ProviderModel {
    /// Sets a provider's model up. Nothing is sent yet.
    ///
    /// # Errors
    /// Those of [`Provider::check`].
    pub fn new(provider: Provider) -> Result<Self, WrongProvider> {
        provider.check()?;
        Ok(Self {
            adapter: AdapterKind::from_lower_str(&provider.name).unwrap_or(AdapterKind::OpenAI),
            models: Models::new(&provider.default_model, &provider.guards.allowed),
            gate: Gate::new(&provider.guards),
            own_url: OnceCell::new(),
            provider,
        })
    }

    /// Sends a request, over a connection of its own.
    async fn send(&self, model: &str, mut prepared: Prepared) -> Result<ChatResponse, Failure> {
        let key = self.provider.key.as_ref();
        let sent = effort::sent(self.adapter, model, self.provider.effort.as_deref())?;
        prepared.options.reasoning_effort = sent.effort;
        let known = ModelIden::new(self.adapter, model);
        let model = ModelIden::new(sent.adapter, model);
        let failed = |error| Failure::of(error, key);
        let base_url = match &self.provider.base_url {
            Some(url) => url.clone(),
            None => self.own_url.get_or_try_init(|| own_url(known)).await.map_err(failed)?.clone(),
        };
        let url = address(&base_url, self.provider.insecure).map_err(Failure::Host)?;
        let answer_size = self.provider.guards.answer_size;
        let relay = Relay::new(&url, answer_size).map_err(|_| Failure::Host("there is no socket for it"))?;
        tls::install_provider();
        let http = reqwest::Client::builder()
            .unix_socket(relay.path())
            .http1_only()
            .pool_max_idle_per_host(0)
            .redirect(Policy::none())
            // What is small here could be large there.
            .no_gzip()
            .build()
            .map_err(|_| Failure::Host("its HTTP client cannot be made"))?;
        let client = Client::builder().with_reqwest(http).build().map_err(failed)?;
        let key = key.map_or(NO_KEY, Secret::expose);
        let endpoint = Endpoint::from_owned(url.as_str());
        let target = ServiceTarget { endpoint, auth: AuthData::from_single(key), model };
        tokio::select! {
            biased;
            answer = client.exec_chat(target, prepared.chat, Some(&prepared.options)) => answer.map_err(failed),
            ended = relay.run() => Err(match ended {
                Ended::TooMuch => Failure::AnswerSize { limit: answer_size },
                Ended::Unreachable => Failure::Unreachable,
            }),
        }
    }

    async fn run(
        &self,
        context: &ModelContext,
        model: &str,
        prepared: Prepared,
    ) -> Result<CreateMessageResult, Failure> {
        let limit = self.provider.guards.timeout;
        let (input, output) = (prepared.input_tokens, u64::from(prepared.options.max_tokens.unwrap_or_default()));
        let admitted = self.gate.admit(&context.session, input.saturating_add(output))?;
        let answer = tokio::time::timeout(limit, self.send(model, prepared)).await;
        let response = match answer.unwrap_or(Err(Failure::Timeout { limit })) {
            Ok(response) => response,
            Err(failure) => {
                if failure.is_free() {
                    admitted.settle(0);
                }
                return Err(failure);
            }
        };
        let tokens = Tokens::of(&response);
        // What it does not say counts as what it may have been at most.
        admitted.settle(tokens.input.unwrap_or(input).saturating_add(tokens.output.unwrap_or(output)));
        context.report(ModelUse {
            model: Some(model.to_owned()),
            input_tokens: tokens.input,
            output_tokens: tokens.output,
        });
        answer::result(response)
    }
}

/// The address that genai knows for a provider.
async fn own_url(model: ModelIden) -> genai::Result<String> {
    let target = Client::builder().build()?.resolve_service_target(model).await?;
    Ok(target.endpoint.base_url().to_owned())
}

#[async_trait]
impl Model for ProviderModel {
    async fn create_message(
        &self,
        context: &ModelContext,
        request: CreateMessageRequest,
    ) -> Result<CreateMessageResult, RpcError> {
        let model = self.models.choose(request.model_preferences.as_ref());
        context.report(ModelUse { model: Some(model.clone()), ..ModelUse::default() });
        let Provider { metadata, guards, .. } = &self.provider;
        let prepared = request::prepare(self.adapter, request, guards.max_tokens, *metadata)?;
        self.run(context, &model, prepared).await.map_err(|failure| {
            failure.log(&context.handler);
            failure.to_rpc()
        })
    }
}
