// Package handler answers what an MCP server asks of its client.
package handler
//[[ sampling elicitation roots background

import (
	. "go.bytecodealliance.org/pkg/wit/types"
	//[[ background
	"wit_component/taskcell_handlers_tasks"
	//]]
	. "wit_component/taskcell_handlers_types"
)
//]]
//[[ sampling augmented-sampling

// Sampling quotes the last thing that the user said.
func Sampling(request CreateMessageRequest) Result[CreateMessageResult, RpcError] {
	said := ""
	for _, message := range request.Messages {
		for _, content := range message.Content {
			if message.Role == Role_User && content.Tag() == SamplingContent_Text {
				said = content.Text().Text
			}
		}
	}
	return Ok[CreateMessageResult, RpcError](CreateMessageResult{
		Role:       Role_Assistant,
		Content:    []SamplingContent{MakeSamplingContentText(TextContent{Text: "You said: " + said})},
		Model:      "fixed",
		StopReason: Some("endTurn"),
	})
}
//]]
//[[ elicitation augmented-elicitation

// Elicitation says no. To ask the person at the client, import user and call taskcell_handlers_user.Elicit.
func Elicitation(request ElicitRequest) Result[ElicitResult, RpcError] {
	return Ok[ElicitResult, RpcError](ElicitResult{Action: MakeElicitActionDecline()})
}
//]]
//[[ roots

// Roots names the folders and files that the server may work on.
func Roots() Result[ListRootsResult, RpcError] {
	roots := []Root{{Uri: "file:///workspace", Name: Some("workspace")}}
	return Ok[ListRootsResult, RpcError](ListRootsResult{Roots: roots})
}
//]]
//[[ background

// Start makes a task whose work Background does once the answer is out.
func Start(metadata TaskMetadata, input TaskInput) Result[CreateTaskResult, RpcError] {
	task := taskcell_handlers_tasks.Create(metadata, taskcell_handlers_tasks.TaskOptions{})
	if task.IsErr() {
		return Err[CreateTaskResult](task.Err())
	}
	if spawned := taskcell_handlers_tasks.Spawn(task.Ok().TaskId, input); spawned.IsErr() {
		return Err[CreateTaskResult](spawned.Err())
	}
	return Ok[CreateTaskResult, RpcError](CreateTaskResult{Task: task.Ok()})
}

// Background does the work of a task.
func Background(_ Task, input TaskInput) Result[TaskOutput, RpcError] {
	switch input.Tag() {
	//[[ augmented-sampling
	case TaskInput_Sampling:
		return output(Sampling(input.Sampling()), MakeTaskOutputSampling)
	//]]
	//[[ augmented-elicitation
	case TaskInput_Elicitation:
		return output(Elicitation(input.Elicitation()), MakeTaskOutputElicitation)
	//]]
	default:
		return Err[TaskOutput](RpcError{Code: -32603, Message: "No such work is spawned"})
	}
}

func output[T any](result Result[T, RpcError], of func(T) TaskOutput) Result[TaskOutput, RpcError] {
	if result.IsErr() {
		return Err[TaskOutput](result.Err())
	}
	return Ok[TaskOutput, RpcError](of(result.Ok()))
}
//]]
