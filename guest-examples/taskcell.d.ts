// The interfaces of the handler protocol and of what handlers may import, as componentize-qjs gives them to JavaScript.
// Made from the WIT files: do not edit.

declare module "taskcell:handlers/augmented-elicitation@0.1.0" {
  import type { CreateTaskResult } from "taskcell:handlers/types@0.1.0";
  import type { ElicitRequest } from "taskcell:handlers/types@0.1.0";
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  import type { TaskMetadata } from "taskcell:handlers/types@0.1.0";
  /**
   * Creates a task, hands the work to the background, and returns the task at once. What was spawned starts
   * only after this answer went out, and not at all when it is an error.
   */
  export function handle(context: RequestContext, task: TaskMetadata, request: ElicitRequest): CreateTaskResult;
}

declare module "taskcell:handlers/augmented-sampling@0.1.0" {
  import type { CreateMessageRequest } from "taskcell:handlers/types@0.1.0";
  import type { CreateTaskResult } from "taskcell:handlers/types@0.1.0";
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  import type { TaskMetadata } from "taskcell:handlers/types@0.1.0";
  /**
   * Creates a task, hands the work to the background, and returns the task at once. What was spawned starts
   * only after this answer went out, and not at all when it is an error.
   */
  export function handle(context: RequestContext, task: TaskMetadata, request: CreateMessageRequest): CreateTaskResult;
}

declare module "taskcell:handlers/background@0.1.0" {
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  import type { Task } from "taskcell:handlers/types@0.1.0";
  import type { TaskInput } from "taskcell:handlers/types@0.1.0";
  import type { TaskOutput } from "taskcell:handlers/types@0.1.0";
  /**
   * Works on `input`, as given to `tasks.spawn`. What it returns completes or fails the task, unless the
   * task is final by then. `context` is that of the request that created the task; its progress token stays
   * valid until the task is final. A cancelled task ends the cell wherever it is. Work that a stopped host left
   * unfinished is run again from its start, with a greater `attempt` in the context.
   */
  export function run(context: RequestContext, task: Task, input: TaskInput): TaskOutput;
}

declare module "taskcell:handlers/cancel-task@0.1.0" {
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  import type { TaskResult } from "taskcell:handlers/types@0.1.0";
  /** Ends a task as `cancelled` and says so. A task that is final already is -32602. */
  export function handle(context: RequestContext, taskId: string): TaskResult;
}

declare module "taskcell:handlers/elicitation@0.1.0" {
  import type { ElicitRequest } from "taskcell:handlers/types@0.1.0";
  import type { ElicitResult } from "taskcell:handlers/types@0.1.0";
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  /** Asks the user, or answers in the user's place. Declining is a result, not an error. */
  export function handle(context: RequestContext, request: ElicitRequest): ElicitResult;
}

declare module "taskcell:handlers/get-task-result@0.1.0" {
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  import type { TaskOutput } from "taskcell:handlers/types@0.1.0";
  /**
   * Waits until the task is final, then gives what the request would have given without a task, an error
   * included. The host adds `_meta["io.modelcontextprotocol/related-task"]`.
   */
  export function handle(context: RequestContext, taskId: string): TaskOutput;
}

declare module "taskcell:handlers/get-task@0.1.0" {
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  import type { TaskResult } from "taskcell:handlers/types@0.1.0";
  /** Says where a task stands. An id that is unknown, expired or another requestor's is -32602, all alike. */
  export function handle(context: RequestContext, taskId: string): TaskResult;
}

declare module "taskcell:handlers/list-tasks@0.1.0" {
  import type { ListTasksResult } from "taskcell:handlers/types@0.1.0";
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  /**
   * Gives one page of the requestor's tasks, from the start or from a cursor of an earlier page. A cursor
   * that was never given is -32602.
   */
  export function handle(context: RequestContext, cursor: string | null): ListTasksResult;
}

declare module "taskcell:handlers/model@0.1.0" {
  import type { CreateMessageRequest } from "taskcell:handlers/types@0.1.0";
  import type { CreateMessageResult } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  /** Runs the model. Suspends this cell. The error is the provider's, or the guard's that refused. */
  export function createMessage(request: CreateMessageRequest): CreateMessageResult;
}

declare module "taskcell:handlers/progress@0.1.0" {
  /**
   * Tells the requestor how far the work is, when the request carried a progress token; otherwise nothing
   * happens. A value that is not finite or not greater than the last one is dropped, as is everything after
   * the request, or the task made from it, has ended.
   */
  export function report(progress: number, total: number | null, message: string | null): void;
}

declare module "taskcell:handlers/roots@0.1.0" {
  import type { ListRootsResult } from "taskcell:handlers/types@0.1.0";
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  /** Names the folders and files that the server may work on. */
  export function handle(context: RequestContext): ListRootsResult;
}

declare module "taskcell:handlers/sampling@0.1.0" {
  import type { CreateMessageRequest } from "taskcell:handlers/types@0.1.0";
  import type { CreateMessageResult } from "taskcell:handlers/types@0.1.0";
  import type { RequestContext } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  /**
   * Runs a model, or answers in its place. A returned error goes to the peer word for word; -1 is the code
   * for a user who refused.
   */
  export function handle(context: RequestContext, request: CreateMessageRequest): CreateMessageResult;
}

declare module "taskcell:handlers/tasks@0.1.0" {
  import type { Json } from "taskcell:handlers/types@0.1.0";
  import type { ListTasksResult } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  import type { Task } from "taskcell:handlers/types@0.1.0";
  import type { TaskInput } from "taskcell:handlers/types@0.1.0";
  import type { TaskMetadata } from "taskcell:handlers/types@0.1.0";
  import type { TaskOutput } from "taskcell:handlers/types@0.1.0";
  import type { TaskStatus } from "taskcell:handlers/types@0.1.0";
  /** What a handler may choose about a new task. */
  export interface TaskOptions {
    /** How often the requestor should ask, in milliseconds; none leaves it to the host. */
    pollInterval?: number | null;
    /** The first status message. */
    statusMessage?: string | null;
  }
  /** Makes a task in status `working`. Fails with -32603 when the requestor has too many. */
  export function create(metadata: TaskMetadata, options: TaskOptions): Task;
  /** Finds a task. Unknown, expired and foreign ids are -32602. */
  export function get(taskId: string): Task;
  /** One page of tasks, the oldest first. A cursor that was never given is -32602. */
  export function list(cursor: string | null): ListTasksResult;
  /**
   * Sets `working` or `input-required` and the status message. For the other states there are `complete`,
   * `fail` and `cancel`.
   */
  export function update(taskId: string, status: TaskStatus, statusMessage: string | null): Task;
  /** Ends a task as `completed` with its result. */
  export function complete(taskId: string, output: TaskOutput): Task;
  /** Ends a task as `failed` with the error that `tasks/result` will give. */
  export function fail(taskId: string, error: RpcError): Task;
  /** Ends a task as `cancelled`, and its running background cell with it. */
  export function cancel(taskId: string): Task;
  /** Waits until a task is final and gives its result or its error. Suspends this cell; others go on. */
  export function waitForResult(taskId: string): TaskOutput;
  /**
   * Hands work to `background.run` of this component. It starts after the running request's answer went
   * out, once per task. -32603 when the component exports no `background`.
   */
  export function spawn(taskId: string, input: TaskInput): void;
}

declare module "taskcell:handlers/types@0.1.0" {
  /** A JSON document as UTF-8 text. The host refuses text that is not valid JSON or nests deeper than 64 levels. */
  export type Json = string;
  /** The token a requestor chose for progress notifications. [ProgressToken] */
  export type ProgressToken =
    /** A token that is a JSON string. */
    | { tag: "text"; val: string }
    /** A token that is a whole JSON number. */
    | { tag: "number"; val: number };
  /** The background an icon is drawn for. [Icon.theme] */
  export type IconTheme =
    /** For a light background. */
    | "light"
    /** For a dark background. */
    | "dark";
  /** A picture for a user interface. [Icon] */
  export interface Icon {
    /** An http, https or data URI. Chosen by the peer: do not fetch it without a policy. */
    src: string;
    /** The MIME type, when the source's own is missing or generic. */
    mimeType?: string | null;
    /** Sizes as `WxH`, or `any` for scalable pictures. */
    sizes?: Array<string> | null;
    /** The background the picture is drawn for. */
    theme?: IconTheme | null;
  }
  /** What a peer says it is. [Implementation] */
  export interface Implementation {
    /** The identifier for programs. */
    name: string;
    /** The name for people, when it differs. */
    title?: string | null;
    /** The version, in whatever form the peer uses. */
    version: string;
    /** What the peer does, for people. */
    description?: string | null;
    /** The peer's web site. */
    websiteUrl?: string | null;
    /** Pictures for a user interface. */
    icons?: Array<Icon> | null;
  }
  /** What is known about the request that is being handled. */
  export interface RequestContext {
    /** The JSON text of the request's id: `7`, `"a"`. Unique among the requests in flight, not for ever. */
    requestId: Json;
    /** The progress token, when the requestor wants progress. [RequestParams._meta.progressToken] */
    progressToken?: ProgressToken | null;
    /** The request's whole `_meta` object, when there is one. [RequestParams._meta] */
    meta?: Json | null;
    /** The server that asks. */
    server: Implementation;
    /** The revision of MCP that was negotiated, such as `2025-11-25`. */
    protocolVersion: string;
    /**
     * How often the work was begun, this time included: 1, and more only for the work of a task that is done
     * again because the host stopped before it was done. What must not happen twice is guarded by it.
     */
    attempt: number;
  }
  /** An error as it goes out in a JSON-RPC error response, word for word. [Error] */
  export interface RpcError {
    /** The JSON-RPC code: -32602 invalid params, -32603 internal, -1 rejected by the user. */
    code: number;
    /** One short sentence. */
    message: string;
    /** More about the error, of any shape. */
    data?: Json | null;
  }
  /**
   * ---- Content ----
   * Who speaks. [Role]
   */
  export type Role =
    /** The person or the program asking the model. */
    | "user"
    /** The model. */
    | "assistant";
  /** Hints on the use of a piece of content. [Annotations] */
  export interface Annotations {
    /** For whom the content is meant. */
    audience?: Array<Role> | null;
    /** Importance, from 0 (optional) to 1 (required). */
    priority?: number | null;
    /** When it was last modified, ISO 8601. */
    lastModified?: string | null;
  }
  /** Text to or from a model. [TextContent] */
  export interface TextContent {
    /** The text. */
    text: string;
    /** Hints on its use. */
    annotations?: Annotations | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** A picture to or from a model. [ImageContent] */
  export interface ImageContent {
    /** The bytes in base64. */
    data: string;
    /** The MIME type, such as `image/png`. */
    mimeType: string;
    /** Hints on its use. */
    annotations?: Annotations | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** Sound to or from a model. [AudioContent] */
  export interface AudioContent {
    /** The bytes in base64. */
    data: string;
    /** The MIME type, such as `audio/wav`. */
    mimeType: string;
    /** Hints on its use. */
    annotations?: Annotations | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** A resource that the reader may fetch. [ResourceLink] */
  export interface ResourceLink {
    /** The resource's URI. */
    uri: string;
    /** The identifier for programs. */
    name: string;
    /** The name for people. */
    title?: string | null;
    /** What the resource is, for a model. */
    description?: string | null;
    /** The MIME type, when known. */
    mimeType?: string | null;
    /** The raw size in bytes; a whole number. */
    size?: number | null;
    /** Pictures for a user interface. */
    icons?: Array<Icon> | null;
    /** Hints on its use. */
    annotations?: Annotations | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** The content of a resource that is text. [TextResourceContents] */
  export interface TextResourceContents {
    /** The resource's URI. */
    uri: string;
    /** The MIME type, when known. */
    mimeType?: string | null;
    /** The text. */
    text: string;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** The content of a resource that is bytes. [BlobResourceContents] */
  export interface BlobResourceContents {
    /** The resource's URI. */
    uri: string;
    /** The MIME type, when known. */
    mimeType?: string | null;
    /** The bytes in base64. */
    blob: string;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** The content of an embedded resource. [TextResourceContents, BlobResourceContents] */
  export type ResourceContents =
    /** A resource that is text. */
    | { tag: "text"; val: TextResourceContents }
    /** A resource that is bytes. */
    | { tag: "blob"; val: BlobResourceContents };
  /** A resource sent along. [EmbeddedResource] */
  export interface EmbeddedResource {
    /** The content. */
    resource: ResourceContents;
    /** Hints on its use. */
    annotations?: Annotations | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /**
   * One piece of what a tool gave. [ContentBlock]
   *
   * Not the same as `sampling-content`: a tool's result holds resources and no further tool use, and WIT
   * types do not recurse.
   */
  export type ContentBlock =
    /** Text. */
    | { tag: "text"; val: TextContent }
    /** A picture. */
    | { tag: "image"; val: ImageContent }
    /** Sound. */
    | { tag: "audio"; val: AudioContent }
    /** A resource to fetch. */
    | { tag: "resource-link"; val: ResourceLink }
    /** A resource sent along. */
    | { tag: "resource"; val: EmbeddedResource };
  /** A model's wish to call a tool. [ToolUseContent] */
  export interface ToolUseContent {
    /** Pairs this use with its result. */
    id: string;
    /** The tool's name. */
    name: string;
    /** The arguments: a JSON object that fits the tool's input schema. */
    input: Json;
    /** `_meta`; keep it when the use is sent again. */
    meta?: Json | null;
  }
  /** What a tool gave, on its way to the model. [ToolResultContent] */
  export interface ToolResultContent {
    /** The `id` of the tool use that this answers. */
    toolUseId: string;
    /** What the tool gave. */
    content: Array<ContentBlock>;
    /** The same as a JSON object, when the tool declares an output schema. */
    structuredContent?: Json | null;
    /** Whether the tool failed; absent means it did not. */
    isError?: boolean | null;
    /** `_meta`; keep it when the result is sent again. */
    meta?: Json | null;
  }
  /** One piece of a message to or from a model. [SamplingMessageContentBlock] */
  export type SamplingContent =
    /** Text. */
    | { tag: "text"; val: TextContent }
    /** A picture. */
    | { tag: "image"; val: ImageContent }
    /** Sound. */
    | { tag: "audio"; val: AudioContent }
    /** The model wants to call a tool. */
    | { tag: "tool-use"; val: ToolUseContent }
    /** A tool's result for the model. */
    | { tag: "tool-result"; val: ToolResultContent };
  /** Whether a tool may run as a task. [ToolExecution.taskSupport] */
  export type TaskSupport =
    /** Never as a task. */
    | "forbidden"
    /** Either way. */
    | "optional"
    /** Only as a task. */
    | "required";
  /** How a tool may be executed. [ToolExecution] */
  export interface ToolExecution {
    /** Whether it may run as a task; absent means forbidden. */
    taskSupport?: TaskSupport | null;
  }
  /** What a tool's author says of its behavior: hints from the server, not promises. [ToolAnnotations] */
  export interface ToolAnnotations {
    /** The name for people. */
    title?: string | null;
    /** It changes nothing. */
    readOnlyHint?: boolean | null;
    /** It may destroy something. */
    destructiveHint?: boolean | null;
    /** Calling it again with the same arguments changes nothing more. */
    idempotentHint?: boolean | null;
    /** It reaches an open world, such as the web. */
    openWorldHint?: boolean | null;
  }
  /**
   * ---- Tools ----
   * A tool that the model may use. [Tool]
   */
  export interface Tool {
    /** The identifier for programs. */
    name: string;
    /** The name for people. */
    title?: string | null;
    /** What the tool does, for a model. */
    description?: string | null;
    /** A JSON Schema object for the arguments. */
    inputSchema: Json;
    /** How the tool may be executed. */
    execution?: ToolExecution | null;
    /** A JSON Schema object for the structured result. */
    outputSchema?: Json | null;
    /** Hints on the tool's behavior; not to be trusted. */
    annotations?: ToolAnnotations | null;
    /** Pictures for a user interface. */
    icons?: Array<Icon> | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /**
   * ---- Sampling ----
   * One message of a conversation with a model. [SamplingMessage]
   */
  export interface SamplingMessage {
    /** Who speaks. */
    role: Role;
    /** The pieces, in order. On the wire a list of one is written as its single piece. */
    content: Array<SamplingContent>;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** A model name, or part of one, that the server would like. [ModelHint] */
  export interface ModelHint {
    /** A substring of a model's name. */
    name?: string | null;
  }
  /** What the server would like of the model; advice that may be ignored. [ModelPreferences] */
  export interface ModelPreferences {
    /** Names, the best first; they outweigh the priorities. */
    hints?: Array<ModelHint> | null;
    /** Weight of low cost, from 0 to 1. */
    costPriority?: number | null;
    /** Weight of speed, from 0 to 1. */
    speedPriority?: number | null;
    /** Weight of capability, from 0 to 1. */
    intelligencePriority?: number | null;
  }
  /** Whose context should go into the prompt. [CreateMessageRequestParams.includeContext] */
  export type IncludeContext =
    /** Nobody's: the default. */
    | "none"
    /** The asking server's. */
    | "this-server"
    /** Every connected server's. */
    | "all-servers";
  /** Whether the model must use tools. [ToolChoice.mode] */
  export type ToolChoiceMode =
    /** The model decides: the default. */
    | "auto"
    /** At least one tool use before it completes. */
    | "required"
    /** No tool use. */
    | "none";
  /** How the model may use tools. [ToolChoice] */
  export interface ToolChoice {
    /** Absent means `auto`. */
    mode?: ToolChoiceMode | null;
  }
  /**
   * A request to run a model. [CreateMessageRequestParams]
   *
   * `task` and `_meta` of the parameters come beside it, as `task-metadata` and in the `request-context`.
   */
  export interface CreateMessageRequest {
    /** The conversation so far. */
    messages: Array<SamplingMessage>;
    /** What the server would like of the model. */
    modelPreferences?: ModelPreferences | null;
    /** A system prompt; the handler may change or drop it. */
    systemPrompt?: string | null;
    /** Whose context to include. */
    includeContext?: IncludeContext | null;
    /** The sampling temperature. */
    temperature?: number | null;
    /** The most tokens to generate; fewer is allowed. */
    maxTokens: number;
    /** Texts that end the generation. */
    stopSequences?: Array<string> | null;
    /** A JSON object for the model's provider. */
    metadata?: Json | null;
    /** Tools that the model may use. */
    tools?: Array<Tool> | null;
    /** How it may use them. */
    toolChoice?: ToolChoice | null;
  }
  /** What the model said. [CreateMessageResult] */
  export interface CreateMessageResult {
    /** Who speaks: as a rule `assistant`. */
    role: Role;
    /** The pieces, in order. On the wire a list of one is written as its single piece. */
    content: Array<SamplingContent>;
    /** The name of the model that said it. */
    model: string;
    /** Why it stopped: `endTurn`, `stopSequence`, `maxTokens`, `toolUse`, or a provider's own word. */
    stopReason?: string | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /**
   * ---- Elicitation ----
   * A field for text. [StringSchema]
   */
  export interface StringSchema {
    /** The label. */
    title?: string | null;
    /** What to enter. */
    description?: string | null;
    /** The least number of characters. */
    minLength?: number | null;
    /** The greatest number of characters. */
    maxLength?: number | null;
    /** `email`, `uri`, `date` or `date-time`; servers are seen to send others. */
    format?: string | null;
    /** What to offer. */
    default?: string | null;
  }
  /** A field for a number. [NumberSchema] */
  export interface NumberSchema {
    /** The label. */
    title?: string | null;
    /** What to enter. */
    description?: string | null;
    /** The least value, included. */
    minimum?: number | null;
    /** The greatest value, included. */
    maximum?: number | null;
    /** What to offer. */
    default?: number | null;
  }
  /** A field for yes or no. [BooleanSchema] */
  export interface BooleanSchema {
    /** The label. */
    title?: string | null;
    /** What is asked. */
    description?: string | null;
    /** What to offer. */
    default?: boolean | null;
  }
  /** One choice of an enumeration with labels. [TitledSingleSelectEnumSchema.oneOf] */
  export interface EnumOption {
    /** The value to answer with. [const] */
    value: string;
    /** The label to show. */
    title: string;
  }
  /** A field for one of several values. [UntitledSingleSelectEnumSchema] */
  export interface UntitledSingleSelectSchema {
    /** The label. */
    title?: string | null;
    /** What to choose. */
    description?: string | null;
    /** The values. [enum] */
    values: Array<string>;
    /** What to offer. */
    default?: string | null;
  }
  /** A field for one of several labeled values. [TitledSingleSelectEnumSchema] */
  export interface TitledSingleSelectSchema {
    /** The label. */
    title?: string | null;
    /** What to choose. */
    description?: string | null;
    /** The choices. [oneOf] */
    options: Array<EnumOption>;
    /** What to offer. */
    default?: string | null;
  }
  /** A field for any of several values. [UntitledMultiSelectEnumSchema] */
  export interface UntitledMultiSelectSchema {
    /** The label. */
    title?: string | null;
    /** What to choose. */
    description?: string | null;
    /** The least number of choices. */
    minItems?: number | null;
    /** The greatest number of choices. */
    maxItems?: number | null;
    /** The values. [items.enum] */
    values: Array<string>;
    /** What to offer. */
    default?: Array<string> | null;
  }
  /** A field for any of several labeled values. [TitledMultiSelectEnumSchema] */
  export interface TitledMultiSelectSchema {
    /** The label. */
    title?: string | null;
    /** What to choose. */
    description?: string | null;
    /** The least number of choices. */
    minItems?: number | null;
    /** The greatest number of choices. */
    maxItems?: number | null;
    /** The choices. [items.anyOf] */
    options: Array<EnumOption>;
    /** What to offer. */
    default?: Array<string> | null;
  }
  /** A field for one of several values, labeled in the old way. [LegacyTitledEnumSchema] */
  export interface LegacyTitledEnumSchema {
    /** The label. */
    title?: string | null;
    /** What to choose. */
    description?: string | null;
    /** The values. [enum] */
    values: Array<string>;
    /** The labels, in the order of the values. [enumNames] */
    names: Array<string>;
    /** What to offer. */
    default?: string | null;
  }
  /** What one field of a form takes. [PrimitiveSchemaDefinition] */
  export type PrimitiveSchema =
    /** Text. */
    | { tag: "text"; val: StringSchema }
    /** A number. */
    | { tag: "number"; val: NumberSchema }
    /** A whole number. */
    | { tag: "integer"; val: NumberSchema }
    /** Yes or no. */
    | { tag: "boolean"; val: BooleanSchema }
    /** One of several values. */
    | { tag: "untitled-single-select"; val: UntitledSingleSelectSchema }
    /** One of several labeled values. */
    | { tag: "titled-single-select"; val: TitledSingleSelectSchema }
    /** Any of several values. */
    | { tag: "untitled-multi-select"; val: UntitledMultiSelectSchema }
    /** Any of several labeled values. */
    | { tag: "titled-multi-select"; val: TitledMultiSelectSchema }
    /** One of several values, labeled in the old way. */
    | { tag: "legacy-titled-enum"; val: LegacyTitledEnumSchema }
    /**
     * A schema that no other case stands for, as it came; a handler may read it as JSON Schema, or decline.
     * The other cases are sound: an answer within its case is an answer that the server's schema allows.
     */
    | { tag: "other"; val: Json };
  /** One field of a form: an entry of the schema's `properties`. */
  export interface SchemaProperty {
    /** The key of the answer. */
    name: string;
    /** What the field takes. */
    schema: PrimitiveSchema;
  }
  /** The fields of a form. [ElicitRequestFormParams.requestedSchema] */
  export interface RequestedSchema {
    /** The JSON Schema dialect. [$schema] */
    dialect?: string | null;
    /** The fields, in the server's order. */
    properties: Array<SchemaProperty>;
    /** The names of the fields that must be answered. */
    required?: Array<string> | null;
  }
  /** A request for data that the user enters into a form. [ElicitRequestFormParams] */
  export interface ElicitForm {
    /** What to tell the user. */
    message: string;
    /** The fields. */
    requestedSchema: RequestedSchema;
  }
  /** A request to send the user to a page, where the data does not pass the client. [ElicitRequestURLParams] */
  export interface ElicitUrl {
    /** Why the page is needed. */
    message: string;
    /** The server's name for this elicitation; opaque. */
    elicitationId: string;
    /** The page. Chosen by the server: show it whole and ask before opening it. */
    url: string;
  }
  /** A request to ask the user. [ElicitRequestParams] */
  export type ElicitRequest =
    /** By a form; also when the request names no mode. */
    | { tag: "form"; val: ElicitForm }
    /** By a page. */
    | { tag: "url"; val: ElicitUrl };
  /** The answer to one field. [ElicitResult.content] */
  export type ElicitValue =
    /** Text, or the value of a single choice. */
    | { tag: "text"; val: string }
    /** A number; whole numbers go out without a fraction. */
    | { tag: "number"; val: number }
    /** Yes or no. */
    | { tag: "boolean"; val: boolean }
    /** The values of a multiple choice. */
    | { tag: "text-list"; val: Array<string> };
  /** One answered field. */
  export interface ElicitEntry {
    /** The field's name. */
    name: string;
    /** Its answer. */
    value: ElicitValue;
  }
  /** What the user did. [ElicitResult.action] */
  export type ElicitAction =
    /** Agreed: with the form's answers, or with nothing where the mode was `url`. */
    | { tag: "accept"; val?: Array<ElicitEntry> | null }
    /** Said no. */
    | { tag: "decline" }
    /** Went away without a choice. */
    | { tag: "cancel" };
  /** The user's answer. [ElicitResult] */
  export interface ElicitResult {
    /** What the user did. */
    action: ElicitAction;
    /** `_meta`. */
    meta?: Json | null;
  }
  /**
   * ---- Roots ----
   * A folder or file that the server may work on. [Root]
   */
  export interface Root {
    /** Its URI, which must start with `file://`. */
    uri: string;
    /** A name for people. */
    name?: string | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** All roots. [ListRootsResult] */
  export interface ListRootsResult {
    /** The roots. */
    roots: Array<Root>;
    /** `_meta`. */
    meta?: Json | null;
  }
  /**
   * ---- Tasks ----
   * The requestor's wish that a request run as a task. [TaskMetadata]
   */
  export interface TaskMetadata {
    /** How long the task should be kept from its creation, in milliseconds. */
    ttl?: number | null;
  }
  /** Where a task stands. [TaskStatus] */
  export type TaskStatus =
    /** Being worked on; every task starts here. */
    | "working"
    /** Waiting for the requestor. */
    | "input-required"
    /** Done, with a result. Final. */
    | "completed"
    /** Ended by an error. Final. */
    | "failed"
    /** Ended by the requestor. Final. */
    | "cancelled";
  /** A task as its requestor sees it. [Task] */
  export interface Task {
    /** The identifier. */
    taskId: string;
    /** Where it stands. */
    status: TaskStatus;
    /** More about the status, for people. */
    statusMessage?: string | null;
    /** When it was created, ISO 8601. */
    createdAt: string;
    /** When its status last changed, ISO 8601. */
    lastUpdatedAt: string;
    /**
     * How long it is kept from its creation, in milliseconds; none for ever. Always on the wire, as a
     * number or null.
     */
    ttl?: number | null;
    /** How often to ask, in milliseconds. */
    pollInterval?: number | null;
  }
  /** The answer to a request that became a task. [CreateTaskResult] */
  export interface CreateTaskResult {
    /** The task. */
    task: Task;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** The answer to `tasks/get` and `tasks/cancel`: a task that is a result. [GetTaskResult, CancelTaskResult] */
  export interface TaskResult {
    /** The task; on the wire its fields stand beside `_meta`. */
    task: Task;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** One page of tasks. [ListTasksResult] */
  export interface ListTasksResult {
    /** The tasks of this page. */
    tasks: Array<Task>;
    /** Where the next page starts, when there is one. Opaque. */
    nextCursor?: string | null;
    /** `_meta`. */
    meta?: Json | null;
  }
  /** What a task was asked to do. */
  export type TaskInput =
    /** Run a model. */
    | { tag: "sampling"; val: CreateMessageRequest }
    /** Ask the user. */
    | { tag: "elicitation"; val: ElicitRequest }
    /** Whatever the handler wrote for itself. */
    | { tag: "custom"; val: Json };
  /** What a task gave: the result that the same request would have had without a task. [GetTaskPayloadResult] */
  export type TaskOutput =
    /** What the model said. */
    | { tag: "sampling"; val: CreateMessageResult }
    /** What the user answered. */
    | { tag: "elicitation"; val: ElicitResult }
    /** A JSON object of the handler's own. */
    | { tag: "custom"; val: Json };
}

declare module "taskcell:handlers/user@0.1.0" {
  import type { ElicitRequest } from "taskcell:handlers/types@0.1.0";
  import type { ElicitResult } from "taskcell:handlers/types@0.1.0";
  import type { RpcError } from "taskcell:handlers/types@0.1.0";
  /** What the person did with a yes-or-no question. */
  export type Confirmation =
    /** Said yes. */
    | "accepted"
    /** Said no. */
    | "declined"
    /** Went away without a choice. */
    | "cancelled";
  /**
   * Shows a form, or offers a page, and waits for the person. Suspends this cell. The error says why the
   * person could not be asked.
   */
  export function elicit(request: ElicitRequest): ElicitResult;
  /** Asks a yes-or-no question and waits. Suspends this cell. */
  export function confirm(message: string): Confirmation;
}

declare module "wasi:cli/stderr@0.2.6" {
  import type { OutputStream } from "wasi:io/streams@0.2.6";
  /** The stream to write to. */
  export function getStderr(): OutputStream;
}

declare module "wasi:clocks/monotonic-clock@0.2.6" {
  import type { Pollable } from "wasi:io/poll@0.2.6";
  /** A point of this clock, in nanoseconds from an arbitrary start. */
  export type Instant = number;
  /** A length of time, in nanoseconds. */
  export type Duration = number;
  /** The present. */
  export function now(): Instant;
  /** A pollable that is ready once the time has passed. */
  export function subscribeDuration(when: Duration): Pollable;
}

declare module "wasi:config/store@0.2.0-rc.1" {
  /** Why a setting could not be read. */
  export type Error =
    /** The source of the settings failed. */
    | { tag: "upstream"; val: string }
    /** Reading failed on the way. */
    | { tag: "io"; val: string };
  /** The value of a key, or none when it is not set. */
  export function get(key: string): string | null;
  /** All keys with their values. */
  export function getAll(): Array<[string, string]>;
}

declare module "wasi:http/outgoing-handler@0.2.6" {
  import type { ErrorCode } from "wasi:http/types@0.2.6";
  import type { FutureIncomingResponse } from "wasi:http/types@0.2.6";
  import type { OutgoingRequest } from "wasi:http/types@0.2.6";
  import type { RequestOptions } from "wasi:http/types@0.2.6";
  /** Sends a request. An error here or in the future says why there is no response. */
  export function handle(request: OutgoingRequest, options: RequestOptions | null): FutureIncomingResponse;
}

declare module "wasi:http/types@0.2.6" {
  import type { Duration } from "wasi:clocks/monotonic-clock@0.2.6";
  import type { Error as IoError } from "wasi:io/error@0.2.6";
  import type { InputStream } from "wasi:io/streams@0.2.6";
  import type { OutputStream } from "wasi:io/streams@0.2.6";
  import type { Pollable } from "wasi:io/poll@0.2.6";
  /** A method. [RFC 9110, 9] */
  export type Method =
    | { tag: "get" }
    | { tag: "head" }
    | { tag: "post" }
    | { tag: "put" }
    | { tag: "delete" }
    | { tag: "connect" }
    | { tag: "options" }
    | { tag: "trace" }
    | { tag: "patch" }
    | { tag: "other"; val: string };
  /** A scheme. */
  export type Scheme =
    | { tag: "HTTP" }
    | { tag: "HTTPS" }
    | { tag: "other"; val: string };
  /** What is known of a failed look-up. */
  export interface DNSErrorPayload {
    rcode?: string | null;
    infoCode?: number | null;
  }
  /** What is known of an alert. */
  export interface TLSAlertReceivedPayload {
    alertId?: number | null;
    alertMessage?: string | null;
  }
  /** What is known of a field. */
  export interface FieldSizePayload {
    fieldName?: string | null;
    fieldSize?: number | null;
  }
  /** Why there is no response, or no more of it. */
  export type ErrorCode =
    | { tag: "DNS-timeout" }
    | { tag: "DNS-error"; val: DNSErrorPayload }
    | { tag: "destination-not-found" }
    | { tag: "destination-unavailable" }
    | { tag: "destination-IP-prohibited" }
    | { tag: "destination-IP-unroutable" }
    | { tag: "connection-refused" }
    | { tag: "connection-terminated" }
    | { tag: "connection-timeout" }
    | { tag: "connection-read-timeout" }
    | { tag: "connection-write-timeout" }
    | { tag: "connection-limit-reached" }
    | { tag: "TLS-protocol-error" }
    | { tag: "TLS-certificate-error" }
    | { tag: "TLS-alert-received"; val: TLSAlertReceivedPayload }
    | { tag: "HTTP-request-denied" }
    | { tag: "HTTP-request-length-required" }
    | { tag: "HTTP-request-body-size"; val?: number | null }
    | { tag: "HTTP-request-method-invalid" }
    | { tag: "HTTP-request-URI-invalid" }
    | { tag: "HTTP-request-URI-too-long" }
    | { tag: "HTTP-request-header-section-size"; val?: number | null }
    | { tag: "HTTP-request-header-size"; val?: FieldSizePayload | null }
    | { tag: "HTTP-request-trailer-section-size"; val?: number | null }
    | { tag: "HTTP-request-trailer-size"; val: FieldSizePayload }
    | { tag: "HTTP-response-incomplete" }
    | { tag: "HTTP-response-header-section-size"; val?: number | null }
    | { tag: "HTTP-response-header-size"; val: FieldSizePayload }
    | { tag: "HTTP-response-body-size"; val?: number | null }
    | { tag: "HTTP-response-trailer-section-size"; val?: number | null }
    | { tag: "HTTP-response-trailer-size"; val: FieldSizePayload }
    | { tag: "HTTP-response-transfer-coding"; val?: string | null }
    | { tag: "HTTP-response-content-coding"; val?: string | null }
    | { tag: "HTTP-response-timeout" }
    | { tag: "HTTP-upgrade-failed" }
    | { tag: "HTTP-protocol-error" }
    | { tag: "loop-detected" }
    | { tag: "configuration-error" }
    | { tag: "internal-error"; val?: string | null };
  /** Why a field cannot be. */
  export type HeaderError =
    | { tag: "invalid-syntax" }
    | { tag: "forbidden" }
    | { tag: "immutable" };
  /** The name of a field. */
  export type FieldName = string;
  /** The value of a field. */
  export type FieldValue = Uint8Array;
  /** Names with values. */
  export class Fields {
    constructor();
    /** The values of a name. */
    get(name: FieldName): Array<FieldValue>;
    /** Adds a value. */
    append(name: FieldName, value: FieldValue): void;
    /** All of them. */
    entries(): Array<[FieldName, FieldValue]>;
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** Fields before a body. */
  export type Headers = Fields;
  /** Fields after a body. */
  export type Trailers = Fields;
  /** A request that is to be sent. */
  export class OutgoingRequest {
    constructor(headers: Headers);
    /** Its body; can be taken once. */
    body(): OutgoingBody;
    /** Sets its method, which is GET otherwise. */
    setMethod(method: Method): void;
    /** Sets its path and query. */
    setPathWithQuery(pathWithQuery: string | null): void;
    /** Sets its scheme, which is HTTPS otherwise. */
    setScheme(scheme: Scheme | null): void;
    /** Sets its host, with a port if it is not that of the scheme. */
    setAuthority(authority: string | null): void;
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** How long a request waits. The policy's own time is never exceeded. */
  export class RequestOptions {
    constructor();
    /** Until the response begins. */
    setFirstByteTimeout(duration: Duration | null): void;
    /** Between two pieces of the body. */
    setBetweenBytesTimeout(duration: Duration | null): void;
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** The status of a response. */
  export type StatusCode = number;
  /** A response. */
  export class IncomingResponse {
    /** Its status. */
    status(): StatusCode;
    /** Its fields. */
    headers(): Headers;
    /** Its body; can be taken once. */
    consume(): IncomingBody;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** The body of a response. */
  export class IncomingBody {
    /** Its bytes; can be taken once. */
    stream(): InputStream;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** The body of a request. */
  export class OutgoingBody {
    /** Where to write it; can be taken once. */
    write(): OutputStream;
    /** Says that it is whole. */
    static finish(self: OutgoingBody, trailers: Trailers | null): void;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** A response that is to come. */
  export class FutureIncomingResponse {
    /** Ready when it has come, or failed. */
    subscribe(): Pollable;
    /** The response, once; none while it has not come. */
    get(): { tag: "ok"; val: { tag: "ok"; val: IncomingResponse } | { tag: "err"; val: ErrorCode } } | { tag: "err"; val: undefined } | null;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** The error of a request behind the error of a stream. */
  export function httpErrorCode(err: IoError): ErrorCode | null;
}

declare module "wasi:io/error@0.2.6" {
  /** An error. */
  export class Error {
    /** The error in words, for people. */
    toDebugString(): string;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
}

declare module "wasi:io/poll@0.2.6" {
  /** Something that becomes ready. */
  export class Pollable {
    /** Whether it is ready now. */
    ready(): boolean;
    /** Waits until it is ready. Suspends the cell. */
    block(): void;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
}

declare module "wasi:io/streams@0.2.6" {
  import type { Error } from "wasi:io/error@0.2.6";
  import type { Pollable } from "wasi:io/poll@0.2.6";
  /** Why a stream gives or takes nothing more. */
  export type StreamError =
    /** It failed. */
    | { tag: "last-operation-failed"; val: Error }
    /** It is at its end. */
    | { tag: "closed" };
  /** A stream to read from. */
  export class InputStream {
    /** Reads so many bytes at most, after waiting for at least one. Suspends the cell. */
    blockingRead(len: number): Uint8Array;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** A stream to write to. */
  export class OutputStream {
    /** Writes 4,096 bytes at most, and waits until they have left. Suspends the cell. */
    blockingWriteAndFlush(contents: Uint8Array): void;
    /** Ready when there is room, or when it has failed. */
    subscribe(): Pollable;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
}

declare module "wasi:keyvalue/atomics@0.2.0-draft" {
  import type { Bucket } from "wasi:keyvalue/store@0.2.0-draft";
  import type { Error } from "wasi:keyvalue/store@0.2.0-draft";
  /** Adds to a number, which stands as decimal digits, and gives the sum. A key that is not there counts as zero. */
  export function increment(bucket: Bucket, key: string, delta: number): number;
}

declare module "wasi:keyvalue/batch@0.2.0-draft" {
  import type { Bucket } from "wasi:keyvalue/store@0.2.0-draft";
  import type { Error } from "wasi:keyvalue/store@0.2.0-draft";
  /** The keys with their values, in the order of the keys; none for one that is not there. */
  export function getMany(bucket: Bucket, keys: Array<string>): Array<[string, Uint8Array] | null>;
  /** Sets values. */
  export function setMany(bucket: Bucket, keyValues: Array<[string, Uint8Array]>): void;
  /** Removes keys. */
  export function deleteMany(bucket: Bucket, keys: Array<string>): void;
}

declare module "wasi:keyvalue/store@0.2.0-draft" {
  /** Why something was not done. */
  export type Error =
    /** There is no bucket of this name, and none is made. */
    | { tag: "no-such-store" }
    /** The bucket is not for this component. */
    | { tag: "access-denied" }
    /** Something else, such as a quota, in words. */
    | { tag: "other"; val: string };
  /** Some of the keys. */
  export interface KeyResponse {
    /** The keys, in no order that may be relied on. */
    keys: Array<string>;
    /** Where to go on; none after the last key. */
    cursor?: number | null;
  }
  /** A set of keys with values. */
  export class Bucket {
    /** The value of a key; none where there is none. */
    get(key: string): Uint8Array | null;
    /** Sets the value of a key, whether it had one or not. */
    set(key: string, value: Uint8Array): void;
    /** Removes a key; one that is not there is no error. */
    delete(key: string): void;
    /** Whether there is such a key. */
    exists(key: string): boolean;
    /** Some of the keys: from the start, or from where an earlier call ended. */
    listKeys(cursor: number | null): KeyResponse;
    private constructor();
    /** Gives it back before the collector does. */
    [Symbol.dispose](): void;
  }
  /** Opens a bucket. taskcell has as many as a handler opens; each handler has its own. */
  export function open(identifier: string): Bucket;
}

declare module "wasi:random/random@0.2.6" {
  /** So many bytes. */
  export function getRandomBytes(len: number): Uint8Array;
  /** 64 bits. */
  export function getRandomU64(): number;
}
