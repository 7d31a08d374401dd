package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/adhocore/gronx"
	"github.com/hashicorp/cronexpr"
	"github.com/robfig/cron/v3"

	"github.com/wcron/wcron/schedule"
)

// next is a compiled schedule: the first time strictly after its argument, the zero time for never.
type next func(after time.Time) time.Time

// parser is one library. Its zone is that of the argument of next.
type parser struct {
	name  string
	parse func(text string, loc *time.Location) (next, error)
}

const (
	ours      = "wcron"
	robfig    = "robfig/cron"
	hashicorp = "hashicorp/cronexpr"
	adhocore  = "gronx"
)

// parsers are the libraries that are compared, ours first.
func parsers() []parser {
	return []parser{
		{ours, func(text string, loc *time.Location) (next, error) {
			s, err := schedule.Parse(text, schedule.Options{Location: loc})
			if err != nil {
				return nil, err
			}
			return s.Next, nil
		}},
		{robfig, func(text string, _ *time.Location) (next, error) {
			fields := cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow
			if len(strings.Fields(text)) == 6 {
				fields |= cron.Second
			}
			s, err := cron.NewParser(fields).Parse(text)
			if err != nil {
				return nil, err
			}
			return s.Next, nil
		}},
		{hashicorp, func(text string, _ *time.Location) (n next, err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("panic: %v", r)
				}
			}()
			if len(strings.Fields(text)) == 6 { // it reads a year last
				text += " *"
			}
			e, err := cronexpr.Parse(text)
			if err != nil {
				return nil, err
			}
			return e.Next, nil
		}},
		{adhocore, func(text string, _ *time.Location) (next, error) { // it has no compiled form
			return func(after time.Time) time.Time {
				t, err := gronx.NextTickAfter(text, after, false)
				if err != nil {
					return time.Time{}
				}
				return t
			}, nil
		}},
	}
}
