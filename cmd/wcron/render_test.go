package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestSpan(t *testing.T) {
	tests := map[time.Duration]string{
		0: "0ms", 12 * time.Millisecond: "12ms", 999_999 * time.Microsecond: "999ms", time.Second: "1s", 3250 * time.Millisecond: "3.2s",
		59*time.Second + 900*time.Millisecond: "59s", time.Minute: "1m", 89 * time.Second: "1m29s", 59*time.Minute + 59*time.Second: "59m",
		time.Hour: "1h", 190 * time.Minute: "3h10m", 24 * time.Hour: "1d", 52 * time.Hour: "2d4h",
	}
	for d, want := range tests {
		if got := span(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

func TestRelative(t *testing.T) {
	now := time.Date(2026, 3, 8, 12, 0, 0, 0, time.FixedZone("", 3600))
	tests := map[time.Duration]string{
		0: "now", 900 * time.Millisecond: "now", -900 * time.Millisecond: "now", 5 * time.Minute: "in 5m", -5 * time.Minute: "5m ago",
		-(5*time.Minute + 59*time.Second): "5m ago", 90 * time.Second: "in 1m30s",
		13 * 24 * time.Hour: "in 13d", 14 * 24 * time.Hour: "2026-03-22", -20 * 24 * time.Hour: "2026-02-16",
	}
	for d, want := range tests {
		if got := relative(now.Add(d).UTC(), now); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

func TestTableFits(t *testing.T) {
	for _, columns := range []string{"", "200", "60", "40", "1"} {
		var out bytes.Buffer
		a := &app{stdout: &out, getenv: func(key string) string {
			if key == "COLUMNS" {
				return columns
			}
			return ""
		}}
		tab := table{heads: []string{"JOB", "EMPTY", "REASON"}}
		tab.row("backup", "", "ünïcödé "+strings.Repeat("long ", 30))
		tab.row("x", "", "a\x1b[31m\nb\tc\u202e")
		a.write(tab)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 3 || strings.Contains(out.String(), "EMPTY") || strings.ContainsAny(out.String(), "\x1b\t\u202e") {
			t.Errorf("%s columns:\n%q", columns, out.String())
		}
		limit := map[string]int{"60": 60, "40": 40}[columns]
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); limit > 0 && n > limit {
				t.Errorf("%s columns: %d in %q", columns, n, l)
			}
		}
		if whole := strings.Contains(out.String(), "long long long"+strings.Repeat(" long", 27)); whole != (columns == "" || columns == "200") {
			t.Errorf("%s columns: whole %t\n%s", columns, whole, out.String())
		}
	}
}

func TestFuelText(t *testing.T) {
	for n, want := range map[int64]string{
		1: "1", 999: "999", 1000: "1.0k", 99_949: "99.9k", 99_950: "100k", 999_499: "999k", 999_500: "1.0M", 5_250_000_000: "5.2G", 1<<63 - 1: "9.2E",
	} {
		if got := fuelText(&n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
	if fuelText(nil) != "" {
		t.Error("unknown fuel is shown")
	}
}
