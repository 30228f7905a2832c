"""What the Python SDK's client spends on answering a server's request: JSON text in, JSON text out.

Two measurements of each request file beside this one:
- "dispatch": parse, route to the client's handler, validate the answer, serialize; no queue, no receive loop.
- "session": the same through a running ClientSession, its receive loop and its memory streams.

The handlers return a fixed answer, so what is measured is the SDK and not a handler's work. Not measured: pipes and
line splitting, start-up, a model, storage of tasks. There is no sandbox and no fresh state per request to pay for.
CPU time of the process, median over the rounds.

Run it with the Python that tests/peers/python/requirements.txt describes.
"""

import json
import statistics
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import anyio
from mcp import types
from mcp.client.experimental.task_handlers import ExperimentalTaskHandlers
from mcp.client.session import ClientSession
from mcp.shared.context import RequestContext
from mcp.shared.message import SessionMessage
from mcp.shared.session import RequestResponder

# The SDK announces the end of its task API at each use.
warnings.filterwarnings("ignore", category=DeprecationWarning)

ROUNDS, OPERATIONS, WARM_UP = 31, 100, 300
HERE = Path(__file__).parent
REQUESTS = {
    "tasks/get": (HERE / "tasks-get.json").read_text().strip(),
    "sampling": (HERE / "sampling.json").read_text().strip(),
}


async def get_task(_: RequestContext, params: types.GetTaskRequestParams) -> types.GetTaskResult:
    now = "2026-11-22T09:15:44.480Z"
    return types.GetTaskResult(
        taskId=params.taskId, status="working", createdAt=now, lastUpdatedAt=now, ttl=60000, pollInterval=300
    )


async def sampling(_: RequestContext, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    text = f"answer to {len(params.messages)} messages"
    content = types.TextContent(type="text", text=text)
    return types.CreateMessageResult(role="assistant", content=content, model="fake-model", stopReason="endTurn")


def client(read, write) -> ClientSession:
    handlers = ExperimentalTaskHandlers(get_task=get_task)
    return ClientSession(read, write, sampling_callback=sampling, experimental_task_handlers=handlers)


# These two do what the SDK's stdio transport does with a line.
def from_text(text: str) -> SessionMessage:
    return SessionMessage(types.JSONRPCMessage.model_validate_json(text))


def to_text(message: SessionMessage) -> str:
    return message.message.model_dump_json(by_alias=True, exclude_none=True)


class Sink:
    """Stands in for the write stream and keeps the last message."""

    message: SessionMessage

    async def send(self, message: SessionMessage) -> None:
        self.message = message


async def measure(peer: str, answer) -> None:
    for case, text in REQUESTS.items():
        response = json.loads(await answer(text))
        if "result" not in response or response["id"] != json.loads(text)["id"]:
            raise SystemExit(f"{peer}, {case}: no result but {response}")
        for _ in range(WARM_UP):
            await answer(text)
        rounds = []
        for _ in range(ROUNDS):
            start = time.process_time_ns()
            for _ in range(OPERATIONS):
                await answer(text)
            rounds.append((time.process_time_ns() - start) / OPERATIONS / 1000)
        print(json.dumps({"peer": peer, "case": case, "us_per_op": round(statistics.median(rounds), 1)}), flush=True)


async def dispatch(peer: str) -> None:
    sink = Sink()
    session = client(None, sink)

    async def answer(text: str) -> str:
        # The steps of the session's receive loop for one request, without the loop.
        message = from_text(text).message.root
        request = types.ServerRequest.model_validate(message.model_dump(by_alias=True, mode="json", exclude_none=True))
        responder = RequestResponder(
            request_id=message.id,
            request_meta=request.root.params.meta,
            request=request,
            session=session,
            on_complete=lambda _: None,
        )
        await session._received_request(responder)
        return to_text(sink.message)

    await measure(peer, answer)


async def whole_session(peer: str) -> None:
    to_client, client_reads = anyio.create_memory_object_stream(1)
    client_writes, from_client = anyio.create_memory_object_stream(1)

    async def answer(text: str) -> str:
        await to_client.send(from_text(text))
        return to_text(await from_client.receive())

    async with to_client, from_client, client(client_reads, client_writes):
        await measure(peer, answer)


if __name__ == "__main__":
    name = f"python-sdk {version('mcp')}"
    anyio.run(dispatch, f"{name} dispatch")
    anyio.run(whole_session, f"{name} session")
