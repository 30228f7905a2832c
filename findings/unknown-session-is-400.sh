#!/usr/bin/env bash
# @modelcontextprotocol/server-everything 2026.8.31, over streamable HTTP (its handler is that of the SDK's examples)
#
# Expected: a request with a session id that the server does not know, as after its restart, is answered with the HTTP status
#           404, as MCP 2025-11-25 has it (basic/transports, Session Management: the server MUST respond with 404). A client MUST
#           begin a new session at a 404, and at nothing else.
# Seen:     POST, GET and DELETE are answered with 400, the JSON-RPC error -32000 and "No valid session ID provided". A client
#           that keeps to the text never finds out that its session is gone: each later call fails until somebody restarts it.
set -euo pipefail
folder=$(mktemp -d); server=; trap 'kill $server 2>/dev/null || true; rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund @modelcontextprotocol/server-everything@2026.8.31
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
begin() {
    PORT=$port node node_modules/@modelcontextprotocol/server-everything/dist/index.js streamableHttp >/dev/null 2>&1 &
    server=$!
    for _ in $(seq 200); do curl -s -o /dev/null "http://127.0.0.1:$port/mcp" && return; sleep 0.1; done
}
say() { # METHOD SESSION [BODY]: prints the status, the body and, with no session, its headers
    curl -s -i -X "$1" "http://127.0.0.1:$port/mcp" -H 'Content-Type: application/json' -H "MCP-Protocol-Version: 2025-11-25" \
        -H 'Accept: application/json, text/event-stream' ${2:+-H "Mcp-Session-Id: $2"} ${3:+-d "$3"} --max-time 10 | tr -d '\r'
}
begin
client='{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"finding","version":"1"}}'
session=$(say POST '' "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":$client}" | sed -n 's/^mcp-session-id: //Ip')
[[ $session ]]
ping='{"jsonrpc":"2.0","id":2,"method":"ping"}'
[[ $(say POST "$session" "$ping") == *'HTTP/1.1 200'* ]]
kill "$server"; wait "$server" 2>/dev/null || true
begin
for method in POST GET DELETE; do
    body=; [[ $method == POST ]] && body=$ping
    seen=$(say "$method" "$session" "$body")
    echo "$method: $(head -1 <<<"$seen") $(tail -1 <<<"$seen")"
    [[ $seen == *'HTTP/1.1 400'* && $seen == *'"code":-32000'* && $seen == *'No valid session ID provided'* ]]
done
