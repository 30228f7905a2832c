//! Plan of one session: who answers what, and what the server is told of it. It is made when the client initializes,
//! and does not change.

use serde_json::Value;

use crate::dead_clients::{self, DeadClient};
use crate::declare;
use crate::policy::{Policy, Rule, TOPICS, Topic};
use crate::route::{ClientFacts, PlanRow, Route, is_current};

/// Plan of a session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// A row for each [`Topic`], in order.
    pub rows: Vec<PlanRow>,
    /// Capabilities that are declared to the server in place of the client's.
    pub declared: Value,
    /// Whether handlers take requests about tasks: `tasks/get` and the like.
    pub handler_tasks: bool,
    /// Whether both the client and handlers list tasks.
    pub(crate) merges_lists: bool,
}

impl Plan {
    /// Makes the plan for a client, given the capabilities of the handlers.
    #[must_use]
    pub fn new(client: &ClientFacts, handlers: &Value, policy: &Policy, dead: &[DeadClient]) -> Self {
        let rows: Vec<_> = TOPICS.iter().map(|info| row(client, handlers, policy, dead, info.topic)).collect();
        let handler_tasks = rows.iter().any(|row| row.topic.is_task() && row.route.has_handler());
        let client_tasks = rows.iter().any(|row| row.topic.is_task() && row.route.has_client());
        let list = |capabilities: &Value| capabilities.pointer("/tasks/list").is_some();
        let merges_lists = handler_tasks && client_tasks && list(handlers) && list(&client.capabilities);
        let declared = declare::declared(&rows, client, handlers);
        Self { rows, declared, handler_tasks, merges_lists }
    }

    /// Plan for a client that cannot be read: everything passes.
    pub(crate) fn transparent() -> Self {
        let row = |topic| PlanRow { topic, rule: Rule::Client, route: Route::Undeclared, why: String::new() };
        let rows = TOPICS.iter().map(|info| row(info.topic)).collect();
        Self { rows, declared: Value::Null, handler_tasks: false, merges_lists: false }
    }

    /// Rule and route of a topic.
    pub(crate) fn of(&self, topic: Topic) -> (Rule, Route) {
        self.rows.get(topic as usize).map_or((Rule::Client, Route::Undeclared), |row| (row.rule, row.route))
    }
}

fn row(client: &ClientFacts, handlers: &Value, policy: &Policy, dead: &[DeadClient], topic: Topic) -> PlanRow {
    let info = topic.info();
    let rule = policy.rule(topic);
    let client_can = topic.is_in(&client.capabilities);
    let is_later = topic.is_task() || matches!(topic, Topic::SamplingTools | Topic::Url);
    let too_old = is_later && !is_current(&client.revision);
    let exported = topic.is_in(handlers);
    let handler_can = exported && !too_old;
    // A client that does not answer the plain question does not answer it as a task either.
    let keys = [Some(info.key), info.base.map(|base| base.info().key)];
    let dead = keys.into_iter().flatten().find_map(|key| dead_clients::why(dead, &client.name, key));
    let handler = || match (exported, too_old) {
        (true, true) => {
            format!("a handler exports it, and the client asked for {}, which does not have it", client.revision)
        }
        (true, false) => "a handler exports it".to_owned(),
        (false, _) => "no handler exports it".to_owned(),
    };
    let (route, why) = match (rule, client_can, handler_can) {
        (Rule::Off | Rule::Person, ..) => (Route::Refused, "switched off".to_owned()),
        (Rule::Auto, true, _) if let Some(source) = dead => {
            let route = if handler_can { Route::Handler } else { Route::Refused };
            (route, format!("{} declares it and never answers ({source}); {}", client.name, handler()))
        }
        (Rule::Auto, true, true) => {
            (Route::ClientThenHandler, "the client declared it; a handler exports it, too".to_owned())
        }
        (Rule::Auto | Rule::Client, true, _) => (Route::Client, "the client declared it".to_owned()),
        (Rule::Auto, false, true) => (Route::Handler, "the client did not declare it; a handler exports it".to_owned()),
        (Rule::Auto, false, false) => (Route::Undeclared, format!("the client did not declare it; {}", handler())),
        (Rule::Client, false, _) => (Route::Undeclared, "the client did not declare it".to_owned()),
        (Rule::Handler, _, true) => (Route::Handler, handler()),
        (Rule::Handler, _, false) => (Route::Refused, handler()),
        (Rule::HandlerThenClient, true, true) => {
            (Route::HandlerThenClient, "a handler exports it; the client declared it, too".to_owned())
        }
        (Rule::HandlerThenClient, false, true) => (Route::Handler, "a handler exports it".to_owned()),
        (Rule::HandlerThenClient, true, false) => (Route::Client, format!("the client declared it; {}", handler())),
        (Rule::HandlerThenClient, false, false) => {
            (Route::Undeclared, format!("the client did not declare it; {}", handler()))
        }
    };
    PlanRow { topic, rule, route, why }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::route::REVISION as R;

    fn facts(name: &str, revision: &str, capabilities: Value) -> ClientFacts {
        ClientFacts { name: name.to_owned(), revision: revision.to_owned(), capabilities }
    }

    fn policy(rules: &[(&str, Rule)]) -> Policy {
        let mut policy = Policy::default();
        for (key, rule) in rules {
            policy.set(key, *rule).unwrap();
        }
        policy
    }

    /// Client × handlers × policy -> what is declared, and the routes that are not `Undeclared`.
    #[test]
    fn the_server_hears_what_is_answered() {
        let none = || json!({});
        let all = || json!({ "sampling": { "tools": {} }, "elicitation": { "form": {}, "url": {} }, "roots": {} });
        let tasks = || json!({ "list": {}, "cancel": {}, "requests": { "sampling": { "createMessage": {} }, "elicitation": { "create": {} } } });
        let bare = || json!({ "elicitation": {} });
        use Route::{Client, ClientThenHandler, Handler, HandlerThenClient, Refused};
        use Topic::{Form, Roots, Sampling, SamplingTools, Url};
        #[rustfmt::skip]
        #[allow(clippy::type_complexity, reason = "a table")]
        let table: Vec<(ClientFacts, Value, Policy, Value, Vec<(Topic, Route)>)> = vec![
            // Nothing to add: as without a gateway.
            (facts("x", R, none()), none(), policy(&[]), none(), vec![]),
            (facts("x", R, all()), none(), policy(&[]), all(), vec![(Sampling, Client), (SamplingTools, Client), (Form, Client), (Url, Client), (Roots, Client)]),
            // A weak client gets what the handlers export.
            (facts("x", R, none()), all(), policy(&[]), all(), vec![(Sampling, Handler), (SamplingTools, Handler), (Form, Handler), (Url, Handler), (Roots, Handler)]),
            // A form-only client, whose bare object stays one unless a mode is added.
            (facts("x", R, bare()), none(), policy(&[]), bare(), vec![(Form, Client)]),
            (facts("x", R, bare()), all(), policy(&[]), all(), vec![(Sampling, Handler), (SamplingTools, Handler), (Form, ClientThenHandler), (Url, Handler), (Roots, Handler)]),
            // An older revision: the least is declared.
            (facts("x", "2025-06-18", none()), all(), policy(&[]), json!({ "sampling": {}, "elicitation": {}, "roots": {} }), vec![(Sampling, Handler), (Form, Handler), (Roots, Handler)]),
            // Unknown members and other capabilities stay.
            (facts("x", R, json!({ "experimental": { "a": 1 }, "roots": { "listChanged": true }, "sampling": { "later": {} } })), json!({ "elicitation": { "form": {} } }), policy(&[]),
                json!({ "experimental": { "a": 1 }, "roots": { "listChanged": true }, "sampling": { "later": {} }, "elicitation": { "form": {} } }), vec![(Sampling, Client), (Form, Handler), (Roots, Client)]),
            // Explicit rules.
            (facts("x", R, all()), none(), policy(&[("sampling", Rule::Off), ("roots", Rule::Handler)]), json!({ "elicitation": { "form": {}, "url": {} } }), vec![(Sampling, Refused), (SamplingTools, Refused), (Topic::SamplingContext, Refused), (Form, Client), (Url, Client), (Roots, Refused), (Topic::SamplingTask, Refused)]),
            (facts("x", R, all()), json!({ "sampling": {} }), policy(&[("sampling", Rule::Handler), ("sampling-tools", Rule::Client)]), all(), vec![(Sampling, Handler), (SamplingTools, Client), (Form, Client), (Url, Client), (Roots, Client), (Topic::SamplingContext, Refused), (Topic::SamplingTask, Refused)]),
            (facts("x", R, json!({ "roots": { "listChanged": true } })), json!({ "roots": {}, "sampling": {} }), policy(&[("roots", Rule::HandlerThenClient), ("sampling", Rule::Client)]), json!({ "roots": { "listChanged": true } }), vec![(Roots, HandlerThenClient)]),
            (facts("x", R, json!({ "roots": { "listChanged": true } })), json!({ "roots": {} }), policy(&[("roots", Rule::Handler)]), json!({ "roots": {} }), vec![(Roots, Handler)]),
            // A client that declares forms and never draws them.
            (facts("claude-ai", R, bare()), json!({ "elicitation": { "form": {} } }), policy(&[]), json!({ "elicitation": { "form": {} } }), vec![(Form, Handler)]),
            (facts("claude-ai", R, bare()), none(), policy(&[]), none(), vec![(Form, Refused)]),
            (facts("claude-ai", R, bare()), none(), policy(&[("elicitation-form", Rule::Client)]), bare(), vec![(Form, Client)]),
            // Tasks of both, and of one.
            (facts("x", R, json!({ "sampling": {}, "tasks": { "list": {}, "requests": { "sampling": { "createMessage": {} } } } })), json!({ "elicitation": { "form": {} }, "tasks": tasks() }), policy(&[]),
                json!({ "sampling": {}, "elicitation": { "form": {} }, "tasks": tasks() }), vec![(Sampling, Client), (Form, Handler), (Topic::SamplingTask, ClientThenHandler), (Topic::FormTask, Handler)]),
            (facts("x", R, json!({ "sampling": {} })), json!({ "sampling": {}, "tasks": tasks() }), policy(&[("tasks", Rule::Off)]), json!({ "sampling": {} }), vec![(Sampling, ClientThenHandler), (Topic::SamplingTask, Refused), (Topic::FormTask, Refused), (Topic::UrlTask, Refused)]),
        ];
        for (client, handlers, policy, declared, mut routes) in table {
            let plan = Plan::new(&client, &handlers, &policy, &dead_clients::shipped());
            assert_eq!(plan.declared, declared, "{client:?} {handlers} {policy:?}");
            let found: Vec<_> = plan
                .rows
                .iter()
                .filter(|row| row.route != Route::Undeclared)
                .map(|row| (row.topic, row.route))
                .collect();
            routes.sort_by_key(|(topic, _)| *topic);
            assert_eq!(found, routes, "{client:?} {handlers} {policy:?}");
        }
    }

    #[test]
    fn lists_are_merged_only_where_both_have_one() {
        let tasks =
            json!({ "sampling": {}, "tasks": { "list": {}, "requests": { "sampling": { "createMessage": {} } } } });
        let client = facts("x", R, tasks.clone());
        let plan = |handlers: &Value, policy: &Policy| Plan::new(&client, handlers, policy, &[]);
        let both = plan(&tasks, &Policy::default());
        assert!(both.merges_lists && both.handler_tasks);
        let of_client = plan(&json!({}), &Policy::default());
        assert!(!of_client.merges_lists && !of_client.handler_tasks);
        let of_handler = plan(&tasks, &policy(&[("tasks", Rule::Handler)]));
        assert!(!of_handler.merges_lists && of_handler.handler_tasks);
    }
}
