"""An MCP server of revision 2026-07-28 whose tools ask the client: the Python SDK's part of the tests of that revision.

It speaks over stdio, or streamable HTTP on the port that the environment names as PORT, and an earlier revision, too, when the client begins with one. What a tool says at its end holds what
the client gave. server.mjs in node-2026 and the program rmcp-server have the same tools.
"""

import os
from typing import Annotated

from mcp import types
from mcp.server.mcpserver import Context, Elicit, ListRoots, MCPServer, Resolve, Sample
from pydantic import BaseModel

server = MCPServer("python-2026", version="1")


class Name(BaseModel):
    name: str


def who() -> Elicit[Name]:
    return Elicit("Your name?", Name)


def capital() -> Sample:
    text = types.TextContent(type="text", text="Capital of France?")
    return Sample([types.SamplingMessage(role="user", content=text)], max_tokens=20)


def dirs() -> ListRoots:
    return ListRoots()


def text_of(result: types.CreateMessageResult) -> str:
    blocks = result.content if isinstance(result.content, list) else [result.content]
    return "".join(block.text for block in blocks)


@server.tool()
def three(
    name: Annotated[Name, Resolve(who)],
    city: Annotated[types.CreateMessageResult, Resolve(capital)],
    roots: Annotated[types.ListRootsResult, Resolve(dirs)],
) -> str:
    """Asks for three things at once. The SDK seals what goes around in `requestState`, and refuses what comes back changed."""
    return f"{name.name}, {text_of(city)}, {roots.roots[0].uri}"


def form() -> types.ElicitRequest:
    fields = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message="Your name?", requested_schema=fields))


def ask(inputs: dict | None, state: str | None) -> types.InputRequiredResult:
    return types.InputRequiredResult(input_requests=inputs, request_state=state)


@server.tool()
async def rounds(ctx: Context) -> str | types.InputRequiredResult:
    """Asks for a name, then for nothing but another try, then for a page to be opened."""
    given, state = ctx.input_responses or {}, ctx.request_state
    if state is None:
        return ask({"who": form()}, "waiting")
    if state == "waiting":
        return ask(None, f"known {given['who'].content['name']}")
    if state.startswith("known"):
        page = types.ElicitRequestURLParams(message="Sign in", url="https://example.com/")
        return ask({"page": types.ElicitRequest(params=page)}, f"paged {state}")
    return f"{state}, {given['page'].action}"


@server.tool()
async def stateless(ctx: Context) -> str | types.InputRequiredResult:
    """Asks without a state, and wants none back."""
    if not ctx.input_responses:
        return ask({"dirs": types.ListRootsRequest()}, None)
    return f"{ctx.input_responses['dirs'].roots[0].uri}, {ctx.request_state}"


@server.prompt()
async def greeting(ctx: Context) -> str | types.InputRequiredResult:
    if not ctx.input_responses:
        return ask({"who": form()}, None)
    return f"Hello {ctx.input_responses['who'].content['name']}"


@server.resource("asks://{what}")
async def asks(what: str, ctx: Context) -> str | types.InputRequiredResult:
    if not ctx.input_responses:
        return ask({"who": form()}, None)
    return f"{what} of {ctx.input_responses['who'].content['name']}"


if __name__ == "__main__":
    if port := os.environ.get("PORT"):
        server.run("streamable-http", port=int(port))
    else:
        server.run()
