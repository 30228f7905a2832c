// Runs a model as a task, once the user has approved of the prompt.

import type * as AugmentedSampling from "taskcell:handlers/augmented-sampling@0.1.0";
import type * as Background from "taskcell:handlers/background@0.1.0";
import type * as CancelTask from "taskcell:handlers/cancel-task@0.1.0";
import type * as GetTask from "taskcell:handlers/get-task@0.1.0";
import type * as GetTaskResult from "taskcell:handlers/get-task-result@0.1.0";
import type * as ListTasks from "taskcell:handlers/list-tasks@0.1.0";
import type { CreateMessageRequest, RpcError } from "taskcell:handlers/types@0.1.0";

import * as model from "taskcell:handlers/model@0.1.0";
import * as progress from "taskcell:handlers/progress@0.1.0";
import * as tasks from "taskcell:handlers/tasks@0.1.0";
import * as user from "taskcell:handlers/user@0.1.0";

import { log } from "./log.js";

export const augmentedSampling: typeof AugmentedSampling = {
  handle(context, metadata, request) {
    const task = tasks.create(metadata, { pollInterval: 1000, statusMessage: "waiting for the user's approval" });
    tasks.spawn(task.taskId, { tag: "sampling", val: request });
    return { task };
  },
};

// Runs after the answer above went out, in a cell of its own.
export const background: typeof Background = {
  run(context, task, input) {
    if (input.tag !== "sampling") throw new Error(`there is no work of the kind ${input.tag}`);
    progress.report(1, 3, "waiting for the user's approval");
    const answer = user.confirm(`May ${context.server.name} have a model answer this? ${prompt(input.val)}`);
    log(`the user has ${answer} task ${task.taskId}`);
    if (answer !== "accepted") throw { code: -1, message: "User rejected sampling request" } satisfies RpcError;

    tasks.update(task.taskId, "working", "approved, waiting for the model");
    progress.report(2, 3, "waiting for the model");
    const said = model.createMessage(input.val);
    progress.report(3, 3, "answered");
    return { tag: "sampling", val: said };
  },
};

export const getTask: typeof GetTask = { handle: (context, taskId) => ({ task: tasks.get(taskId) }) };
export const getTaskResult: typeof GetTaskResult = { handle: (context, taskId) => tasks.waitForResult(taskId) };
export const listTasks: typeof ListTasks = { handle: (context, cursor) => tasks.list(cursor) };
export const cancelTask: typeof CancelTask = { handle: (context, taskId) => ({ task: tasks.cancel(taskId) }) };

// All that would be sent, as far as it is text: the user should see what is approved of.
function prompt(request: CreateMessageRequest): string {
  const contents = request.messages.flatMap((message) => message.content);
  const texts = contents.map((content) => (content.tag === "text" ? content.val.text : `(${content.tag})`));
  return [request.systemPrompt ?? [], texts].flat().join("\n");
}
