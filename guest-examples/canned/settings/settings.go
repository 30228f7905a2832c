// Package settings finds the answer that a setting has for a text.
package settings

import (
	"fmt"
	"strings"

	. "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/taskcell_handlers_types"
	"wit_component/wasi_config_store"
)

// For gives the value of the setting `KIND:WORDS` whose words are in the text: of several the one with the most letters,
// and of those the first by the alphabet. The same request has the same answer each time.
func For(kind, text string) Result[string, RpcError] {
	all := wasi_config_store.GetAll()
	if all.IsErr() {
		return Err[string](RpcError{Code: -32603, Message: "The settings cannot be read"})
	}
	found, value := "", ""
	for _, setting := range all.Ok() {
		words, ok := strings.CutPrefix(setting.F0, kind+":")
		if !ok || !strings.Contains(text, words) {
			continue
		}
		name := setting.F0
		if found == "" || len(name) > len(found) || (len(name) == len(found) && name < found) {
			found, value = name, setting.F1
		}
	}
	if found == "" {
		return Err[string](RpcError{Code: -32603, Message: fmt.Sprintf("No setting %s:WORDS has words of %q", kind, text)})
	}
	return Ok[string, RpcError](value)
}
