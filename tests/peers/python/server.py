"""An MCP server whose tools ask the client: the server-side half of the tests against the Python SDK.

It speaks over stdio and sends each request as the SDK's own session does, so what the client is asked is what real
servers ask. A tool's text is `OK {json}` with exactly the fields that the client sent, or, with `isError`, `ERROR
{json}`: code, message and data of the client's error (or of the SDK's own, -32600 for a task the client did not
declare), and code null for whatever else went wrong, such as an answer that does not validate.
"""

import json
import warnings

import anyio
import mcp.server.stdio
from mcp import types
from mcp.server import Server
from mcp.server.session import ServerSession
from mcp.shared.exceptions import McpError

# The SDK announces the end of its task API at each use; here that is noise on the test's stderr.
warnings.filterwarnings("ignore", category=DeprecationWarning)

SERVER = Server("taskcell-peer")
FORM = {
    "type": "object",
    "properties": {"confirm": {"type": "boolean"}, "note": {"type": "string"}},
    "required": ["confirm"],
}


def messages(text: str) -> list[types.SamplingMessage]:
    return [types.SamplingMessage(role="user", content=types.TextContent(type="text", text=text))]


def fields(result: types.Result) -> dict:
    # Unset fields are left out, so that a null the client sent can be told from a field it left out.
    return result.model_dump(mode="json", by_alias=True, exclude_unset=True)


async def ask(session: ServerSession, request: types.Request, answer: type[types.Result]):
    return await session.send_request(types.ServerRequest(request), answer)


async def sample_plain(session: ServerSession, text: str = "Say hi") -> dict:
    """Plain sampling."""
    return fields(await session.create_message(messages(text), max_tokens=50))


async def elicit_plain(session: ServerSession, text: str = "Confirm?") -> dict:
    """Plain form elicitation."""
    return fields(await session.elicit_form(text, FORM))


async def elicit_url(session: ServerSession, text: str = "Open", url: str = "https://example.com/a") -> dict:
    """URL elicitation, then the notification that it is complete."""
    result = await session.elicit_url(text, url, elicitation_id="e-1")
    await session.send_elicit_complete("e-1")
    return fields(result)


async def roots(session: ServerSession) -> dict:
    """The client's roots."""
    return fields(await session.list_roots())


async def sample_as_task(session: ServerSession, text: str = "Say hi", ttl: int = 60000) -> dict:
    """Sampling as a task: create, poll until final, fetch the result."""
    return fields(
        await session.experimental.create_message_as_task(
            messages(text), max_tokens=50, ttl=ttl, system_prompt="sys", temperature=0.3
        )
    )


async def elicit_as_task(session: ServerSession, text: str = "Confirm?", ttl: int = 60000) -> dict:
    """Form elicitation as a task: create, poll until final, fetch the result."""
    return fields(await session.experimental.elicit_as_task(text, FORM, ttl=ttl))


async def list_and_cancel(session: ServerSession, text: str = "Say hi", ttl: int = 30000) -> dict:
    """Creates a sampling task, finds it in the list, cancels it, sees that it is and stays cancelled."""
    # The SDK's session has no call for these steps: it only knows tasks that it waits for.
    params = types.CreateMessageRequestParams(messages=messages(text), maxTokens=5, task=types.TaskMetadata(ttl=ttl))
    created = await ask(session, types.CreateMessageRequest(params=params), types.CreateTaskResult)
    task_id = created.task.taskId

    listed = []
    page = None
    while page is None or page.nextCursor:
        cursor = types.PaginatedRequestParams(cursor=page.nextCursor) if page else None
        page = await ask(session, types.ListTasksRequest(params=cursor), types.ListTasksResult)
        listed += [task.taskId for task in page.tasks]
    if task_id not in listed:
        raise RuntimeError(f"task {task_id} is not among the listed {listed}")

    cancel = types.CancelTaskRequest(params=types.CancelTaskRequestParams(taskId=task_id))
    cancelled = await ask(session, cancel, types.CancelTaskResult)
    seen = await session.experimental.get_task(task_id)
    if (cancelled.status, seen.status) != ("cancelled", "cancelled"):
        raise RuntimeError(f"after tasks/cancel: {cancelled.status}, after tasks/get: {seen.status}")
    try:
        again = fields(await ask(session, cancel, types.CancelTaskResult))
    except McpError as error:
        again = fields(error.error)
    return {"created": fields(created.task), "listed": len(listed), "cancelled": fields(seen), "cancel_again": again}


ASKS = [sample_plain, elicit_plain, elicit_url, roots, sample_as_task, elicit_as_task, list_and_cancel]
TOOLS = {tool.__name__: tool for tool in ASKS}
ARGUMENTS = {str: "string", int: "integer"}


@SERVER.list_tools()
async def list_tools() -> list[types.Tool]:
    tools = []
    for name, tool in TOOLS.items():
        properties = {
            argument: {"type": ARGUMENTS[kind]}
            for argument, kind in tool.__annotations__.items()
            if kind in ARGUMENTS
        }
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        tools.append(types.Tool(name=name, description=tool.__doc__, inputSchema=schema))
    return tools


@SERVER.call_tool()
async def call_tool(name: str, arguments: dict) -> types.CallToolResult:
    try:
        if name not in TOOLS:
            raise RuntimeError(f"no tool {name}")
        answer, failed = await TOOLS[name](SERVER.request_context.session, **arguments), False
    except McpError as error:
        answer, failed = fields(error.error), True
    except Exception as error:
        answer, failed = {"code": None, "message": f"{type(error).__name__}: {error}"}, True
    text = ("ERROR " if failed else "OK ") + json.dumps(answer)
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], isError=failed)


async def main() -> None:
    async with mcp.server.stdio.stdio_server() as (read, write):
        await SERVER.run(read, write, SERVER.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
