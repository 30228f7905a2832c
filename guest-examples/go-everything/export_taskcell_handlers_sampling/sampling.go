// Sampling: the last text of the user says what is answered.
package export_taskcell_handlers_sampling

import (
	"fmt"
	"math"
	"strings"

	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/taskcell_handlers_model"
	. "wit_component/taskcell_handlers_types"
)

// Handle answers a request, plain or as the work of a task.
func Handle(_ RequestContext, request CreateMessageRequest) Result[CreateMessageResult, RpcError] {
	text := lastUserText(request.Messages)
	if strings.HasPrefix(text, "ask") {
		return taskcell_handlers_model.CreateMessage(request)
	}
	switch text {
	case "reject":
		return Err[CreateMessageResult](RpcError{-1, "User rejected sampling request", Some(`{"by":"everything"}`)})
	case "trap":
		panic("trap")
	case "image":
		return said(firstImage(request.Messages), "endTurn")
	case "tool":
		return said(firstTool(request), "toolUse")
	default:
		text = fmt.Sprintf("%d messages, at most %d tokens: %s", len(request.Messages), request.MaxTokens, text)
		if request.Temperature.IsSome() {
			text += fmt.Sprintf(" at %d", int(math.Round(request.Temperature.Some()*100)))
		}
		return said([]SamplingContent{MakeSamplingContentText(TextContent{Text: text})}, "endTurn")
	}
}

func said(content []SamplingContent, stopReason string) Result[CreateMessageResult, RpcError] {
	return Ok[CreateMessageResult, RpcError](CreateMessageResult{
		Role:       Role_Assistant,
		Content:    content,
		Model:      "everything",
		StopReason: Some(stopReason),
	})
}

// The last text in the last message of the user; empty when there is none.
func lastUserText(messages []SamplingMessage) string {
	text := ""
	for _, message := range messages {
		if message.Role == Role_User {
			text = ""
			for _, content := range message.Content {
				if content.Tag() == SamplingContent_Text {
					text = content.Text().Text
				}
			}
		}
	}
	return text
}

func firstImage(messages []SamplingMessage) []SamplingContent {
	for _, message := range messages {
		for _, content := range message.Content {
			if content.Tag() == SamplingContent_Image {
				return []SamplingContent{content}
			}
		}
	}
	return nil
}

func firstTool(request CreateMessageRequest) []SamplingContent {
	tools := request.Tools.SomeOr(nil)
	if len(tools) == 0 {
		return nil
	}
	use := ToolUseContent{Id: "call-1", Name: tools[0].Name, Input: `{"n":1}`}
	return []SamplingContent{MakeSamplingContentToolUse(use)}
}
