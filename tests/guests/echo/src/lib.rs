//! Gives every type of the handler protocol back as it came, for the host's test of its own Rust types.

wit_bindgen::generate!({ world: "taskcell-tests:echo/guest", path: ["../../../wit", "wit"], generate_all });

use exports::taskcell_tests::echo::echo::*;

struct Echo;

/// Implements the interface by one function per type that returns its argument.
macro_rules! echo {
    ($($function:ident: $type:ty,)*) => {
        impl Guest for Echo {
            $(fn $function(value: $type) -> $type {
                value
            })*
        }
    };
}

echo! {
    echo_progress_token: ProgressToken,
    echo_implementation: Implementation,
    echo_request_context: RequestContext,
    echo_rpc_error: RpcError,
    echo_content_block: ContentBlock,
    echo_sampling_content: SamplingContent,
    echo_sampling_message: SamplingMessage,
    echo_tool: Tool,
    echo_model_preferences: ModelPreferences,
    echo_create_message_request: CreateMessageRequest,
    echo_create_message_result: CreateMessageResult,
    echo_primitive_schema: PrimitiveSchema,
    echo_requested_schema: RequestedSchema,
    echo_elicit_request: ElicitRequest,
    echo_elicit_result: ElicitResult,
    echo_list_roots_result: ListRootsResult,
    echo_task_metadata: TaskMetadata,
    echo_task: Task,
    echo_create_task_result: CreateTaskResult,
    echo_task_result: TaskResult,
    echo_list_tasks_result: ListTasksResult,
    echo_task_input: TaskInput,
    echo_task_output: TaskOutput,
}

export!(Echo);
