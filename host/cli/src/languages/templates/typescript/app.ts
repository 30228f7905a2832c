// A handler: it answers what an MCP server asks of its client.

//[[ augmented-elicitation
import type * as AugmentedElicitation from "taskcell:handlers/augmented-elicitation@0.1.0";
//]]
//[[ augmented-sampling
import type * as AugmentedSampling from "taskcell:handlers/augmented-sampling@0.1.0";
//]]
//[[ background
import type * as Background from "taskcell:handlers/background@0.1.0";
//]]
//[[ cancel-task
import type * as CancelTask from "taskcell:handlers/cancel-task@0.1.0";
//]]
//[[ elicitation
import type * as Elicitation from "taskcell:handlers/elicitation@0.1.0";
//]]
//[[ get-task-result
import type * as GetTaskResult from "taskcell:handlers/get-task-result@0.1.0";
//]]
//[[ get-task
import type * as GetTask from "taskcell:handlers/get-task@0.1.0";
//]]
//[[ list-tasks
import type * as ListTasks from "taskcell:handlers/list-tasks@0.1.0";
//]]
//[[ roots
import type * as Roots from "taskcell:handlers/roots@0.1.0";
//]]
//[[ sampling
import type * as Sampling from "taskcell:handlers/sampling@0.1.0";
//]]
//[[ sampling augmented-sampling
import type { CreateMessageRequest, CreateMessageResult } from "taskcell:handlers/types@0.1.0";
//]]
//[[ elicitation augmented-elicitation
import type { ElicitRequest, ElicitResult } from "taskcell:handlers/types@0.1.0";
//]]
//[[ background
import type { CreateTaskResult, RpcError, TaskInput, TaskMetadata } from "taskcell:handlers/types@0.1.0";
//]]

import "./engine.js";
//[[ get-task get-task-result list-tasks cancel-task augmented-sampling augmented-elicitation
import * as tasks from "taskcell:handlers/tasks@0.1.0";
//]]
//[[ sampling

export const sampling: typeof Sampling = {
  handle: (context, request) => answer(request),
};
//]]
//[[ elicitation

export const elicitation: typeof Elicitation = {
  handle: (context, request) => ask(request),
};
//]]
//[[ roots

export const roots: typeof Roots = {
  handle: (context) => ({ roots: [{ uri: "file:///workspace", name: "workspace" }] }),
};
//]]
//[[ augmented-sampling

export const augmentedSampling: typeof AugmentedSampling = {
  handle: (context, metadata, request) => start(metadata, { tag: "sampling", val: request }),
};
//]]
//[[ augmented-elicitation

export const augmentedElicitation: typeof AugmentedElicitation = {
  handle: (context, metadata, request) => start(metadata, { tag: "elicitation", val: request }),
};
//]]
//[[ background

export const background: typeof Background = {
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
        throw { code: -32603, message: "No such work is spawned" } satisfies RpcError;
    }
  },
};
//]]
//[[ get-task

export const getTask: typeof GetTask = {
  handle: (context, taskId) => ({ task: tasks.get(taskId) }),
};
//]]
//[[ get-task-result

export const getTaskResult: typeof GetTaskResult = {
  handle: (context, taskId) => tasks.waitForResult(taskId),
};
//]]
//[[ list-tasks

export const listTasks: typeof ListTasks = {
  handle: (context, cursor) => tasks.list(cursor),
};
//]]
//[[ cancel-task

export const cancelTask: typeof CancelTask = {
  handle: (context, taskId) => ({ task: tasks.cancel(taskId) }),
};
//]]
//[[ sampling augmented-sampling

// Quotes the last thing that the user said. An error is a plain object: `throw { code: -1, message: "…" } satisfies RpcError`.
function answer(request: CreateMessageRequest): CreateMessageResult {
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
function ask(request: ElicitRequest): ElicitResult {
  return { action: { tag: "decline" } };
}
//]]
//[[ background

// Makes a task whose work `background` does once this answer is out.
function start(metadata: TaskMetadata, input: TaskInput): CreateTaskResult {
  const task = tasks.create(metadata, {});
  tasks.spawn(task.taskId, input);
  return { task };
}
//]]
