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
	Grant bool `help:"Let the module do what its manifest requests, as wcron approve would; --only, --secret, --dir and --network say more about it. Without it, it does nothing but compute."`
	terms
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
		granted, err := t.grant(*s.Request, config.Grant{})
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
