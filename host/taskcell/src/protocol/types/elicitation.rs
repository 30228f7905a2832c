//! Requests to ask the user, and what the user did.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Json, RequestedSchema};
use crate::protocol::wire::{json, named, number, tagged};

/// A request for data that the user enters into a form. MCP: `ElicitRequestFormParams`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ElicitForm {
    /// Message to the user.
    pub message: String,
    /// The fields.
    #[component(name = "requested-schema")]
    pub requested_schema: RequestedSchema,
}

/// A request to send the user to a page, where the data does not pass the client. MCP: `ElicitRequestURLParams`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ElicitUrl {
    /// Why the page is needed.
    pub message: String,
    /// The server's name for this elicitation; opaque.
    #[component(name = "elicitation-id")]
    pub elicitation_id: String,
    /// The page. Chosen by the server: show it whole and ask before opening it.
    pub url: String,
}

/// A request to ask the user. MCP: `ElicitRequestParams`.
#[derive(Debug, Clone, PartialEq, Serialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum ElicitRequest {
    /// By a form; also when the request names no mode.
    #[component(name = "form")]
    Form(ElicitForm),
    /// By a page.
    #[component(name = "url")]
    Url(ElicitUrl),
}

/// The answer to one field. MCP: `ElicitResult.content`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(untagged)]
pub enum ElicitValue {
    /// Text, or the value of a single choice.
    #[component(name = "text")]
    Text(String),
    /// A number; whole numbers go out without a fraction.
    #[component(name = "number")]
    #[serde(serialize_with = "number::serialize")]
    Number(f64),
    /// Yes or no.
    #[component(name = "boolean")]
    Boolean(bool),
    /// The values of a multiple choice.
    #[component(name = "text-list")]
    TextList(Vec<String>),
}

/// One answered field.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift, Lower)]
#[component(record)]
pub struct ElicitEntry {
    /// The field's name.
    pub name: String,
    /// Answer to the field.
    pub value: ElicitValue,
}

/// Action of the user. MCP: `ElicitResult.action`.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum ElicitAction {
    /// Agreed: with the form's answers, or with nothing where the mode was `url`.
    #[component(name = "accept")]
    Accept(Option<Vec<ElicitEntry>>),
    /// Said no.
    #[component(name = "decline")]
    Decline,
    /// Went away without a choice.
    #[component(name = "cancel")]
    Cancel,
}

/// The user's answer. MCP: `ElicitResult`.
#[derive(Debug, Clone, PartialEq, ComponentType, Lift, Lower)]
#[component(record)]
pub struct ElicitResult {
    /// Action of the user.
    pub action: ElicitAction,
    /// `_meta`.
    pub meta: Option<Json>,
}

impl<'de> tagged::Tagged<'de> for ElicitRequest {
    const TAG: &'static str = "mode";

    fn read<A: de::MapAccess<'de>>(mode: Option<&str>, members: tagged::Members<'de, A>) -> Result<Self, A::Error> {
        match mode {
            // Servers of revisions that know only forms name no mode.
            None | Some("form") => members.into().map(Self::Form),
            Some("url") => members.into().map(Self::Url),
            Some(other) => Err(de::Error::unknown_variant(other, &["form", "url"])),
        }
    }
}

impl<'de> Deserialize<'de> for ElicitRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tagged::deserialize(deserializer)
    }
}

impl named::Named for ElicitEntry {
    type Value = ElicitValue;

    fn new(name: String, value: ElicitValue) -> Self {
        Self { name, value }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn value(&self) -> &ElicitValue {
        &self.value
    }
}

/// [`ElicitResult`] on the wire, where the content stands beside the action that it belongs to.
#[derive(Serialize, Deserialize)]
struct Wire<C> {
    action: Action,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    content: Option<C>,
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    meta: Option<Json>,
}

fn none<C>() -> Option<C> {
    None
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Accept,
    Decline,
    Cancel,
}

#[derive(Serialize)]
struct EntriesOut<'a>(#[serde(serialize_with = "named::serialize")] &'a [ElicitEntry]);

#[derive(Deserialize)]
struct EntriesIn(#[serde(deserialize_with = "named::deserialize")] Vec<ElicitEntry>);

impl Serialize for ElicitResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (action, content) = match &self.action {
            ElicitAction::Accept(content) => (Action::Accept, content.as_deref().map(EntriesOut)),
            ElicitAction::Decline => (Action::Decline, None),
            ElicitAction::Cancel => (Action::Cancel, None),
        };
        Wire { action, content, meta: self.meta.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ElicitResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { action, content, meta } = Wire::<EntriesIn>::deserialize(deserializer)?;
        let action = match action {
            Action::Accept => ElicitAction::Accept(content.map(|EntriesIn(entries)| entries)),
            Action::Decline => ElicitAction::Decline,
            Action::Cancel => ElicitAction::Cancel,
        };
        Ok(Self { action, meta })
    }
}
