package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/wcron/wcron/capability"
	"github.com/wcron/wcron/config"
	"github.com/wcron/wcron/plugins"
)

// trial is what a person lets a module do that is run by hand: with nothing of it the module computes, and no more.
type trial struct {
	Grant   bool              `help:"Let the module do what its manifest requests, as wcron approve would. Without it, it does nothing but compute."`
	Only    []string          `placeholder:"WHAT,…" help:"With --grant, no more than these: http, secrets, state, dir, emit; or one of a kind, such as http:api.example.com."`
	Secret  map[string]string `mapsep:"none" placeholder:"NAME=env:VAR|file:PATH" help:"With --grant: where a secret is; give it once for each."`
	Dir     map[string]string `mapsep:"none" placeholder:"GUEST=FOLDER" help:"With --grant: which folder of this machine the module sees as GUEST; give it once for each."`
	Network map[string]string `mapsep:"none" placeholder:"HOST=NETWORK,…" help:"With --grant: addresses that HOST may lead to although they are not public, such as 127.0.0.1/32."`
}

// grants is what of a manifest's requests is granted, under the caps of the configuration.
func (t *trial) grants(s config.Settings, caps config.Caps) (capability.Grants, error) {
	var may plugins.Access
	switch {
	case !t.Grant && len(t.Only)+len(t.Secret)+len(t.Dir)+len(t.Network) > 0:
		return capability.Grants{}, usage("--only, --secret, --dir and --network say more about --grant; give that, too")
	case t.Grant && s.Request == nil:
		return capability.Grants{}, usage("--grant: the manifest requests nothing; see wcron inspect")
	case t.Grant:
		by := approveCmd{Only: t.Only, Secret: t.Secret, Dir: t.Dir, Network: t.Network}
		granted, err := by.grant(*s.Request, config.Grant{})
		if err != nil {
			return capability.Grants{}, err
		}
		may.Allowed, may.Denied = plugins.Meet(*s.Request, granted, caps), plugins.Refused(*s.Request, granted, caps)
	case s.Request != nil:
		may.Denied = plugins.Refused(*s.Request, config.Grant{}, caps)
	}
	return capabilities(plugins.Job{Settings: s, Access: may}), nil
}

// door is what the module may call. There is no ledger: its state is empty, and what it would start is told at its end.
func (t *trial) door(name string, s config.Settings, g capability.Grants, input []byte) *capability.Door {
	return capability.NewDoor(capability.Setup{
		RunInfo: capability.RunInfo{Job: name}, Grants: g, Event: input, State: capability.NewState(nil, max(s.StateSize, stateOf(s, t.Grant))),
		Exists: func(_ context.Context, job string) (bool, error) { return slices.Contains(g.Emit, job), nil },
	})
}

// stateOf is the size of the state that a manifest requests; 0: that of every job.
func stateOf(s config.Settings, granted bool) int64 {
	if !granted || s.Request == nil || s.Request.State == nil {
		return 0
	}
	return int64(s.Request.State.Size)
}

// tellEmits names the jobs that a host would have started.
func tellEmits(w io.Writer, list []capability.Emit) {
	for _, e := range list {
		input := "its own input"
		if e.Input != nil {
			input = fmt.Sprintf("the input %.200s", e.Input)
		}
		fmt.Fprintf(w, "wcron: a host would now start job %s with %s\n", printable(e.Job), printable(input))
	}
}
