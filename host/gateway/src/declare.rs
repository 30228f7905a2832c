//! Capabilities that the server hears: the client's as far as the client may be asked, and the handlers' as far as
//! handlers answer.

use serde_json::{Map, Value, json};

use crate::policy::Topic;
use crate::route::{ClientFacts, PlanRow, Route, is_current};

/// Capabilities by which a server asks. All others are the client's alone.
pub(crate) const OF_QUESTIONS: [&str; 4] = ["sampling", "elicitation", "roots", "tasks"];

/// Returns the capabilities to declare for the client, by the rows of a plan.
pub(crate) fn declared(rows: &[PlanRow], client: &ClientFacts, handlers: &Value) -> Value {
    let of_client = client.capabilities.as_object();
    let mut all: Map<String, Value> = of_client.cloned().unwrap_or_default();
    all.retain(|name, _| !OF_QUESTIONS.contains(&name.as_str()));
    let parts = Parts { rows, client, handlers };
    let found = [parts.sampling(), parts.elicitation(), parts.roots(), parts.tasks()];
    for (name, value) in OF_QUESTIONS.into_iter().zip(found) {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    }
    Value::Object(all)
}

struct Parts<'a> {
    rows: &'a [PlanRow],
    client: &'a ClientFacts,
    handlers: &'a Value,
}

impl Parts<'_> {
    fn route(&self, topic: Topic) -> Route {
        self.rows.get(topic as usize).map_or(Route::Undeclared, |row| row.route)
    }

    fn declares(&self, topic: Topic) -> bool {
        self.route(topic).is_declared()
    }

    /// Members of a client's capability that no topic stands for, if the client may be asked.
    fn others(&self, name: &str, topics: &[Topic], known: &[&str]) -> Map<String, Value> {
        let may_be_asked = topics.iter().any(|topic| self.route(*topic).has_client());
        let object = self.client.capabilities.get(name).and_then(Value::as_object).filter(|_| may_be_asked);
        let mut object = object.cloned().unwrap_or_default();
        object.retain(|name, _| !known.contains(&name.as_str()));
        object
    }

    /// A member as the client wrote it, or an empty object.
    fn member(&self, at: &str) -> Value {
        self.client.capabilities.pointer(at).cloned().unwrap_or_else(|| json!({}))
    }

    fn sampling(&self) -> Option<Value> {
        if !self.declares(Topic::Sampling) {
            return None;
        }
        let features = [(Topic::SamplingTools, "tools"), (Topic::SamplingContext, "context")];
        let mut object = self.others("sampling", &[Topic::Sampling], &["tools", "context"]);
        for (topic, name) in features {
            if self.declares(topic) {
                object.insert(name.to_owned(), self.member(&format!("/sampling/{name}")));
            }
        }
        Some(object.into())
    }

    fn elicitation(&self) -> Option<Value> {
        let modes = [(Topic::Form, "form"), (Topic::Url, "url")];
        let (form, url) = (self.declares(Topic::Form), self.declares(Topic::Url));
        if !form && !url {
            return None;
        }
        let mut object = self.others("elicitation", &[Topic::Form, Topic::Url], &["form", "url"]);
        // An empty object declares forms, also to servers that know no modes. [client/elicitation, Capabilities]
        let is_bare = !url && !self.names_modes();
        for (topic, name) in modes {
            if self.declares(topic) && !is_bare {
                object.insert(name.to_owned(), self.member(&format!("/elicitation/{name}")));
            }
        }
        Some(object.into())
    }

    /// Whether a form is declared by its name: as the client wrote it, else as its revision has it.
    fn names_modes(&self) -> bool {
        match self.client.capabilities.get("elicitation") {
            Some(written) if self.route(Topic::Form).has_client() => written.get("form").is_some(),
            _ => is_current(&self.client.revision),
        }
    }

    fn roots(&self) -> Option<Value> {
        let of_handlers = || self.handlers.get("roots").cloned().unwrap_or_else(|| json!({}));
        match self.route(Topic::Roots) {
            Route::Client | Route::ClientThenHandler => Some(self.member("/roots")),
            Route::Handler => Some(of_handlers()),
            // Either side may tell of changes.
            Route::HandlerThenClient => {
                let mut roots = self.member("/roots");
                if let (Some(roots), Value::Object(more)) = (roots.as_object_mut(), of_handlers()) {
                    roots.extend(more);
                }
                Some(roots)
            }
            Route::Undeclared | Route::Refused => None,
        }
    }

    fn tasks(&self) -> Option<Value> {
        let of_tasks = [
            (Topic::SamplingTask, "sampling", "createMessage"),
            (Topic::FormTask, "elicitation", "create"),
            (Topic::UrlTask, "elicitation", "create"),
        ];
        let written = self.client.capabilities.get("tasks");
        let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut tasks = object(written);
        let mut requests = object(tasks.get("requests"));
        requests.retain(|kind, _| !["sampling", "elicitation"].contains(&kind.as_str()));
        for (topic, kind, request) in of_tasks {
            if self.declares(topic) {
                requests.insert(kind.to_owned(), json!({ request: {} }));
            }
        }
        tasks.remove("requests");
        if !requests.is_empty() {
            tasks.insert("requests".to_owned(), requests.into());
        }
        let routes = || of_tasks.iter().map(|(topic, ..)| self.route(*topic));
        // What the client declares of itself stays unless its tasks are switched off.
        let of_client = routes().any(|route| route.has_client() || route == Route::Undeclared);
        let sides = [(&self.client.capabilities, of_client), (self.handlers, routes().any(Route::has_handler))];
        for name in ["list", "cancel"] {
            let has = |(side, counts): &(&Value, bool)| *counts && side.pointer(&format!("/tasks/{name}")).is_some();
            if !sides.iter().any(has) {
                tasks.remove(name);
            } else if !tasks.contains_key(name) {
                tasks.insert(name.to_owned(), json!({}));
            }
        }
        let is_as_written = written.is_some_and(|written| written.as_object() == Some(&tasks));
        (!tasks.is_empty() || is_as_written).then(|| tasks.into())
    }
}
