#!/usr/bin/env bash
# @modelcontextprotocol/server-everything 2026.8.31 (on @modelcontextprotocol/sdk, class McpServer)
#
# Expected: a tool whose `execution.taskSupport` is `required`, called without `task`, is answered with the JSON-RPC error
#           -32601, as MCP 2025-11-25 has it (server/tools: the server MUST return a -32601 error). The same for the name of
#           a tool that there is not: MCP shows the JSON-RPC error -32602 for it.
# Seen:     both are *results* with `isError: true`, whose text begins with "MCP error -32601" and "MCP error -32602". A client
#           that looks at the JSON-RPC `error` sees a call that worked.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @modelcontextprotocol/server-everything@2026.8.31
cat > client.mjs <<'JS'
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
const server = spawn('node', ['node_modules/@modelcontextprotocol/server-everything/dist/index.js', 'stdio'],
    { stdio: ['pipe', 'pipe', 'ignore'] });
const waiting = new Map();
let last = 0;
const send = message => server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const ask = (method, params) => new Promise(done => { waiting.set(++last, done); send({ id: last, method, params }); });
createInterface({ input: server.stdout }).on('line', line => {
    const message = JSON.parse(line);
    if (message.method === undefined) waiting.get(message.id)?.(message);
});
const client = { protocolVersion: '2025-11-25', capabilities: { tasks: {}, elicitation: {}, sampling: {} },
    clientInfo: { name: 'finding', version: '1' } };
await ask('initialize', client);
send({ method: 'notifications/initialized' });
const { result: { tools } } = await ask('tools/list', {});
const tool = tools.find(tool => tool.name === 'simulate-research-query');
console.log(`taskSupport of ${tool.name}: ${tool.execution?.taskSupport}`);
for (const name of [tool.name, 'no-such-tool']) {
    const { error, result } = await ask('tools/call', { name, arguments: { topic: 'cells' } });
    console.log(`${name}: error=${JSON.stringify(error)} isError=${result?.isError} ${result?.content?.[0]?.text}`);
}
server.kill();
process.exit(0);
JS
seen=$(timeout 60 node client.mjs)
echo "$seen"
[[ $seen == *"taskSupport of simulate-research-query: required"* ]]
[[ $seen == *"simulate-research-query: error=undefined isError=true MCP error -32601"* ]]
[[ $seen == *"no-such-tool: error=undefined isError=true MCP error -32602"* ]]
