package config_test

import (
	"errors"
	"fmt"

	"github.com/wcron/wcron/config"
)

// A file is refused with all its problems at once, each with its place and what to do.
func ExampleParseJob() {
	_, err := config.ParseJob("report.toml", []byte(`
schedule = "15 3 * * *"
timeuot = "5m"
memory = 64
retries = -1
`), config.KindSidecar)
	fmt.Println(err)

	if e, ok := errors.AsType[*config.Error](err); ok {
		fmt.Println(len(e.Problems), "problems, the first on line", e.Problems[0].Line)
	}
	// Output:
	// report.toml:3:1: timeuot: unknown key; did you mean timeout?
	// report.toml:4:10: memory: want a size, got the integer 64; write a number with a unit in quotes, such as "64MiB"
	// report.toml:5:11: retries: -1 is out of range; write 0 to 1000
	// 3 problems, the first on line 3
}

// Layers merge key by key: the operator's job wins over the plugin's own, which the caps hold down.
func ExampleJob_Over() {
	own, err := config.ParseJob("report.wasm", []byte(`
schedule = "15 3 * * *"
timeout = 0
env = { REGION = "us", LEVEL = "info" }
`), config.KindManifest)
	if err != nil {
		fmt.Println(err)
		return
	}
	operator, err := config.ParseJob("jobs.d/report.toml", []byte(`env.REGION = "eu"`), config.KindJobFile)
	if err != nil {
		fmt.Println(err)
		return
	}

	own, cut := config.Caps{Timeout: 3600e9}.Limit(own)
	s := operator.Over(own).Resolve()
	fmt.Println(cut, s.Timeout, s.Schedule, s.Env["REGION"], s.Env["LEVEL"])
	// Output: [timeout] 1h0m0s 15 3 * * * eu info
}

func ExampleEncodeJob() {
	text, err := config.EncodeJob(config.Job{
		Plugin:   new("report.wasm"),
		Schedule: new("@daily"),
		Memory:   new(128 * config.MiB),
		Input:    []byte(`{"mode":"full"}`),
	}, config.KindJobFile)
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// plugin = "report.wasm"
	// schedule = "@daily"
	// memory = "128MiB"
	// input = { mode = "full" }
	// <nil>
}
