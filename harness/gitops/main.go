// What GitOps tools make of objects: kstatus, as Flux reads them, and Lua, as Argo CD runs it.
//
// Reads one JSON document, {"objects": [...], "health": LUA, "actions": LUA, "action": LUA}, and prints one:
// {"verdicts": [{"kstatus", "message", "health", "healthMessage", "actions", "changed"}]}, a verdict for each object.
// Scripts that are left out are not run: "actions" is a discovery script, "action" one that changes the object.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubernetes "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type request struct {
	Objects []map[string]any `json:"objects"`
	Health  string           `json:"health"`
	Actions string           `json:"actions"`
	Action  string           `json:"action"`
}

type verdict struct {
	Kstatus       string   `json:"kstatus"`
	Message       string   `json:"message"`
	Health        string   `json:"health,omitempty"`
	HealthMessage string   `json:"healthMessage,omitempty"`
	Actions       []string `json:"actions,omitempty"`
	Changed       any      `json:"changed,omitempty"`
}

func main() {
	if err := judge(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge() error {
	var asked request
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if err := kubernetes.Unmarshal(text, &asked); err != nil { // whole numbers stay whole, as kstatus wants them
		return err
	}
	verdicts := []verdict{}
	for _, object := range asked.Objects {
		found, err := judgeOne(asked, object)
		if err != nil {
			return err
		}
		verdicts = append(verdicts, found)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"verdicts": verdicts})
}

func judgeOne(asked request, object map[string]any) (verdict, error) {
	var found verdict
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	if err != nil {
		return found, err
	}
	found.Kstatus, found.Message = string(result.Status), result.Message
	if asked.Health != "" {
		said, err := run(asked.Health, object)
		if err != nil {
			return found, fmt.Errorf("health: %w", err)
		}
		health, _ := said.(map[string]any)
		found.Health, _ = health["status"].(string)
		found.HealthMessage, _ = health["message"].(string)
	}
	if asked.Actions != "" {
		said, err := run(asked.Actions, object)
		if err != nil {
			return found, fmt.Errorf("actions: %w", err)
		}
		actions, _ := said.(map[string]any)
		for name, options := range actions {
			settings, _ := options.(map[string]any)
			if disabled, _ := settings["disabled"].(bool); !disabled {
				found.Actions = append(found.Actions, name)
			}
		}
	}
	if asked.Action != "" {
		if found.Changed, err = run(asked.Action, object); err != nil {
			return found, fmt.Errorf("action: %w", err)
		}
	}
	return found, nil
}

// run executes a script that returns something of obj, with the libraries that Argo CD opens for custom scripts: tables,
// strings, and of os no more than the time.
func run(script string, object map[string]any) (any, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, library := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	clock := state.NewTable()
	clock.RawSetString("time", state.NewFunction(func(s *lua.LState) int {
		s.Push(lua.LNumber(time.Now().Unix()))
		return 1
	}))
	clock.RawSetString("date", state.NewFunction(func(s *lua.LState) int {
		if format := s.CheckString(1); format != "!%Y-%m-%dT%XZ" && format != "!%Y-%m-%dT%H:%M:%SZ" {
			s.ArgError(1, "only the instant in UTC is known here")
		}
		s.Push(lua.LString(time.Now().UTC().Format(time.RFC3339)))
		return 1
	}))
	state.SetGlobal("os", clock)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	return toJSON(state.Get(-1)), nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch typed := value.(type) {
	case bool:
		return lua.LBool(typed)
	case int64:
		return lua.LNumber(typed)
	case float64:
		return lua.LNumber(typed)
	case string:
		return lua.LString(typed)
	case []any:
		table := state.CreateTable(len(typed), 0)
		for _, item := range typed {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(typed))
		for key, item := range typed {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

func toJSON(value lua.LValue) any {
	switch typed := value.(type) {
	case lua.LBool:
		return bool(typed)
	case lua.LNumber:
		return float64(typed)
	case lua.LString:
		return string(typed)
	case *lua.LTable:
		if length := typed.Len(); length > 0 {
			list := make([]any, 0, length)
			for index := 1; index <= length; index++ {
				list = append(list, toJSON(typed.RawGetInt(index)))
			}
			return list
		}
		object := map[string]any{}
		typed.ForEach(func(key, item lua.LValue) { object[key.String()] = toJSON(item) })
		return object
	default:
		return nil
	}
}
