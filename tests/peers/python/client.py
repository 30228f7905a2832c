"""A client on the Python SDK: CAPABILITIES (none or all), TOOL, then the server's command line or URL. Calls the tool and
prints what it says; the tool `tools` lists the names of all."""

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


async def sampling(_context, _params):
    text = types.TextContent(type="text", text="from the client")
    return types.CreateMessageResult(role="assistant", model="m", content=text)


async def elicitation(_context, _params):
    return types.ElicitResult(action="accept", content={"name": "from the client"})


async def roots(_context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///from-the-client")])


async def main():
    capabilities, tool, command, *args = sys.argv[1:]
    callbacks = {}
    if capabilities == "all":
        callbacks = {
            "sampling_callback": sampling,
            "elicitation_callback": elicitation,
            "list_roots_callback": roots,
        }
    if command.startswith("http://"):
        transport = streamable_http_client(command)
    else:
        transport = stdio_client(StdioServerParameters(command=command, args=args, env=dict(os.environ)))
    async with transport as (read, write, *_), ClientSession(read, write, **callbacks) as session:
        await session.initialize()
        if tool == "tools":
            print("\n".join(found.name for found in (await session.list_tools()).tools))
        else:
            arguments = {"prompt": "hello"} if tool == "trigger-sampling-request" else {}
            result = await session.call_tool(tool, arguments)
            print("\n".join(getattr(block, "text", "") for block in result.content))
        # The SDK's close fails when a message of the server comes meanwhile, such as a late question for the roots.
        sys.stdout.flush()
        os._exit(0)


asyncio.run(main())
