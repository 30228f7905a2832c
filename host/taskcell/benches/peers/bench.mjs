// What the TypeScript SDK's client spends on answering a server's request: JSON text in, JSON text out.
//
// A connected Client with request handlers, the SDK's in-memory transport, and for each request file beside this one:
// parse as the stdio transport does, deliver, handle, serialize the answer as the stdio transport does.
//
// The handlers return a fixed answer, so what is measured is the SDK and not a handler's work. Not measured: pipes and
// line splitting, start-up, a model, storage of tasks. There is no sandbox and no fresh state per request to pay for.
// CPU time of the process (its compiler and collector threads included), median over the rounds.
//
// Usage: node bench.mjs <folder that holds node_modules, installed from tests/peers/node>

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROUNDS = 31;
const OPERATIONS = 1000;
const WARM_UP = 5000;

// Imported by path, because a script's own folder decides where Node looks for a package.
if (!process.argv[2]) throw new Error('usage: node bench.mjs <folder that holds node_modules>');
const sdk = join(resolve(process.argv[2]), 'node_modules/@modelcontextprotocol/sdk');
const load = path => import(pathToFileURL(join(sdk, 'dist/esm', path)));
const { Client } = await load('client/index.js');
const { InMemoryTransport } = await load('inMemory.js');
const { deserializeMessage, serializeMessage } = await load('shared/stdio.js');
const { CreateMessageRequestSchema, GetTaskRequestSchema, LATEST_PROTOCOL_VERSION } = await load('types.js');

const peer = `typescript-sdk ${JSON.parse(readFileSync(join(sdk, 'package.json'))).version} client`;
const body = file => readFileSync(new URL(file, import.meta.url), 'utf8').trim();
const requests = { 'tasks/get': body('tasks-get.json'), sampling: body('sampling.json') };

const client = new Client(
    { name: 'bench', version: '0' },
    { capabilities: { sampling: {}, tasks: { requests: { sampling: { createMessage: {} } } } } }
);
const time = '2026-11-22T09:15:44.480Z';
client.setRequestHandler(GetTaskRequestSchema, ({ params }) => ({
    taskId: params.taskId,
    status: 'working',
    createdAt: time,
    lastUpdatedAt: time,
    ttl: 60000,
    pollInterval: 300
}));
client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
    role: 'assistant',
    content: { type: 'text', text: `answer to ${params.messages.length} messages` },
    model: 'fake-model',
    stopReason: 'endTurn'
}));

// The server's end is bare: it answers the handshake, then hands each answer to whoever waits for it.
const [clientEnd, serverEnd] = InMemoryTransport.createLinkedPair();
let answered;
serverEnd.onmessage = message => {
    if (message.method === 'initialize') {
        const serverInfo = { name: 'bench', version: '0' };
        const result = { protocolVersion: LATEST_PROTOCOL_VERSION, capabilities: {}, serverInfo };
        serverEnd.send({ jsonrpc: '2.0', id: message.id, result });
    } else if (message.method === undefined) {
        answered(serializeMessage(message));
    }
};
await client.connect(clientEnd);

function answer(text) {
    return new Promise(done => {
        answered = done;
        serverEnd.send(deserializeMessage(text));
    });
}

for (const [name, text] of Object.entries(requests)) {
    const response = JSON.parse(await answer(text));
    if (!response.result || response.id !== JSON.parse(text).id) {
        throw new Error(`${name}: no result but ${JSON.stringify(response)}`);
    }
    for (let i = 0; i < WARM_UP; i++) await answer(text);
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
        const start = process.cpuUsage();
        for (let i = 0; i < OPERATIONS; i++) await answer(text);
        const { user, system } = process.cpuUsage(start);
        rounds.push((user + system) / OPERATIONS);
    }
    const median = rounds.sort((a, b) => a - b)[ROUNDS >> 1];
    console.log(JSON.stringify({ peer, case: name, us_per_op: Math.round(median * 10) / 10 }));
}
await client.close();
