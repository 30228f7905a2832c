// An MCP server of revision 2026-07-28 whose tools ask the client: the TypeScript SDK's part of the tests of that revision.
//
// It speaks over stdio, and an earlier revision, too, when the client begins with one. What a tool says at its end holds
// what the client gave. server.py in python-2026 and the program rmcp-server have the same tools. Its first argument is the
// folder whose node_modules holds the SDK.

import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.argv[2], 'package.json'));
const { inputRequired, McpServer, ResourceTemplate } = require('@modelcontextprotocol/server');
const { serveStdio } = require('@modelcontextprotocol/server/stdio');

const form = () =>
    inputRequired.elicit({
        message: 'Your name?',
        requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
    });
const said = text => ({ content: [{ type: 'text', text }] });

serveStdio(() => {
    const server = new McpServer({ name: 'node-2026', version: '1' });

    server.registerTool('three', { description: 'Asks for three things at once' }, async ctx => {
        const given = ctx.mcpReq.inputResponses;
        if (!given) {
            const content = { type: 'text', text: 'Capital of France?' };
            const capital = inputRequired.createMessage({ messages: [{ role: 'user', content }], maxTokens: 20 });
            return inputRequired({ inputRequests: { who: form(), capital, dirs: inputRequired.listRoots() } });
        }
        return said(`${given.who.content.name}, ${given.capital.content.text}, ${given.dirs.roots[0].uri}`);
    });

    server.registerTool('rounds', { description: 'Asks for a name, then for nothing, then for a page' }, async ctx => {
        const given = ctx.mcpReq.inputResponses ?? {};
        const state = ctx.mcpReq.requestState();
        if (state === undefined) return inputRequired({ inputRequests: { who: form() }, requestState: 'waiting' });
        if (state === 'waiting') return inputRequired({ requestState: `known ${given.who.content.name}` });
        if (state.startsWith('known')) {
            const page = inputRequired.elicitUrl({ message: 'Sign in', url: 'https://example.com/' });
            return inputRequired({ inputRequests: { page }, requestState: `paged ${state}` });
        }
        return said(`${state}, ${given.page.action}`);
    });

    server.registerTool('stateless', { description: 'Asks without a state, and wants none back' }, async ctx => {
        const given = ctx.mcpReq.inputResponses;
        if (!given) return inputRequired({ inputRequests: { dirs: inputRequired.listRoots() } });
        return said(`${given.dirs.roots[0].uri}, ${ctx.mcpReq.requestState() ?? 'None'}`);
    });

    server.registerPrompt('greeting', { description: 'Asks for a name' }, async ctx => {
        const given = ctx.mcpReq.inputResponses;
        if (!given) return inputRequired({ inputRequests: { who: form() } });
        const content = { type: 'text', text: `Hello ${given.who.content.name}` };
        return { messages: [{ role: 'user', content }] };
    });

    const asks = new ResourceTemplate('asks://{what}', { list: undefined });
    server.registerResource('asks', asks, {}, async (uri, { what }, ctx) => {
        const given = ctx.mcpReq.inputResponses;
        if (!given) return inputRequired({ inputRequests: { who: form() } });
        return { contents: [{ uri: uri.href, text: `${what} of ${given.who.content.name}` }] };
    });
    return server;
});
