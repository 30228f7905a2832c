// A client on the TypeScript SDK: CAPABILITIES (none or all), TOOL, then the server's command line or URL. Calls the
// tool and prints what it says; the tool `tools` lists the names of all.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

const [capabilities, tool, command, ...args] = process.argv.slice(2);
const all = capabilities === "all";
const client = new Client(
  { name: "typescript-client", version: "1" },
  { capabilities: all ? { sampling: {}, elicitation: {}, roots: {} } : {} },
);
if (all) {
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    role: "assistant",
    model: "m",
    content: { type: "text", text: "from the client" },
  }));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { name: "from the client" } }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///from-the-client" }] }));
}
const isUrl = command.startsWith("http://");
await client.connect(
  isUrl
    ? new StreamableHTTPClientTransport(new URL(command))
    : new StdioClientTransport({ command, args, env: process.env }),
);
if (tool === "tools") {
  console.log((await client.listTools()).tools.map((found) => found.name).join("\n"));
} else {
  const argument = tool === "trigger-sampling-request" ? { prompt: "hello" } : {};
  const result = await client.callTool({ name: tool, arguments: argument });
  console.log(result.content.map((block) => block.text).join("\n"));
}
await client.close();
