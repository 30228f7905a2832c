// Calls a server's tools as tasks on behalf of a client that calls them plainly: it stands between the two on stdio.
//
// Some tools of server-everything refuse a plain call, and ask the client for input only while the client waits in
// `tasks/result`. So a `tools/call` of the client goes on with `task`; the task that the server answers with is not shown
// to the client, its result is asked for at once, and that is the client's answer. All else passes unchanged, and the
// server's own requests are the client's to answer.
//
// Usage: node call-as-task.mjs <server> <argument>...

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [command, ...args] = process.argv.slice(2);
if (!command) throw new Error('usage: node call-as-task.mjs <server> <argument>...');
const server = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
// Ids of the calls that the server has not answered; and of those it has, by the id of the request for their result.
const calls = new Set();
const results = new Map();

const send = (stream, message) => stream.write(`${JSON.stringify(message)}\n`);
const messages = (stream, take) => createInterface({ input: stream }).on('line', line => take(JSON.parse(line)));

messages(process.stdin, message => {
    if (message.method === 'tools/call') {
        calls.add(message.id);
        message.params.task = { ttl: 60000 };
    }
    send(server.stdin, message);
}).on('close', () => server.stdin.end());

messages(server.stdout, message => {
    const { id, method, result } = message;
    if (method === undefined && calls.delete(id) && result?.task) {
        const request = `result of ${id}`;
        results.set(request, id);
        send(server.stdin, { jsonrpc: '2.0', id: request, method: 'tasks/result', params: { taskId: result.task.taskId } });
    } else if (method === undefined && results.has(id)) {
        send(process.stdout, { ...message, id: results.get(id) });
        results.delete(id);
    } else {
        send(process.stdout, message);
    }
});

server.on('exit', code => process.exit(code ?? 1));
