// A handler: it answers what an MCP server asks of its client.

import "./engine.js";
//[[ get-task get-task-result list-tasks cancel-task augmented-sampling augmented-elicitation
import * as tasks from "taskcell:handlers/tasks@0.1.0";
//]]
//[[ sampling

/** @type {typeof import("taskcell:handlers/sampling@0.1.0")} */
export const sampling = {
  handle: (context, request) => answer(request),
};
//]]
//[[ elicitation

/** @type {typeof import("taskcell:handlers/elicitation@0.1.0")} */
export const elicitation = {
  handle: (context, request) => ask(request),
};
//]]
//[[ roots

/** @type {typeof import("taskcell:handlers/roots@0.1.0")} */
export const roots = {
  handle: (context) => ({ roots: [{ uri: "file:///workspace", name: "workspace" }] }),
};
//]]
//[[ augmented-sampling

/** @type {typeof import("taskcell:handlers/augmented-sampling@0.1.0")} */
export const augmentedSampling = {
  handle: (context, metadata, request) => start(metadata, { tag: "sampling", val: request }),
};
//]]
//[[ augmented-elicitation

/** @type {typeof import("taskcell:handlers/augmented-elicitation@0.1.0")} */
export const augmentedElicitation = {
  handle: (context, metadata, request) => start(metadata, { tag: "elicitation", val: request }),
};
//]]
//[[ background

/** @type {typeof import("taskcell:handlers/background@0.1.0")} */
export const background = {
  run(context, task, input) {
    switch (input.tag) {
      //[[ augmented-sampling
      case "sampling":
        return { tag: "sampling", val: answer(input.val) };
      //]]
      //[[ augmented-elicitation
      case "elicitation":
        return { tag: "elicitation", val: ask(input.val) };
      //]]
      default:
        throw { code: -32603, message: "No such work is spawned" };
    }
  },
};
//]]
//[[ get-task

/** @type {typeof import("taskcell:handlers/get-task@0.1.0")} */
export const getTask = {
  handle: (context, taskId) => ({ task: tasks.get(taskId) }),
};
//]]
//[[ get-task-result

/** @type {typeof import("taskcell:handlers/get-task-result@0.1.0")} */
export const getTaskResult = {
  handle: (context, taskId) => tasks.waitForResult(taskId),
};
//]]
//[[ list-tasks

/** @type {typeof import("taskcell:handlers/list-tasks@0.1.0")} */
export const listTasks = {
  handle: (context, cursor) => tasks.list(cursor),
};
//]]
//[[ cancel-task

/** @type {typeof import("taskcell:handlers/cancel-task@0.1.0")} */
export const cancelTask = {
  handle: (context, taskId) => ({ task: tasks.cancel(taskId) }),
};
//]]
//[[ sampling augmented-sampling

// Quotes the last thing that the user said. An error is a plain object: `throw { code: -1, message: "…" }`.
function answer(request) {
  const messages = request.messages.filter((message) => message.role === "user");
  const said = messages.flatMap((message) => message.content).findLast((content) => content.tag === "text");
  return {
    role: "assistant",
    content: [{ tag: "text", val: { text: `You said: ${said?.val.text ?? ""}` } }],
    model: "fixed",
    stopReason: "endTurn",
  };
}
//]]
//[[ elicitation augmented-elicitation

// Says no. To ask the person at the client, import `user` in wit/world.wit and return `user.elicit(request)`.
function ask(request) {
  return { action: { tag: "decline" } };
}
//]]
//[[ background

// Makes a task whose work `background` does once this answer is out.
function start(metadata, input) {
  const task = tasks.create(metadata, {});
  tasks.spawn(task.taskId, input);
  return { task };
}
//]]
