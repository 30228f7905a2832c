"""Answers all nine kinds of request, and works on tasks in the background.

What it says depends on the request alone, and is the same in each language that has an example `*-everything`.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import model, progress, tasks, types, user


class Sampling(exports.Sampling):
    def handle(self, context: types.RequestContext, request: types.CreateMessageRequest) -> types.CreateMessageResult:
        return sample(request)


class Elicitation(exports.Elicitation):
    def handle(self, context: types.RequestContext, request: types.ElicitRequest) -> types.ElicitResult:
        return elicit(request)


class Roots(exports.Roots):
    def handle(self, context: types.RequestContext) -> types.ListRootsResult:
        named = types.Root("file:///everything", "everything", meta=None)
        return types.ListRootsResult([named, types.Root("file:///tmp/%C3%A9", None, meta=None)], meta=None)


class AugmentedSampling(exports.AugmentedSampling):
    def handle(self, context, task: types.TaskMetadata, request: types.CreateMessageRequest) -> types.CreateTaskResult:
        return begin(task, types.TaskInput_Sampling(request))


class AugmentedElicitation(exports.AugmentedElicitation):
    def handle(self, context, task: types.TaskMetadata, request: types.ElicitRequest) -> types.CreateTaskResult:
        return begin(task, types.TaskInput_Elicitation(request))


class Background(exports.Background):
    def run(self, context: types.RequestContext, task: types.Task, input: types.TaskInput) -> types.TaskOutput:
        progress.report(1, 2, "half")
        match input:
            case types.TaskInput_Sampling(request):
                return types.TaskOutput_Sampling(sample(request))
            case types.TaskInput_Elicitation(request):
                return types.TaskOutput_Elicitation(elicit(request))
            case types.TaskInput_Custom(json):
                return types.TaskOutput_Custom(json)


class GetTask(exports.GetTask):
    def handle(self, context: types.RequestContext, task_id: str) -> types.TaskResult:
        return types.TaskResult(tasks.get(task_id), meta=None)


class GetTaskResult(exports.GetTaskResult):
    def handle(self, context: types.RequestContext, task_id: str) -> types.TaskOutput:
        return tasks.wait_for_result(task_id)


class ListTasks(exports.ListTasks):
    def handle(self, context: types.RequestContext, cursor: str | None) -> types.ListTasksResult:
        return tasks.list(cursor)


class CancelTask(exports.CancelTask):
    def handle(self, context: types.RequestContext, task_id: str) -> types.TaskResult:
        return types.TaskResult(tasks.cancel(task_id), meta=None)


def begin(metadata: types.TaskMetadata, input: types.TaskInput) -> types.CreateTaskResult:
    """Makes a task and hands its work to the background."""
    task = tasks.create(metadata, tasks.TaskOptions(poll_interval=100, status_message="begun"))
    tasks.spawn(task.task_id, input)
    return types.CreateTaskResult(task, meta=None)


def sample(request: types.CreateMessageRequest) -> types.CreateMessageResult:
    """The last text of the user says what is answered."""
    match last_user_text(request.messages):
        case "reject":
            raise Err(types.RpcError(-1, "User rejected sampling request", '{"by":"everything"}'))
        case "trap":
            raise RuntimeError("trap")
        case text if text.startswith("ask"):
            return model.create_message(request)
        case "image":
            contents = [content for message in request.messages for content in message.content]
            images = [content for content in contents if isinstance(content, types.SamplingContent_Image)]
            return said(images[:1], "endTurn")
        case "tool":
            uses = [types.ToolUseContent("call-1", tool.name, '{"n":1}', meta=None) for tool in request.tools or []]
            return said([types.SamplingContent_ToolUse(use) for use in uses[:1]], "toolUse")
        case text:
            text = f"{len(request.messages)} messages, at most {request.max_tokens} tokens: {text}"
            if request.temperature is not None:
                text += f" at {request.temperature * 100:.0f}"
            return said([types.SamplingContent_Text(types.TextContent(text, annotations=None, meta=None))], "endTurn")


def said(content: list[types.SamplingContent], stop_reason: str) -> types.CreateMessageResult:
    return types.CreateMessageResult(types.Role.ASSISTANT, content, "everything", stop_reason, meta=None)


def last_user_text(messages: list[types.SamplingMessage]) -> str:
    """The last text in the last message of the user; empty when there is none."""
    said = [message.content for message in messages if message.role == types.Role.USER]
    texts = [content.value.text for content in (said or [[]])[-1] if isinstance(content, types.SamplingContent_Text)]
    return (texts or [""])[-1]


def elicit(request: types.ElicitRequest) -> types.ElicitResult:
    """The message says what is done, and a form is filled from its schema."""
    match request.value.message:
        case "reject":
            raise Err(types.RpcError(-1, "User rejected elicitation request", None))
        case "trap":
            raise RuntimeError("trap")
        case message if message.startswith("ask"):
            return user.elicit(request)
        case "decline":
            action = types.ElicitAction_Decline()
        case "cancel":
            action = types.ElicitAction_Cancel()
        case _ if isinstance(request, types.ElicitRequest_Url):
            action = types.ElicitAction_Accept(None)
        case _:
            action = types.ElicitAction_Accept(fill(request.value.requested_schema))
    return types.ElicitResult(action, meta=None)


def fill(schema: types.RequestedSchema) -> list[types.ElicitEntry]:
    """An answer to each field that can be answered, in the order of the form."""
    values = [(field.name, value(field.schema)) for field in schema.properties]
    return [types.ElicitEntry(name, value) for name, value in values if value is not None]


def value(schema: types.PrimitiveSchema) -> types.ElicitValue | None:
    """The field's default, else something of its type; none where the type is not known or there is no choice."""
    text, number, many = types.ElicitValue_Text, types.ElicitValue_Number, types.ElicitValue_TextList
    match schema:
        case types.PrimitiveSchema_Text(field):
            return text(default(field, "text"))
        case types.PrimitiveSchema_Number(field):
            return number(default(field, 1.5))
        case types.PrimitiveSchema_Integer(field):
            return number(default(field, 3.0))
        case types.PrimitiveSchema_Boolean(field):
            return types.ElicitValue_Boolean(default(field, True))
        case types.PrimitiveSchema_UntitledMultiSelect(field):
            return many(default(field, field.values[:1]))
        case types.PrimitiveSchema_TitledMultiSelect(field):
            return many(default(field, [option.value for option in field.options[:1]]))
        case types.PrimitiveSchema_TitledSingleSelect(field):
            first = default(field, next((option.value for option in field.options), None))
        case types.PrimitiveSchema_UntitledSingleSelect(field) | types.PrimitiveSchema_LegacyTitledEnum(field):
            first = default(field, next(iter(field.values), None))
        case _:
            return None
    return None if first is None else text(first)


def default(field, otherwise):
    return otherwise if field.default is None else field.default
