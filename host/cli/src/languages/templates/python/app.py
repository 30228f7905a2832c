"""A handler: it answers what an MCP server asks of its client."""

#[[ background
from componentize_py_types import Err
#]]
from wit_world import exports
#[[ get-task get-task-result list-tasks cancel-task augmented-sampling augmented-elicitation
from wit_world.imports import tasks
#]]
from wit_world.imports import types
#[[ sampling


class Sampling(exports.Sampling):
    def handle(self, context: types.RequestContext, request: types.CreateMessageRequest) -> types.CreateMessageResult:
        return answer(request)
#]]
#[[ elicitation


class Elicitation(exports.Elicitation):
    def handle(self, context: types.RequestContext, request: types.ElicitRequest) -> types.ElicitResult:
        return ask(request)
#]]
#[[ roots


class Roots(exports.Roots):
    def handle(self, context: types.RequestContext) -> types.ListRootsResult:
        return types.ListRootsResult([types.Root("file:///workspace", "workspace", meta=None)], meta=None)
#]]
#[[ augmented-sampling


class AugmentedSampling(exports.AugmentedSampling):
    def handle(
        self, context: types.RequestContext, task: types.TaskMetadata, request: types.CreateMessageRequest
    ) -> types.CreateTaskResult:
        return start(task, types.TaskInput_Sampling(request))
#]]
#[[ augmented-elicitation


class AugmentedElicitation(exports.AugmentedElicitation):
    def handle(
        self, context: types.RequestContext, task: types.TaskMetadata, request: types.ElicitRequest
    ) -> types.CreateTaskResult:
        return start(task, types.TaskInput_Elicitation(request))
#]]
#[[ background


class Background(exports.Background):
    def run(self, context: types.RequestContext, task: types.Task, input: types.TaskInput) -> types.TaskOutput:
        match input:
            #[[ augmented-sampling
            case types.TaskInput_Sampling(request):
                return types.TaskOutput_Sampling(answer(request))
            #]]
            #[[ augmented-elicitation
            case types.TaskInput_Elicitation(request):
                return types.TaskOutput_Elicitation(ask(request))
            #]]
            case _:
                raise Err(types.RpcError(-32603, "No such work is spawned", None))
#]]
#[[ get-task


class GetTask(exports.GetTask):
    def handle(self, context: types.RequestContext, task_id: str) -> types.TaskResult:
        return types.TaskResult(tasks.get(task_id), meta=None)
#]]
#[[ get-task-result


class GetTaskResult(exports.GetTaskResult):
    def handle(self, context: types.RequestContext, task_id: str) -> types.TaskOutput:
        return tasks.wait_for_result(task_id)
#]]
#[[ list-tasks


class ListTasks(exports.ListTasks):
    def handle(self, context: types.RequestContext, cursor: str | None) -> types.ListTasksResult:
        return tasks.list(cursor)
#]]
#[[ cancel-task


class CancelTask(exports.CancelTask):
    def handle(self, context: types.RequestContext, task_id: str) -> types.TaskResult:
        return types.TaskResult(tasks.cancel(task_id), meta=None)
#]]
#[[ sampling augmented-sampling


def answer(request: types.CreateMessageRequest) -> types.CreateMessageResult:
    """Quotes the last thing that the user said. An error is `raise Err(types.RpcError(code, message, data))`."""
    said = [content for message in request.messages if message.role == types.Role.USER for content in message.content]
    texts = [content.value.text for content in said if isinstance(content, types.SamplingContent_Text)]
    text = types.TextContent(f"You said: {texts[-1] if texts else ''}", annotations=None, meta=None)
    return types.CreateMessageResult(
        types.Role.ASSISTANT, [types.SamplingContent_Text(text)], "fixed", "endTurn", meta=None
    )
#]]
#[[ elicitation augmented-elicitation


def ask(request: types.ElicitRequest) -> types.ElicitResult:
    """Says no. To ask the person at the client, import `user` in wit/world.wit and return `user.elicit(request)`."""
    return types.ElicitResult(types.ElicitAction_Decline(), meta=None)
#]]
#[[ background


def start(metadata: types.TaskMetadata, input: types.TaskInput) -> types.CreateTaskResult:
    """Makes a task whose work `Background` does once this answer is out."""
    task = tasks.create(metadata, tasks.TaskOptions(poll_interval=None, status_message=None))
    tasks.spawn(task.task_id, input)
    return types.CreateTaskResult(task, meta=None)
#]]
