// Answers all nine kinds of request, and works on tasks in the background. What it says depends on the request alone, and
// is the same in each language that has an example `*-everything`.

import * as model from "taskcell:handlers/model@0.1.0";
import * as progress from "taskcell:handlers/progress@0.1.0";
import * as tasks from "taskcell:handlers/tasks@0.1.0";
import * as user from "taskcell:handlers/user@0.1.0";

export const sampling = { handle: (context, request) => sample(request) };
export const elicitation = { handle: (context, request) => elicit(request) };
export const roots = {
  handle: (context) => ({ roots: [{ uri: "file:///everything", name: "everything" }, { uri: "file:///tmp/%C3%A9" }] }),
};
export const augmentedSampling = {
  handle: (context, metadata, request) => begin(metadata, { tag: "sampling", val: request }),
};
export const augmentedElicitation = {
  handle: (context, metadata, request) => begin(metadata, { tag: "elicitation", val: request }),
};
export const getTask = { handle: (context, taskId) => ({ task: tasks.get(taskId) }) };
export const getTaskResult = { handle: (context, taskId) => tasks.waitForResult(taskId) };
export const listTasks = { handle: (context, cursor) => tasks.list(cursor) };
export const cancelTask = { handle: (context, taskId) => ({ task: tasks.cancel(taskId) }) };

const work = { sampling: sample, elicitation: elicit, custom: (json) => json };
export const background = {
  run(context, task, input) {
    progress.report(1, 2, "half");
    return { tag: input.tag, val: work[input.tag](input.val) };
  },
};

// Makes a task and hands its work to the background.
function begin(metadata, input) {
  const task = tasks.create(metadata, { pollInterval: 100, statusMessage: "begun" });
  tasks.spawn(task.taskId, input);
  return { task };
}

// The last text of the user says what is answered.
function sample(request) {
  const contents = request.messages.flatMap((message) => message.content);
  const said = (content, stopReason) => ({ role: "assistant", content, model: "everything", stopReason });
  const text = lastUserText(request.messages);
  if (text.startsWith("ask")) return model.createMessage(request);
  switch (text) {
    case "reject":
      throw { code: -1, message: "User rejected sampling request", data: '{"by":"everything"}' };
    case "trap":
      throw new Error("trap");
    case "image":
      return said(contents.filter((content) => content.tag === "image").slice(0, 1), "endTurn");
    case "tool": {
      const uses = (request.tools ?? []).map(({ name }) => ({ id: "call-1", name, input: '{"n":1}' }));
      return said(uses.slice(0, 1).map((val) => ({ tag: "tool-use", val })), "toolUse");
    }
    default: {
      const at = request.temperature == null ? "" : ` at ${Math.round(request.temperature * 100)}`;
      // QuickJS gives numbers of 2147483648 and more as negative ones.
      const sentence = `${request.messages.length} messages, at most ${request.maxTokens >>> 0} tokens: ${text}${at}`;
      return said([{ tag: "text", val: { text: sentence } }], "endTurn");
    }
  }
}

// The last text in the last message of the user; empty when there is none.
function lastUserText(messages) {
  const last = messages.findLast((message) => message.role === "user");
  return last?.content.findLast((content) => content.tag === "text")?.val.text ?? "";
}

// The message says what is done, and a form is filled from its schema.
function elicit(request) {
  const { message, requestedSchema } = request.val;
  if (message.startsWith("ask")) return user.elicit(request);
  switch (message) {
    case "reject":
      throw { code: -1, message: "User rejected elicitation request" };
    case "trap":
      throw new Error("trap");
    case "decline":
    case "cancel":
      return { action: { tag: message } };
    default:
      return { action: { tag: "accept", val: requestedSchema && fill(requestedSchema) } };
  }
}

// An answer to each field that can be answered, in the order of the form.
function fill(schema) {
  const entries = schema.properties.map(({ name, schema }) => ({ name, value: value(schema) }));
  return entries.filter((entry) => entry.value.val != null);
}

// The field's default, else something of its type; none where the type is not known or there is no choice.
function value({ tag, val: field }) {
  switch (tag) {
    case "text":
      return { tag: "text", val: field.default ?? "text" };
    case "number":
      return { tag: "number", val: field.default ?? 1.5 };
    case "integer":
      return { tag: "number", val: field.default ?? 3 };
    case "boolean":
      return { tag: "boolean", val: field.default ?? true };
    case "untitled-single-select":
    case "legacy-titled-enum":
      return { tag: "text", val: field.default ?? field.values[0] };
    case "titled-single-select":
      return { tag: "text", val: field.default ?? field.options[0]?.value };
    case "untitled-multi-select":
      return { tag: "text-list", val: field.default ?? field.values.slice(0, 1) };
    case "titled-multi-select":
      return { tag: "text-list", val: field.default ?? field.options.slice(0, 1).map((option) => option.value) };
    default:
      return {};
  }
}
