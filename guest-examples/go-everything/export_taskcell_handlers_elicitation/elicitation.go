// Elicitation: the message says what is done, and a form is filled from its schema.
package export_taskcell_handlers_elicitation

import (
	"strings"

	. "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/taskcell_handlers_types"
	"wit_component/taskcell_handlers_user"
)

// Handle answers a request, plain or as the work of a task.
func Handle(_ RequestContext, request ElicitRequest) Result[ElicitResult, RpcError] {
	var message string
	var content Option[[]ElicitEntry]
	if request.Tag() == ElicitRequest_Form {
		message = request.Form().Message
		content = Some(fill(request.Form().RequestedSchema))
	} else {
		message = request.Url().Message
	}
	if strings.HasPrefix(message, "ask") {
		return taskcell_handlers_user.Elicit(request)
	}
	action := MakeElicitActionAccept(content)
	switch message {
	case "reject":
		return Err[ElicitResult](RpcError{Code: -1, Message: "User rejected elicitation request"})
	case "trap":
		panic("trap")
	case "decline":
		action = MakeElicitActionDecline()
	case "cancel":
		action = MakeElicitActionCancel()
	}
	return Ok[ElicitResult, RpcError](ElicitResult{Action: action})
}

// An answer to each field that can be answered, in the order of the form.
func fill(schema RequestedSchema) []ElicitEntry {
	var entries []ElicitEntry
	for _, field := range schema.Properties {
		if value := value(field.Schema); value.IsSome() {
			entries = append(entries, ElicitEntry{field.Name, value.Some()})
		}
	}
	return entries
}

// The field's default, else something of its type; none where the type is not known or there is no choice.
func value(schema PrimitiveSchema) Option[ElicitValue] {
	switch schema.Tag() {
	case PrimitiveSchema_Text:
		return Some(MakeElicitValueText(schema.Text().Default.SomeOr("text")))
	case PrimitiveSchema_Number:
		return Some(MakeElicitValueNumber(schema.Number().Default.SomeOr(1.5)))
	case PrimitiveSchema_Integer:
		return Some(MakeElicitValueNumber(schema.Integer().Default.SomeOr(3)))
	case PrimitiveSchema_Boolean:
		return Some(MakeElicitValueBoolean(schema.Boolean().Default.SomeOr(true)))
	case PrimitiveSchema_UntitledSingleSelect:
		return one(schema.UntitledSingleSelect().Default, schema.UntitledSingleSelect().Values)
	case PrimitiveSchema_TitledSingleSelect:
		return one(schema.TitledSingleSelect().Default, values(schema.TitledSingleSelect().Options))
	case PrimitiveSchema_LegacyTitledEnum:
		return one(schema.LegacyTitledEnum().Default, schema.LegacyTitledEnum().Values)
	case PrimitiveSchema_UntitledMultiSelect:
		return many(schema.UntitledMultiSelect().Default, schema.UntitledMultiSelect().Values)
	case PrimitiveSchema_TitledMultiSelect:
		return many(schema.TitledMultiSelect().Default, values(schema.TitledMultiSelect().Options))
	default:
		return None[ElicitValue]()
	}
}

func one(standard Option[string], values []string) Option[ElicitValue] {
	if standard.IsSome() {
		return Some(MakeElicitValueText(standard.Some()))
	}
	if len(values) == 0 {
		return None[ElicitValue]()
	}
	return Some(MakeElicitValueText(values[0]))
}

func many(standard Option[[]string], values []string) Option[ElicitValue] {
	return Some(MakeElicitValueTextList(standard.SomeOr(values[:min(1, len(values))])))
}

func values(options []EnumOption) []string {
	var values []string
	for _, option := range options {
		values = append(values, option.Value)
	}
	return values
}
