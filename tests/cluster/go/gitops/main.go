// Gitops says what the tools that deploy from Git make of objects, which it reads from its input, one JSON
// document after another. It prints one JSON document for each.
//
//	gitops health DIR         the health by Argo CD's script and by kstatus, which Flux and Helm use
//	gitops discovery DIR      the actions that Argo CD offers
//	gitops action DIR NAME    the merge patch that Argo CD sends for an action
//
// DIR is the folder of a kind below resource_customizations, in the layout of Argo CD's repository.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubejson "k8s.io/apimachinery/pkg/util/json"
	luajson "layeh.com/gopher-json"
)

// verdict is what a tool says of an object.
type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type verdicts struct {
	Argo    verdict `json:"argo"`
	Kstatus verdict `json:"kstatus"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string, input io.Reader, output io.Writer) error {
	judge, err := command(arguments)
	if err != nil {
		return err
	}
	objects, printed := json.NewDecoder(input), json.NewEncoder(output)
	for {
		var text json.RawMessage
		if err := objects.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		// With whole numbers as such, which kstatus asks for.
		var object map[string]any
		if err := kubejson.Unmarshal(text, &object); err != nil {
			return err
		}
		said, err := judge(object)
		if err != nil {
			return err
		}
		if err := printed.Encode(said); err != nil {
			return err
		}
	}
}

// command gives what is done with each object.
func command(arguments []string) (func(map[string]any) (any, error), error) {
	if len(arguments) < 2 {
		return nil, errors.New("usage: gitops health|discovery|action DIR [NAME]")
	}
	folder, paths := arguments[1], map[string]string{
		"health":    "health.lua",
		"discovery": "actions/discovery.lua",
	}
	if len(arguments) == 3 {
		paths["action"] = filepath.Join("actions", arguments[2], "action.lua")
	}
	path, ok := paths[arguments[0]]
	if !ok {
		return nil, fmt.Errorf("no such command: %v", arguments)
	}
	text, err := os.ReadFile(filepath.Join(folder, path))
	if err != nil {
		return nil, err
	}
	script := string(text)
	switch arguments[0] {
	case "health":
		return func(object map[string]any) (any, error) { return health(script, object) }, nil
	case "discovery":
		return func(object map[string]any) (any, error) { return result(script, object) }, nil
	default:
		return func(object map[string]any) (any, error) { return mergePatch(script, object) }, nil
	}
}

func health(script string, object map[string]any) (verdicts, error) {
	var both verdicts
	said, err := result(script, object)
	if err != nil {
		return both, err
	}
	if err := json.Unmarshal(said, &both.Argo); err != nil {
		return both, err
	}
	computed, err := status.Compute(&unstructured.Unstructured{Object: object})
	if err != nil {
		return both, err
	}
	both.Kstatus = verdict{computed.Status.String(), computed.Message}
	return both, nil
}

// timeout is how long Argo CD lets a script run.
const timeout = time.Second

// result runs a script as Argo CD runs one of its ConfigMap: with the libraries base, table and package, and with
// time and date of os. It gives the table that the script returns, as JSON.
func result(script string, object map[string]any) (json.RawMessage, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
	} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.PreloadModule(lua.OsLibName, safeOS)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	state.SetContext(ctx)

	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	global, err := luajson.Decode(state, text)
	if err != nil {
		return nil, err
	}
	state.SetGlobal("obj", global)
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the script returns no table but %s", state.Get(-1).Type())
	}
	return luajson.Encode(table)
}

// safeOS loads the library os with the two functions of it that Argo CD offers.
func safeOS(state *lua.LState) int {
	lua.OpenOs(state)
	table := state.CheckTable(-1)
	state.Pop(1)
	safe := state.NewTable()
	for _, name := range []string{"time", "date"} {
		safe.RawSetString(name, table.RawGetString(name))
	}
	state.Push(safe)
	return 1
}

// mergePatch gives the patch from an object to what an action makes of it.
func mergePatch(script string, object map[string]any) (json.RawMessage, error) {
	said, err := result(script, object)
	if err != nil {
		return nil, err
	}
	var changed map[string]any
	if err := json.Unmarshal(said, &changed); err != nil {
		return nil, err
	}
	before, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(restored(changed, object))
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(before, after)
}

// restored gives back empty objects, which a table of Lua cannot tell from empty lists; Argo CD does so too.
func restored(changed, before any) any {
	switch before := before.(type) {
	case map[string]any:
		if list, ok := changed.([]any); ok && len(list) == 0 && len(before) == 0 {
			return before
		}
		if changed, ok := changed.(map[string]any); ok {
			for name := range changed {
				changed[name] = restored(changed[name], before[name])
			}
		}
	case []any:
		if changed, ok := changed.([]any); ok {
			for at := range min(len(changed), len(before)) {
				changed[at] = restored(changed[at], before[at])
			}
		}
	}
	return changed
}
