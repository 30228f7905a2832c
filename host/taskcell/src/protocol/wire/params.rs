//! Parameters of a request: the members that every request may have, apart from the request's own.
//!
//! `_meta` and `task` may occur in any request's `params` [RequestParams, TaskAugmentedRequestParams]. They are taken
//! out while the request's own type reads the rest, in one pass over the text.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{json, located, tagged::Text};
use crate::protocol::types::{Json, ProgressToken, TaskMetadata};

/// Bytes of a progress token, as it is written. It goes out with each notification of progress.
const MAX_TOKEN: usize = 1 << 10;

/// The parameters of a request.
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestParams<T> {
    /// `task`, when present and not null: the request shall run as a task. MCP: `TaskAugmentedRequestParams`.
    pub task: Option<TaskMetadata>,
    /// `_meta`, as it came. MCP: `RequestParams`.
    pub meta: Option<Json>,
    /// `_meta.progressToken`. MCP: `ProgressToken`. None where it is no string and no whole number that a handler can
    /// be told.
    pub progress_token: Option<ProgressToken>,
    /// The token as it was written; `None` when a notification could not repeat it exactly.
    pub(crate) token: Option<Box<RawValue>>,
    /// The request's own members.
    pub body: T,
}

/// Members of a request that are its own.
pub trait RequestBody {
    /// Whether the request may ask for a task. Other requests ignore a stray `task` of any shape.
    const AUGMENTABLE: bool = false;
}

/// Parameters that do not fit the request; the text names the field and goes out with -32602.
#[derive(Debug, thiserror::Error)]
#[error("Invalid params: {0}")]
pub struct ParamsError(String);

/// Reads `params` by a seed. Absent parameters are read as an empty object, as for `tasks/list` and `roots/list`.
///
/// The path to an error is tracked, which costs time, so this function serves only parameters that could not be read in
/// place.
pub(crate) fn read<'de, S: DeserializeSeed<'de>>(
    seed: S,
    params: Option<&'de RawValue>,
) -> Result<S::Value, ParamsError> {
    let text = params.map_or("{}", RawValue::get);
    let read = located::read(seed, &mut serde_json::Deserializer::from_str(text));
    read.map_err(|fault| ParamsError(fault.strip_prefix('.').unwrap_or(&fault).to_owned()))
}

/// Whether the parameters ask for a task, whatever else is in them.
pub(crate) fn is_augmented(params: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Task {
        task: Option<IgnoredAny>,
    }
    serde_json::from_str::<Task>(params.get()).is_ok_and(|params| params.task.is_some())
}

impl<'de, T: RequestBody + Deserialize<'de>> Deserialize<'de> for RequestParams<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ParamsVisitor(PhantomData))
    }
}

struct ParamsVisitor<T>(PhantomData<T>);

impl<'de, T: RequestBody + Deserialize<'de>> Visitor<'de> for ParamsVisitor<T> {
    type Value = RequestParams<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut common = Common::default();
        let body = T::deserialize(MapAccessDeserializer::new(OwnMembers {
            map,
            common: &mut common,
            augmentable: T::AUGMENTABLE,
        }))?;
        let Common { task, meta } = common;
        let (meta, token) = match meta {
            Some(RequestMeta { text, token }) => (Some(text), token),
            None => (None, None),
        };
        let progress_token = token.as_deref().and_then(progress_token);
        Ok(RequestParams { task: task.flatten(), meta, progress_token, token, body })
    }
}

#[derive(Default)]
struct Common {
    /// None until the member came, which may be null.
    task: Option<Option<TaskMetadata>>,
    meta: Option<RequestMeta>,
}

/// The members without `task` and `_meta`, which go into `common`.
struct OwnMembers<'a, A> {
    map: A,
    common: &'a mut Common,
    augmentable: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OwnMembers<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(Text(key)) = self.map.next_key::<Text<'de>>()? {
            match &*key {
                "task" if !self.augmentable => {
                    self.map.next_value::<IgnoredAny>()?;
                }
                "task" if self.common.task.is_some() => return Err(A::Error::duplicate_field("task")),
                "task" => self.common.task = Some(self.map.next_value()?),
                "_meta" if self.common.meta.is_some() => return Err(A::Error::duplicate_field("_meta")),
                "_meta" => self.common.meta = self.map.next_value()?,
                _ => {
                    let key: CowStrDeserializer<'_, A::Error> = key.into_deserializer();
                    return seed.deserialize(key).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// `_meta` as text, with the one member that the host itself reads.
struct RequestMeta {
    text: Json,
    token: Option<Box<RawValue>>,
}

impl<'de> Deserialize<'de> for RequestMeta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Known<'a> {
            #[serde(borrow)]
            progress_token: Option<&'a RawValue>,
        }
        let text = json::object::deserialize(deserializer)?;
        let known: Known<'_> = serde_json::from_str(&text).map_err(serde::de::Error::custom)?;
        // Progress is a courtesy: a token that MCP does not have refuses no request, and gets no progress.
        let token = known.progress_token.filter(|token| is_token(token.get())).map(ToOwned::to_owned);
        Ok(Self { token, text })
    }
}

/// Whether a token goes out with progress, as it was written: a string or a number of some bytes.
fn is_token(text: &str) -> bool {
    text.len() <= MAX_TOKEN && text.starts_with(|first: char| matches!(first, '"' | '-' | '0'..='9'))
}

/// A token as handlers know it. Some JSON libraries write a whole number with a fraction.
fn progress_token(token: &RawValue) -> Option<ProgressToken> {
    /// Whole numbers up to here are exact in a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Ok(token) = serde_json::from_str(token.get()) {
        return Some(token);
    }
    let number: f64 = serde_json::from_str(token.get()).ok()?;
    // Exact by the check.
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(ProgressToken::Number(number as i64))
}
