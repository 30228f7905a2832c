"""An MCP server whose tools ask the client: the server-side half of the tests against the Python SDK.

It speaks over stdio, or over streamable HTTP on the port that the environment names as PORT, and sends each request as the SDK's own session does, so what the client is asked is what real
servers ask. A tool's text is `OK {json}` with exactly the fields that the client sent, or, with `isError`, `ERROR
{json}`: code, message and data of the client's error (or of the SDK's own, -32600 for a task the client did not
declare), and code null for whatever else went wrong, such as an answer that does not validate. server.mjs has the
same tools.
"""

import itertools
import json
import logging
import os
import uuid
import warnings

import anyio
import mcp.server.stdio
import uvicorn
from mcp import types
from mcp.server import Server
from mcp.server.session import ServerSession
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import McpError
from mcp.shared.experimental.tasks.helpers import is_terminal

# The SDK announces the end of its task API at each use; here that is noise on the test's stderr.
warnings.filterwarnings("ignore", category=DeprecationWarning)

SERVER = Server("taskcell-peer")
FORM = {
    "type": "object",
    "properties": {"confirm": {"type": "boolean"}, "note": {"type": "string"}},
    "required": ["confirm"],
}
# Past its time to live by so many seconds a task must be gone.
MARGIN = 0.1
# Every progress notification that came, in order.
PROGRESS: list[types.ProgressNotificationParams] = []
# The last status that each task was notified of.
NOTIFIED: dict[str, str] = {}
# What the SDK found wrong with the client's messages.
COMPLAINTS: list[str] = []
# The member of `_meta` that names the task that a message is about.
RELATED_TASK = "io.modelcontextprotocol/related-task"


def messages(text: str) -> list[types.SamplingMessage]:
    return [types.SamplingMessage(role="user", content=types.TextContent(type="text", text=text))]


def fields(result: types.Result) -> dict:
    # Unset fields are left out, so that a null the client sent can be told from a field it left out.
    return result.model_dump(mode="json", by_alias=True, exclude_unset=True)


async def ask(session: ServerSession, request: types.Request, answer: type[types.Result]):
    return await session.send_request(types.ServerRequest(request), answer)


async def ignore(progress: float, total: float | None, message: str | None) -> None:
    """A progress callback that does nothing."""


async def create(session: ServerSession, text: str, ttl: int, progress: bool = False) -> types.Task:
    """Makes a sampling task; nothing follows by itself. The SDK's session has no call for this step alone."""
    params = types.CreateMessageRequestParams(messages=messages(text), maxTokens=50, task=types.TaskMetadata(ttl=ttl))
    # Any callback makes the SDK send a token. It forgets the callback with the answer, so `PROGRESS` has the reports.
    callback = ignore if progress else None
    request = types.ServerRequest(types.CreateMessageRequest(params=params))
    return (await session.send_request(request, types.CreateTaskResult, progress_callback=callback)).task


async def final(session: ServerSession, task_id: str) -> types.GetTaskResult:
    """Polls a task until its status is final."""
    async for task in session.experimental.poll_task(task_id):
        pass
    return task


async def last_notified(session: ServerSession, task_id: str) -> str | None:
    """The final status that the client notifies of; it may come after an answer that says so, too."""
    for _ in range(100):
        if is_terminal(NOTIFIED.get(task_id, "working")):
            break
        await session.send_ping()
    return NOTIFIED.get(task_id)


async def result(session: ServerSession, task_id: str) -> dict:
    return fields(await session.experimental.get_task_result(task_id, types.CreateMessageResult))


async def get(session: ServerSession, task_id: str) -> dict:
    return fields(await session.experimental.get_task(task_id))


async def cancel_task(session: ServerSession, task_id: str) -> dict:
    request = types.CancelTaskRequest(params=types.CancelTaskRequestParams(taskId=task_id))
    return fields(await ask(session, request, types.CancelTaskResult))


async def page(session: ServerSession, cursor: str | None = None) -> types.ListTasksResult:
    params = None if cursor is None else types.PaginatedRequestParams(cursor=cursor)
    return await ask(session, types.ListTasksRequest(params=params), types.ListTasksResult)


async def pages(session: ServerSession) -> list[list[str]]:
    """All pages of the list, each as its ids."""
    seen, cursor = [], None
    while True:
        answer = await page(session, cursor)
        seen.append([task.taskId for task in answer.tasks])
        cursor = answer.nextCursor
        if cursor is None:
            return seen


async def refused(request) -> dict:
    """The error of a request that must fail."""
    try:
        answer = await request
    except McpError as error:
        return fields(error.error)
    raise RuntimeError(f"it was not refused but answered with {answer}")


async def denied(session: ServerSession, task_id: str) -> dict:
    """The errors of all that can be asked about a task by its id."""
    asks = {"get": get, "result": result, "cancel": cancel_task}
    return {name: await refused(asked(session, task_id)) for name, asked in asks.items()}


async def keep(answers: dict, name: str, asked) -> None:
    """Puts an answer aside: for what is asked while another question waits for its answer."""
    answers[name] = await asked


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


async def result_at_once(session: ServerSession, text: str = "Say hi", ttl: int = 60000) -> dict:
    """Asks for a task's result at once, without asking for its status first."""
    created = await create(session, text, ttl)
    answer = await result(session, created.taskId)
    status = (await get(session, created.taskId))["status"]
    related = answer["_meta"][RELATED_TASK]["taskId"] == created.taskId
    return {"created": fields(created), "status": status, "related": related, "result": answer}


async def list_tasks(
    session: ServerSession, text: str = "Take for ever", ttl: int = 60000, count: int = 110
) -> dict:
    """Makes tasks and follows all pages of the list."""
    made = [(await create(session, text, ttl)).taskId for _ in range(count)]
    seen = await pages(session)
    listed = [task_id for ids in seen for task_id in ids]
    return {
        "pages": len(seen),
        "listed": len(listed),
        "missing": [task_id for task_id in made if task_id not in listed],
        "unknown": [task_id for task_id in listed if task_id not in made],
    }


async def cancel(session: ServerSession, text: str = "Take a while", ttl: int = 60000) -> dict:
    """Cancels a task that is worked on and waited for; it stays cancelled when its work would have ended."""
    created = await create(session, text, ttl, progress=True)
    # Made later, so it takes until the cancelled one would have ended.
    other = await create(session, text, ttl)
    waiting: dict = {}
    async with anyio.create_task_group() as group:
        group.start_soon(keep, waiting, "waited", refused(result(session, created.taskId)))
        meanwhile = await get(session, created.taskId)
        cancelled = await cancel_task(session, created.taskId)
    reports = len(PROGRESS)
    again = await refused(cancel_task(session, created.taskId))
    otherwise = await final(session, other.taskId)
    return {
        "created": fields(created),
        "meanwhile": meanwhile,
        "cancelled": cancelled,
        **waiting,
        "again": again,
        "other": otherwise.status,
        "seen": await get(session, created.taskId),
        "result": await refused(result(session, created.taskId)),
        "notified": await last_notified(session, created.taskId),
        "silent": len(PROGRESS) == reports,
    }


async def failure(session: ServerSession, text: str = "Fail", ttl: int = 60000) -> dict:
    """A task whose work fails: its status, and its result asked for twice."""
    task = await final(session, (await create(session, text, ttl)).taskId)
    return {
        "status": task.status,
        "statusMessage": task.statusMessage,
        "result": await refused(result(session, task.taskId)),
        "again": await refused(result(session, task.taskId)),
        "cancel": await refused(cancel_task(session, task.taskId)),
        "notified": await last_notified(session, task.taskId),
    }


async def expiry(
    session: ServerSession, quick: str = "Say hi", slow: str = "Take for ever", ttl: int = 2000
) -> dict:
    """Two tasks that expire, one done and one worked on and waited for: afterwards neither is to be found."""
    done = await create(session, quick, ttl)
    still = await create(session, slow, ttl)
    expired = anyio.current_time() + ttl / 1000 + MARGIN
    waiting: dict = {}
    async with anyio.create_task_group() as group:
        group.start_soon(keep, waiting, "waited", refused(result(session, still.taskId)))
        answer = await result(session, done.taskId)
        await anyio.sleep_until(expired)
    return {
        "ttl": [done.ttl, still.ttl],
        "result": answer,
        **waiting,
        "listed": [
            task_id for ids in await pages(session) for task_id in ids if task_id in (done.taskId, still.taskId)
        ],
        "done": await denied(session, done.taskId),
        "open": await denied(session, still.taskId),
    }


async def unknown_id(session: ServerSession) -> dict:
    """Ids that were never given, one of them like those that are."""
    return {"answers": [await denied(session, task_id) for task_id in ["nope", "", "../\0\U0001f4a5", str(uuid.uuid4())]]}


async def bad_cursor(session: ServerSession) -> dict:
    """Cursors that were never given."""
    return {"answers": [await refused(page(session, cursor)) for cursor in ["bad!", "", "AAAA"]]}


async def tampered_cursor(
    session: ServerSession, text: str = "Take for ever", ttl: int = 60000, count: int = 60
) -> dict:
    """Cursors made of one that was given: cut, lengthened, and with each character another."""
    for _ in range(count):
        await create(session, text, ttl)
    given = (await page(session)).nextCursor
    cursors = [given[1:], given[:-1], given + "0"]
    cursors += [given[:i] + ("1" if was == "0" else "0") + given[i + 1 :] for i, was in enumerate(given)]
    answers = []
    for cursor in cursors:
        answer = await refused(page(session, cursor))
        if answer not in answers:
            answers.append(answer)
    return {"answers": answers}


async def progress(session: ServerSession, text: str = "Say hi", ttl: int = 60000) -> dict:
    """A task whose creation asks for progress: what came until its status was final, and whether more came after."""
    created = await create(session, text, ttl, progress=True)
    task = await final(session, created.taskId)
    reports = list(PROGRESS)
    await result(session, created.taskId)
    notified = await last_notified(session, created.taskId)
    steps = [report.progress for report in reports]
    return {
        "status": task.status,
        "notified": notified,
        "tokens": sorted({report.progressToken for report in reports}),
        "reports": len(reports),
        "growing": all(later > step for step, later in itertools.pairwise(steps)),
        "related": all(fields(report)["_meta"][RELATED_TASK]["taskId"] == task.taskId for report in reports),
        "silent": len(PROGRESS) == len(reports),
    }


TOOLS = {
    "sample_plain": sample_plain,
    "elicit_plain": elicit_plain,
    "elicit_url": elicit_url,
    "roots": roots,
    "sample_as_task": sample_as_task,
    "elicit_as_task": elicit_as_task,
    "result_at_once": result_at_once,
    "list": list_tasks,
    "cancel": cancel,
    "failure": failure,
    "expiry": expiry,
    "unknown_id": unknown_id,
    "bad_cursor": bad_cursor,
    "tampered_cursor": tampered_cursor,
    "progress": progress,
}
ARGUMENTS = {str: "string", int: "integer"}


async def progress_came(notification: types.ProgressNotification) -> None:
    PROGRESS.append(notification.params)


async def status_came(notification: types.TaskStatusNotification) -> None:
    NOTIFIED[notification.params.taskId] = notification.params.status


# Set as the SDK's decorators do: that for progress passes no `_meta` on, and there is none for a task's status.
SERVER.notification_handlers[types.ProgressNotification] = progress_came
SERVER.notification_handlers[types.TaskStatusNotification] = status_came


class Complaints(logging.Handler):
    """Keeps what the SDK logs about messages that it cannot take, which it goes on without."""

    def emit(self, record: logging.LogRecord) -> None:
        # A client of both revisions asks this first; it is answered with an error, as it should be.
        if "input_value='server/discover'" not in record.getMessage():
            COMPLAINTS.append(record.getMessage())


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
        if COMPLAINTS:
            raise RuntimeError("; ".join(COMPLAINTS))
    except McpError as error:
        answer, failed = fields(error.error), True
    except Exception as error:
        answer, failed = {"code": None, "message": f"{type(error).__name__}: {error}"}, True
    text = ("ERROR " if failed else "OK ") + json.dumps(answer)
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], isError=failed)


async def serve_http(port: int) -> None:
    manager = StreamableHTTPSessionManager(SERVER)

    async def handle(scope, receive, send):
        await manager.handle_request(scope, receive, send)

    async with manager.run():
        config = uvicorn.Config(handle, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
        await uvicorn.Server(config).serve()


async def main() -> None:
    if port := os.environ.get("PORT"):
        return await serve_http(int(port))
    async with mcp.server.stdio.stdio_server() as (read, write):
        await SERVER.run(read, write, SERVER.create_initialization_options())


if __name__ == "__main__":
    logging.getLogger().addHandler(Complaints(logging.WARNING))
    anyio.run(main)
