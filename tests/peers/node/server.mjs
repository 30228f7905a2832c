// An MCP server whose tools ask the client: the server-side half of the tests against the TypeScript SDK.
//
// It speaks over stdio and sends each request by the SDK's own calls (`server.experimental.tasks`, or `server.request`
// with `task` where those would hide the step that is tested), so what the client is asked is what real servers ask. A
// tool's text is `OK {json}`, or, with `isError`, `ERROR {json}`: code, message and data of the client's error (or of the
// SDK's own), and code null for whatever else went wrong, such as an answer that does not validate. server.py has the
// same tools.
//
// Usage: node server.mjs <folder that holds node_modules, installed from package-lock.json>

import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// Imported by path, because a script's own folder decides where Node looks for a package.
if (!process.argv[2]) throw new Error('usage: node server.mjs <folder that holds node_modules>');
const sdk = join(resolve(process.argv[2]), 'node_modules/@modelcontextprotocol/sdk/dist/esm');
const load = path => import(pathToFileURL(join(sdk, path)));
const { Server } = await load('server/index.js');
const { StdioServerTransport } = await load('server/stdio.js');
const {
    CallToolRequestSchema,
    CreateMessageResultSchema,
    CreateTaskResultSchema,
    ListTasksResultSchema,
    ListToolsRequestSchema,
    McpError,
    RELATED_TASK_META_KEY,
    TaskStatusNotificationSchema
} = await load('types.js');

const FORM = {
    type: 'object',
    properties: { confirm: { type: 'boolean' }, note: { type: 'string' } },
    required: ['confirm']
};
const FINAL = ['completed', 'failed', 'cancelled'];
// Past its time to live by so many milliseconds a task must be gone.
const MARGIN = 100;

const server = new Server({ name: 'taskcell-peer', version: '0' }, { capabilities: { tools: {} } });
const tasks = server.experimental.tasks;
// Every progress notification that came, in order; also those that the SDK has no handler for any more.
const progress = [];
// The last status that each task was notified of.
const notified = new Map();
// What the SDK found wrong with the client's messages.
const complaints = [];

const say = text => ({ messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens: 50 });

/** Makes a sampling task and gives it as the client answered; nothing follows by itself. */
async function create(text, ttl, options = {}) {
    const request = { method: 'sampling/createMessage', params: say(text) };
    return (await server.request(request, CreateTaskResultSchema, { ...options, task: { ttl } })).task;
}

/** Polls a task until its status is final. */
async function final(taskId) {
    for (;;) {
        const task = await tasks.getTask(taskId);
        if (FINAL.includes(task.status)) return task;
        await sleep(task.pollInterval ?? 100);
    }
}

/** The final status that the client notifies of; it may come after an answer that says so, too. */
async function lastNotified(taskId) {
    for (let i = 0; i < 100 && !FINAL.includes(notified.get(taskId)); i++) await server.ping();
    return notified.get(taskId);
}

const result = taskId => tasks.getTaskResult(taskId, CreateMessageResultSchema);

/** The last message of a stream: the result or the error that the SDK ends it with. */
async function last(stream) {
    let message;
    for await (message of stream);
    if (message.type === 'error') throw message.error;
    return message.result;
}

/** An error as the client sent it: the SDK puts its code before the message. */
function fields(error) {
    if (!(error instanceof McpError)) return { code: null, message: String(error) };
    const { code, data } = error;
    const message = error.message.replace(`MCP error ${code}: `, '');
    return data === undefined ? { code, message } : { code, message, data };
}

/** The error of a request that must fail. */
async function refused(request) {
    let answer;
    try {
        answer = await request;
    } catch (error) {
        return fields(error);
    }
    throw new Error(`it was not refused but answered with ${JSON.stringify(answer)}`);
}

/** The errors of all that can be asked about a task by its id. */
const denied = async taskId => ({
    get: await refused(tasks.getTask(taskId)),
    result: await refused(result(taskId)),
    cancel: await refused(tasks.cancelTask(taskId))
});

/** One page of the list. The SDK's own call would leave out a cursor that is empty. */
const page = cursor => server.request({ method: 'tasks/list', params: { cursor } }, ListTasksResultSchema);

/** All pages of the list, each as its ids. */
async function pages() {
    const seen = [];
    let cursor;
    do {
        const { tasks: listed, nextCursor } = await tasks.listTasks(cursor);
        seen.push(listed.map(task => task.taskId));
        cursor = nextCursor;
    } while (cursor !== undefined);
    return seen;
}

const TOOLS = {
    /** Plain sampling. */
    sample_plain: ({ text = 'Say hi' }) => server.createMessage(say(text)),

    /** Plain form elicitation. */
    elicit_plain: ({ text = 'Confirm?' }) => server.elicitInput({ message: text, requestedSchema: FORM }),

    /** URL elicitation, then the notification that it is complete. */
    async elicit_url({ text = 'Open', url = 'https://example.com/a' }) {
        const answer = await server.elicitInput({ mode: 'url', message: text, url, elicitationId: 'e-1' });
        await server.createElicitationCompletionNotifier('e-1')();
        return answer;
    },

    /** The client's roots. */
    roots: () => server.listRoots(),

    /** Sampling as a task: the SDK creates it, polls until it is final, and fetches the result, with `task` in each. */
    sample_as_task: ({ text = 'Say hi', ttl = 60000 }) => last(tasks.createMessageStream(say(text), { task: { ttl } })),

    /** Form elicitation as a task, in the same way. */
    elicit_as_task: ({ text = 'Confirm?', ttl = 60000 }) =>
        last(tasks.elicitInputStream({ message: text, requestedSchema: FORM }, { task: { ttl } })),

    /** Asks for a task's result at once, without asking for its status first. */
    async result_at_once({ text = 'Say hi', ttl = 60000 }) {
        const created = await create(text, ttl);
        const answer = await tasks.getTaskResult(created.taskId, CreateMessageResultSchema, { task: { ttl } });
        const { status } = await tasks.getTask(created.taskId);
        const related = answer._meta?.[RELATED_TASK_META_KEY]?.taskId === created.taskId;
        return { created, status, related, result: answer };
    },

    /** Makes tasks and follows all pages of the list. */
    async list({ text = 'Take for ever', ttl = 60000, count = 110 }) {
        const made = [];
        for (let i = 0; i < count; i++) made.push((await create(text, ttl)).taskId);
        const seen = await pages();
        const listed = seen.flat();
        return {
            pages: seen.length,
            listed: listed.length,
            missing: made.filter(id => !listed.includes(id)),
            unknown: listed.filter(id => !made.includes(id))
        };
    },

    /** Cancels a task that is worked on and waited for; it stays cancelled when its work would have ended. */
    async cancel({ text = 'Take a while', ttl = 60000 }) {
        const options = { onprogress: () => {} };
        const created = await create(text, ttl, options);
        // Made later, so it takes until the cancelled one would have ended.
        const other = await create(text, ttl);
        const waiting = refused(result(created.taskId));
        const meanwhile = await tasks.getTask(created.taskId);
        const cancelled = await tasks.cancelTask(created.taskId);
        const waited = await waiting;
        const reports = progress.length;
        const again = await refused(tasks.cancelTask(created.taskId));
        const otherwise = await final(other.taskId);
        const seen = await tasks.getTask(created.taskId);
        return {
            created,
            meanwhile,
            cancelled,
            waited,
            again,
            other: otherwise.status,
            seen,
            result: await refused(result(created.taskId)),
            notified: await lastNotified(created.taskId),
            silent: progress.length === reports
        };
    },

    /** A task whose work fails: its status, and its result asked for twice. */
    async failure({ text = 'Fail', ttl = 60000 }) {
        const { status, statusMessage, taskId } = await final((await create(text, ttl)).taskId);
        return {
            status,
            statusMessage,
            result: await refused(result(taskId)),
            again: await refused(result(taskId)),
            cancel: await refused(tasks.cancelTask(taskId)),
            notified: await lastNotified(taskId)
        };
    },

    /** Two tasks that expire, one done and one worked on and waited for: afterwards neither is to be found. */
    async expiry({ quick = 'Say hi', slow = 'Take for ever', ttl = 2000 }) {
        const done = await create(quick, ttl);
        const open = await create(slow, ttl);
        const expired = sleep(ttl + MARGIN);
        const waiting = refused(result(open.taskId));
        const answer = await result(done.taskId);
        await expired;
        return {
            ttl: [done.ttl, open.ttl],
            result: answer,
            waited: await waiting,
            listed: (await pages()).flat().filter(id => id === done.taskId || id === open.taskId),
            done: await denied(done.taskId),
            open: await denied(open.taskId)
        };
    },

    /** Ids that were never given, one of them like those that are. */
    async unknown_id() {
        const answers = [];
        for (const id of ['nope', '', '../\u0000\u{1f4a5}', randomUUID()]) answers.push(await denied(id));
        return { answers };
    },

    /** Cursors that were never given. */
    async bad_cursor() {
        const answers = [];
        for (const cursor of ['bad!', '', 'AAAA']) answers.push(await refused(page(cursor)));
        return { answers };
    },

    /** Cursors made of one that was given: cut, lengthened, and with each character another. */
    async tampered_cursor({ text = 'Take for ever', ttl = 60000, count = 60 }) {
        for (let i = 0; i < count; i++) await create(text, ttl);
        const { nextCursor: given } = await page();
        const cursors = [given.slice(1), given.slice(0, -1), `${given}0`];
        for (const [i, was] of [...given].entries()) {
            cursors.push(given.slice(0, i) + (was === '0' ? '1' : '0') + given.slice(i + 1));
        }
        const answers = new Set();
        for (const cursor of cursors) answers.add(JSON.stringify(await refused(page(cursor))));
        return { answers: [...answers].map(answer => JSON.parse(answer)) };
    },

    /** A task whose creation asks for progress: what came until its status was final, and whether more came after. */
    async progress({ text = 'Say hi', ttl = 60000 }) {
        const handled = [];
        const { taskId } = await create(text, ttl, { onprogress: report => handled.push(report) });
        const { status } = await final(taskId);
        const reports = [...progress];
        await result(taskId);
        return {
            status,
            notified: await lastNotified(taskId),
            tokens: [...new Set(reports.map(report => report.progressToken))],
            reports: handled.length,
            growing: handled.every((report, i) => i === 0 || report.progress > handled[i - 1].progress),
            related: reports.every(({ _meta }) => _meta?.[RELATED_TASK_META_KEY]?.taskId === taskId),
            silent: progress.length === reports.length && handled.length === reports.length
        };
    }
};

server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.keys(TOOLS).map(name => ({ name, inputSchema: { type: 'object' } }))
}));

server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const answer = text => [{ type: 'text', text }];
    try {
        const tool = TOOLS[params.name];
        if (!tool) throw new Error(`no tool ${params.name}`);
        const text = `OK ${JSON.stringify(await tool(params.arguments ?? {}))}`;
        if (complaints.length > 0) throw new Error(complaints.join('; '));
        return { content: answer(text) };
    } catch (error) {
        return { content: answer(`ERROR ${JSON.stringify(fields(error))}`), isError: true };
    }
});

server.setNotificationHandler(TaskStatusNotificationSchema, ({ params }) => {
    notified.set(params.taskId, params.status);
});
server.onerror = error => complaints.push(String(error));

const transport = new StdioServerTransport();
await server.connect(transport);
// Read beside the SDK, which passes progress on only while it knows a handler for the token.
const deliver = transport.onmessage;
transport.onmessage = (message, extra) => {
    if (message.method === 'notifications/progress') progress.push(message.params);
    deliver(message, extra);
};
