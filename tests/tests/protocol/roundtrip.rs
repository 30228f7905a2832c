//! Every type of the protocol on its two ways: JSON to Rust and back, and Rust into a component and back.

use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use proptest::test_runner::{Config, TestRunner};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use taskcell::protocol::types::*;
use taskcell::protocol::{RequestBody, RequestParams};
use taskcell_test_support::guests::build_guest;
use taskcell_test_support::mcp;
use taskcell_test_support::shape::{Sample, Shape, write};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentType, Instance, InstancePre, Lift, Linker, Lower, TypedFunc,
};
use wasmtime::{Engine, Store};

/// Checks 64 samples of a shape.
fn check(shape: &Shape, noise: bool, test: impl Fn(&Sample)) {
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&shape.samples(noise), |sample| {
        test(&sample);
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What is sent is read, whatever the order of its members, and what is written is what must be left of it.
fn wire<T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug>(sample: &Sample) {
    for reversed in [false, true] {
        let value: T = read(&write(&sample.sent, reversed));
        let written = serde_json::to_string(&value).unwrap();
        assert_eq!(read::<Value>(&written), sample.kept, "{written}");
        assert_eq!(read::<T>(&written), value, "{written} is read as another value");
    }
}

/// A value comes back from a component as it went in.
fn guest<T>(function: &str, samples: &Shape)
where
    T: for<'de> Deserialize<'de> + PartialEq + Debug + Clone + ComponentType + Lower + Lift + Send + Sync + 'static,
{
    let (mut store, instance) = Echo::get().instantiate();
    let echo: TypedFunc<(T,), (T,)> = Echo::get().function(&mut store, &instance, function);
    let store = std::cell::RefCell::new(store);
    check(samples, false, |sample| {
        let value: T = read(&sample.sent.to_string());
        let (back,) = echo.call(&mut *store.borrow_mut(), (value.clone(),)).unwrap();
        assert_eq!(back, value);
    });
}

/// The guest that gives every value back.
struct Echo {
    engine: Engine,
    pre: InstancePre<()>,
    interface: ComponentExportIndex,
}

impl Echo {
    fn get() -> &'static Self {
        static ECHO: LazyLock<Echo> = LazyLock::new(|| {
            let path = build_guest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/echo")).unwrap();
            let engine = Engine::default();
            let component = Component::from_file(&engine, path).unwrap();
            let interface = component.get_export_index(None, "taskcell-tests:echo/echo").unwrap();
            Echo { pre: Linker::new(&engine).instantiate_pre(&component).unwrap(), engine, interface }
        });
        &ECHO
    }

    fn instantiate(&self) -> (Store<()>, Instance) {
        let mut store = Store::new(&self.engine, ());
        let instance = self.pre.instantiate(&mut store).unwrap();
        (store, instance)
    }

    fn function<P, R>(&self, store: &mut Store<()>, instance: &Instance, name: &str) -> TypedFunc<P, R>
    where
        P: wasmtime::component::ComponentNamedList + Lower,
        R: wasmtime::component::ComponentNamedList + Lift,
    {
        let index = self.pre.component().get_export_index(Some(&self.interface), name);
        instance.get_typed_func(store, index.unwrap_or_else(|| panic!("the guest has no {name}"))).unwrap()
    }
}

/// Tests of each type with the shape of its JSON: as MCP has it, with all that a peer may do differently, and through
/// the function of the guest where it has one.
macro_rules! types {
    ($($name:ident: $type:ty, $shape:expr $(, $function:literal)?;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn comes_back_as_json() {
                check(&$shape, false, |sample| {
                    assert_eq!(sample.sent, sample.kept);
                    wire::<$type>(sample);
                });
            }

            #[test]
            fn is_read_with_noise() {
                check(&$shape, true, wire::<$type>);
            }

            $(
                #[test]
                fn comes_back_from_a_guest() {
                    guest::<$type>($function, &$shape);
                }
            )?
        }
    )+};
}

types! {
    progress_token: ProgressToken, mcp::progress_token(), "echo-progress-token";
    implementation: Implementation, mcp::implementation(), "echo-implementation";
    icon: Icon, mcp::icon();
    rpc_error: RpcError, mcp::error(), "echo-rpc-error";
    role: Role, mcp::role();
    annotations: Annotations, mcp::annotations();
    text_resource: ResourceContents, mcp::text_resource_contents();
    blob_resource: ResourceContents, mcp::blob_resource_contents();
    text_block: ContentBlock, mcp::text_content(), "echo-content-block";
    image_block: ContentBlock, mcp::image_content(), "echo-content-block";
    audio_block: ContentBlock, mcp::audio_content(), "echo-content-block";
    resource_link_block: ContentBlock, mcp::resource_link(), "echo-content-block";
    embedded_resource_block: ContentBlock, mcp::embedded_resource(), "echo-content-block";
    text_content: SamplingContent, mcp::text_content(), "echo-sampling-content";
    image_content: SamplingContent, mcp::image_content(), "echo-sampling-content";
    audio_content: SamplingContent, mcp::audio_content(), "echo-sampling-content";
    tool_use_content: SamplingContent, mcp::tool_use_content(), "echo-sampling-content";
    tool_result_content: SamplingContent, mcp::tool_result_content(), "echo-sampling-content";
    sampling_message: SamplingMessage, mcp::sampling_message(), "echo-sampling-message";
    tool: Tool, mcp::tool(), "echo-tool";
    tool_execution: ToolExecution, mcp::tool_execution();
    tool_annotations: ToolAnnotations, mcp::tool_annotations();
    model_hint: ModelHint, mcp::model_hint();
    model_preferences: ModelPreferences, mcp::model_preferences(), "echo-model-preferences";
    tool_choice: ToolChoice, mcp::tool_choice();
    create_message_request: CreateMessageRequest, mcp::create_message_request(), "echo-create-message-request";
    create_message_result: CreateMessageResult, mcp::create_message_result(), "echo-create-message-result";
    string_schema: PrimitiveSchema, mcp::string_schema(), "echo-primitive-schema";
    number_schema: PrimitiveSchema, mcp::number_schema(), "echo-primitive-schema";
    integer_schema: PrimitiveSchema, mcp::integer_schema(), "echo-primitive-schema";
    offered_choices: PrimitiveSchema, mcp::offered_choices(), "echo-primitive-schema";
    boolean_schema: PrimitiveSchema, mcp::boolean_schema(), "echo-primitive-schema";
    untitled_single_select: PrimitiveSchema, mcp::untitled_single_select(), "echo-primitive-schema";
    titled_single_select: PrimitiveSchema, mcp::titled_single_select(), "echo-primitive-schema";
    untitled_multi_select: PrimitiveSchema, mcp::untitled_multi_select(), "echo-primitive-schema";
    titled_multi_select: PrimitiveSchema, mcp::titled_multi_select(), "echo-primitive-schema";
    legacy_titled_enum: PrimitiveSchema, mcp::legacy_titled_enum(), "echo-primitive-schema";
    other_schema: PrimitiveSchema, mcp::other_schema(), "echo-primitive-schema";
    enum_option: EnumOption, mcp::enum_option();
    requested_schema: RequestedSchema, mcp::requested_schema(), "echo-requested-schema";
    elicit_form: ElicitRequest, mcp::elicit_form(), "echo-elicit-request";
    elicit_url: ElicitRequest, mcp::elicit_url(), "echo-elicit-request";
    elicit_value: ElicitValue, mcp::elicit_value();
    elicit_result: ElicitResult, mcp::elicit_result(), "echo-elicit-result";
    root: Root, mcp::root();
    list_roots_result: ListRootsResult, mcp::list_roots_result(), "echo-list-roots-result";
    task_metadata: TaskMetadata, mcp::task_metadata(), "echo-task-metadata";
    task: Task, mcp::task(), "echo-task";
    create_task_result: CreateTaskResult, mcp::create_task_result(), "echo-create-task-result";
    task_result: TaskResult, mcp::task_result(), "echo-task-result";
    list_tasks_result: ListTasksResult, mcp::list_tasks_result(), "echo-list-tasks-result";
    task_input: TaskInput, mcp::task_input(), "echo-task-input";
    task_output: TaskOutput, mcp::task_output(), "echo-task-output";
}

/// Each word of an enumeration, and no other.
#[test]
fn words() {
    fn words<T: Serialize + for<'de> Deserialize<'de>>(words: &[&str]) {
        for word in words {
            let text = json!(word).to_string();
            assert_eq!(serde_json::to_string(&read::<T>(&text)).unwrap(), text);
            for other in [word.to_uppercase(), format!("{word} "), String::new()] {
                assert!(serde_json::from_str::<T>(&json!(other).to_string()).is_err(), "{other:?} was read");
            }
        }
    }
    words::<Role>(&["user", "assistant"]);
    words::<IconTheme>(&["light", "dark"]);
    words::<IncludeContext>(&["none", "thisServer", "allServers"]);
    words::<ToolChoiceMode>(&["auto", "required", "none"]);
    words::<TaskSupport>(&["forbidden", "optional", "required"]);
    words::<TaskStatus>(&["working", "input_required", "completed", "failed", "cancelled"]);
}

/// `request-context`, which only goes in: as the guest gives it back.
#[derive(Debug, PartialEq, ComponentType, Lift)]
#[component(record)]
struct ContextBack {
    #[component(name = "request-id")]
    request_id: String,
    #[component(name = "progress-token")]
    progress_token: Option<ProgressToken>,
    meta: Option<String>,
    server: Implementation,
    #[component(name = "protocol-version")]
    protocol_version: String,
    attempt: u32,
}

/// The context of a request reaches a component as it is, and the store.
#[test]
fn a_request_context_comes_back_from_a_guest() {
    use taskcell_test_support::shape::{optional, record, required};

    let shape = record([
        required("id", Shape::Any),
        optional("token", mcp::progress_token()),
        optional("meta", Shape::Object),
        required("server", mcp::implementation()),
        required("version", Shape::Text),
    ]);
    let (mut store, instance) = Echo::get().instantiate();
    let echo: TypedFunc<(RequestContext,), (ContextBack,)> =
        Echo::get().function(&mut store, &instance, "echo-request-context");
    let store = std::cell::RefCell::new(store);
    check(&shape, false, |Sample { sent, .. }| {
        let context = RequestContext {
            attempt: 7,
            request_id: sent["id"].to_string(),
            progress_token: sent.get("token").map(|token| read(&token.to_string())),
            meta: sent.get("meta").map(Value::to_string),
            server: Arc::new(read(&sent["server"].to_string())),
            protocol_version: sent["version"].as_str().unwrap().into(),
        };
        let expected = ContextBack {
            request_id: context.request_id.clone(),
            progress_token: context.progress_token.clone(),
            meta: context.meta.clone(),
            server: Implementation::clone(&context.server),
            protocol_version: context.protocol_version.to_string(),
            attempt: context.attempt,
        };
        assert_eq!(read::<RequestContext>(&serde_json::to_string(&context).unwrap()), context);
        let (back,) = echo.call(&mut *store.borrow_mut(), (context,)).unwrap();
        assert_eq!(back, expected);
    });
}

/// `task` and `_meta` stand among a request's own members, wherever they stand, and are not taken for them.
#[test]
fn parameters_come_apart() {
    fn apart<T: RequestBody + for<'de> Deserialize<'de> + PartialEq + Debug>(body: &Shape) {
        use taskcell_test_support::shape::{optional, record, required};

        let common = record([optional("task", mcp::task_metadata()), optional("token", mcp::progress_token())]);
        let shape =
            record([required("body", body.clone()), required("common", common), optional("meta", Shape::Object)]);
        check(&shape, false, |Sample { sent, .. }| {
            let token = sent["common"].get("token");
            let mut params = sent["body"].clone();
            let mut meta = sent.get("meta").cloned();
            if let Some(token) = token {
                meta.get_or_insert_with(|| json!({}))["progressToken"] = token.clone();
            }
            let task = sent["common"].get("task");
            params.as_object_mut().unwrap().extend(task.map(|task| ("task".to_owned(), task.clone())));
            params.as_object_mut().unwrap().extend(meta.iter().map(|meta| ("_meta".to_owned(), meta.clone())));
            for reversed in [false, true] {
                let read: RequestParams<T> = read(&write(&params, reversed));
                assert_eq!(read.body, self::read::<T>(&write(&sent["body"], reversed)));
                assert_eq!(read.task, task.map(|task| self::read(&task.to_string())));
                assert_eq!(read.meta, meta.as_ref().map(|meta| write(meta, reversed)));
                assert_eq!(read.progress_token, token.map(|token| self::read(&token.to_string())));
            }
        });
    }
    apart::<CreateMessageRequest>(&mcp::create_message_request());
    apart::<ElicitRequest>(&mcp::elicit_form());
    apart::<ElicitRequest>(&mcp::elicit_url());
}

/// JSON that the host does not look into keeps the order of its members and every digit and blank.
#[test]
fn free_json_is_kept_as_written() {
    let raw = r#"{"b":1.000000000000000000010,"a" : [1e308, -0, 123456789012345678901234567890], "\u0061":"\u00fc\/"}"#;
    let texts = [
        format!(r#"{{"roots":[],"_meta":{raw}}}"#),
        format!(r#"{{"type":"tool_use","id":"1","name":"n","input":{raw}}}"#),
        format!(r#"{{"name":"t","inputSchema":{raw},"outputSchema":{raw}}}"#),
        format!(r#"{{"type":"tool_result","toolUseId":"1","content":[],"structuredContent":{raw}}}"#),
        format!(r#"{{"messages":[],"maxTokens":1,"metadata":{raw}}}"#),
        format!(r#"{{"code":1,"message":"m","data":[{raw}]}}"#),
        format!(r#"{{"type":"object","properties":{{"n":{raw}}}}}"#),
        format!(r#"{{"custom":{raw}}}"#),
    ];
    fn again<T: Serialize + for<'de> Deserialize<'de>>(text: &str) -> String {
        serde_json::to_string(&read::<T>(text)).unwrap()
    }
    let written = [
        again::<ListRootsResult>(&texts[0]),
        again::<SamplingContent>(&texts[1]),
        again::<Tool>(&texts[2]),
        again::<SamplingContent>(&texts[3]),
        again::<CreateMessageRequest>(&texts[4]),
        again::<RpcError>(&texts[5]),
        again::<RequestedSchema>(&texts[6]),
        again::<TaskOutput>(&texts[7]),
    ];
    assert_eq!(written, texts);
}

/// The fields of a form and of an answer stay in the order in which they came.
#[test]
fn fields_stay_in_order() {
    let form = r#"{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"boolean"},"m":{"type":"string"}}}"#;
    let form_read: RequestedSchema = read(form);
    let names: Vec<_> = form_read.properties.iter().map(|property| property.name.as_str()).collect();
    assert_eq!(names, ["z", "a", "m"]);
    assert_eq!(serde_json::to_string(&form_read).unwrap(), form);
    let answer = r#"{"action":"accept","content":{"z":"1","a":true,"m":1}}"#;
    assert_eq!(serde_json::to_string(&read::<ElicitResult>(answer)).unwrap(), answer);
}

/// Whole numbers are written without a fraction, as a peer expects for a field of type `integer`.
#[test]
fn whole_numbers_have_no_fraction() {
    let written = |number| serde_json::to_string(&ElicitValue::Number(number)).unwrap();
    let rows =
        [(42.0, "42"), (-1.0, "-1"), (0.0, "0"), (-0.0, "0"), (0.5, "0.5"), (9007199254740992.0, "9007199254740992")];
    for (number, expected) in rows {
        assert_eq!(written(number), expected);
    }
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(serde_json::to_string(&ElicitValue::Number(number)).is_err(), "{number} was written");
        let preferences = ModelPreferences {
            hints: None,
            cost_priority: Some(number),
            speed_priority: None,
            intelligence_priority: None,
        };
        assert!(serde_json::to_string(&preferences).is_err(), "{number} was written");
    }
}

/// A number with a fraction keeps every digit that a double has.
#[test]
fn numbers_keep_every_digit() {
    let mut changed = Vec::new();
    for number in ["0.1", "0.30000000000000004", "0.9073038322028689", "0.48183792520110524", "123456789.12345679"] {
        let written = serde_json::to_string(&read::<ElicitValue>(number)).unwrap();
        if written != number {
            changed.push(format!("{number} became {written}"));
        }
    }
    assert!(changed.is_empty(), "{changed:?}");
}

/// A list of one is written as its one, which older servers know.
#[test]
fn one_content_is_no_list() {
    let one = json!({ "role": "user", "content": [{ "type": "text", "text": "a" }] });
    let written = serde_json::to_value(read::<SamplingMessage>(&one.to_string())).unwrap();
    assert_eq!(written, json!({ "role": "user", "content": { "type": "text", "text": "a" } }));
}

/// Text of a guest's that stands for JSON is checked before it goes out, and never breaks a line.
#[test]
fn json_of_a_guest_is_checked() {
    let written = |meta: &str| {
        serde_json::to_string(&ListRootsResult { roots: vec![], meta: Some(meta.to_owned()) })
            .map_err(|e| e.to_string())
    };
    assert_eq!(written("{\n\"a\":\r1\n}\n").unwrap(), r#"{"roots":[],"_meta":{ "a": 1 }}"#);
    let nested = |depth: usize| format!("{}{}", "{\"a\":".repeat(depth - 1) + "{", "}".repeat(depth));
    assert!(written(&nested(100)).is_ok());
    let too_deep = nested(101);
    for bad in ["", " ", "{", "}", "{]", "[]", "5", "null", "\"{}\"", "{} {}", "{}x", "{\"a\":}", "{'a':1}", &too_deep]
    {
        assert!(written(bad).is_err(), "{bad:?} was written");
    }
    for bad in ["", "{", "1 2", "nul", "\"a"] {
        let error = RpcError { code: 1, message: "m".to_owned(), data: Some(bad.to_owned()) };
        assert!(serde_json::to_string(&error).is_err(), "{bad:?} was written");
    }
}

/// A guest's answer with a name that comes twice is no JSON object.
#[test]
fn names_are_unique() {
    let entry = |text: &str| ElicitEntry { name: "n".to_owned(), value: ElicitValue::Text(text.to_owned()) };
    let twice = ElicitResult { action: ElicitAction::Accept(Some(vec![entry("a"), entry("b")])), meta: None };
    assert!(serde_json::to_string(&twice).is_err());
    let twice = r#"{"action":"accept","content":{"n":"a","n":"b"}}"#;
    assert!(serde_json::from_str::<ElicitResult>(twice).is_err());
}

/// What a type does not take, where a lenient reader could.
#[test]
fn what_does_not_fit_is_refused() {
    fn refuses<T: for<'de> Deserialize<'de> + Debug>(values: &[Value]) {
        for value in values {
            let read = serde_json::from_str::<T>(&value.to_string());
            assert!(read.is_err(), "{value} was read as {read:?}");
        }
    }
    let task =
        |ttl: Value| json!({ "taskId": "t", "status": "working", "createdAt": "c", "lastUpdatedAt": "l", "ttl": ttl });
    let mut without_ttl = task(json!(1));
    without_ttl.as_object_mut().unwrap().remove("ttl");
    refuses::<Task>(&[without_ttl.clone(), task(json!(-1)), task(json!(0.5)), task(json!("1")), task(json!(-1e300))]);
    refuses::<TaskResult>(&[without_ttl, task(json!(-1))]);
    refuses::<TaskMetadata>(&[
        json!({ "ttl": -1 }),
        json!({ "ttl": 1.5 }),
        json!({ "ttl": "1" }),
        json!({ "ttl": true }),
    ]);
    refuses::<ProgressToken>(&[json!(1.5), json!(null), json!({}), json!([]), json!(true)]);
    refuses::<ContentBlock>(&[
        json!({ "text": "a" }),
        json!({ "type": "tool_use", "id": "1", "name": "n", "input": {} }),
        json!({ "type": "resource", "resource": { "uri": "u" } }),
        json!({ "type": "resource", "resource": { "uri": "u", "text": 5 } }),
        json!({ "type": null, "text": "a" }),
    ]);
    refuses::<SamplingContent>(&[json!({ "type": "resource_link", "uri": "u", "name": "n" })]);
    refuses::<ElicitValue>(&[json!(null), json!({}), json!([1]), json!(["a", null])]);
    refuses::<ElicitResult>(&[
        json!({}),
        json!({ "action": "Accept" }),
        json!({ "action": "accept", "content": { "n": null } }),
        json!({ "action": "accept", "content": [] }),
    ]);
    refuses::<PrimitiveSchema>(&[
        json!("string"),
        json!(null),
        json!({ "type": "string", "maxLength": -1 }),
        json!({ "type": "boolean", "default": "yes" }),
        json!({ "type": "integer", "default": "5" }),
    ]);
    refuses::<TaskOutput>(&[json!({}), json!({ "custom": [] }), json!({ "other": {} })]);
}

/// Arrays of what is no text are outside of MCP's subset, however `items` is written.
#[test]
fn items_may_be_anything() {
    for items in [json!(true), json!(false), json!([]), json!([{ "type": "string" }]), json!({ "enum": null })] {
        let schema = json!({ "type": "array", "items": items }).to_string();
        let read = serde_json::from_str::<PrimitiveSchema>(&schema);
        let other = matches!(&read, Ok(PrimitiveSchema::Other(text)) if *text == schema);
        assert!(other, "{schema} was read as {read:?}");
    }
}

/// A mode of null is no mode, as it is for every other member that may be absent.
#[test]
fn a_mode_may_be_null() {
    let form = json!({ "mode": null, "message": "m", "requestedSchema": { "type": "object", "properties": {} } });
    assert!(matches!(serde_json::from_str(&form.to_string()), Ok(ElicitRequest::Form(_))));
}

/// Tags are read with escapes, too.
#[test]
fn tags_may_be_escaped() {
    let text = r#"{"\u0074ype":"te\u0078t","text":"a"}"#;
    assert!(matches!(read::<ContentBlock>(text), ContentBlock::Text(_)));
    let form = r#"{"m\u006fde":"\u0075rl","message":"m","url":"u","elicitationId":"e"}"#;
    assert!(matches!(read::<ElicitRequest>(form), ElicitRequest::Url(_)));
}
