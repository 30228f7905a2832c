// Elicitation: a setting in place of the user.
package export_taskcell_handlers_elicitation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	. "go.bytecodealliance.org/pkg/wit/types"
	"wit_component/settings"
	. "wit_component/taskcell_handlers_types"
)

// Handle answers with what a setting says: `decline`, `cancel`, or the form's content as JSON.
func Handle(_ RequestContext, request ElicitRequest) Result[ElicitResult, RpcError] {
	var message string
	if request.Tag() == ElicitRequest_Form {
		message = request.Form().Message
	} else {
		message = request.Url().Message
	}
	answer := settings.For("elicitation", message)
	if answer.IsErr() {
		return Err[ElicitResult](answer.Err())
	}
	action := MakeElicitActionAccept(None[[]ElicitEntry]())
	switch said := answer.Ok(); {
	case said == "decline":
		action = MakeElicitActionDecline()
	case said == "cancel":
		action = MakeElicitActionCancel()
	case request.Tag() == ElicitRequest_Form:
		entries, err := content(said)
		if err != nil {
			return Err[ElicitResult](RpcError{Code: -32603, Message: fmt.Sprintf("The setting for %q: %v", message, err)})
		}
		action = MakeElicitActionAccept(Some(entries))
	}
	return Ok[ElicitResult, RpcError](ElicitResult{Action: action})
}

// The members of a JSON object as answers, by name.
func content(text string) ([]ElicitEntry, error) {
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return nil, err
	}
	entries := []ElicitEntry{}
	for name, member := range members {
		value, err := value(member)
		if err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
		entries = append(entries, ElicitEntry{Name: name, Value: value})
	}
	// Go goes through a map in another order each time.
	slices.SortFunc(entries, func(a, b ElicitEntry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

func value(member any) (ElicitValue, error) {
	switch member := member.(type) {
	case string:
		return MakeElicitValueText(member), nil
	case float64:
		return MakeElicitValueNumber(member), nil
	case bool:
		return MakeElicitValueBoolean(member), nil
	case []any:
		texts := []string{}
		for _, member := range member {
			text, ok := member.(string)
			if !ok {
				return ElicitValue{}, fmt.Errorf("is a list of more than texts")
			}
			texts = append(texts, text)
		}
		return MakeElicitValueTextList(texts), nil
	default:
		return ElicitValue{}, fmt.Errorf("is not a text, a number, true, false or a list of texts")
	}
}
