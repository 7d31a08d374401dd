package crontab

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// show writes all that was read, one thing a line.
func show(f File) string {
	var b strings.Builder
	for _, s := range f.Settings {
		fmt.Fprintf(&b, "%d:%d %s=%s\n", s.Line, s.Col, s.Name, s.Value)
	}
	for _, e := range f.Entries {
		text, notes := e.Schedule()
		fmt.Fprintf(&b, "%d %s (%q at %d)", e.Line, Name(e.Command), text, e.Fields[0].Col)
		for _, part := range [][2]string{{"user", e.User}, {"zone", e.Zone}, {"delay", e.Delay}} {
			what, is := part[0], part[1]
			if is != "" {
				fmt.Fprintf(&b, " %s %s", what, is)
			}
		}
		if e.HasInput {
			fmt.Fprintf(&b, " reads %q", e.Input)
		}
		if e.Quiet {
			b.WriteString(" quiet")
		}
		fmt.Fprintf(&b, " %s\n", e.Command)
		for _, n := range notes {
			fmt.Fprintf(&b, "  %s\n", n)
		}
	}
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "%d:%d %s\n", p.Line, p.Col, p.What)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a user's", "\ufeff# daily jobs\r\n\r\n0 2 * * *\t/usr/bin/backup.sh --all\r\n  */5 * * * *  /usr/bin/php /srv/cron.php >/dev/null 2>&1\r\n", `
3 backup ("0 2 * * *" at 1) /usr/bin/backup.sh --all
4 cron ("*/5 * * * *" at 3) /usr/bin/php /srv/cron.php >/dev/null 2>&1
`},
		{"settings", "MAILTO=\"\"\nSHELL = /bin/bash  \n 'PATH'='/usr/bin:/bin'\nA=b=c\nEMPTY=\n0 0 * * * X=1 job\n", `
1:1 MAILTO=
2:1 SHELL=/bin/bash
3:2 PATH=/usr/bin:/bin
4:1 A=b=c
5:1 EMPTY=
6 job ("0 0 * * *" at 1) X=1 job
`},
		{"the system's, by its users", "SHELL=/bin/sh\n17 * * * * root cd / && run-parts --report /etc/cron.hourly\n25 6 * * * alice test -x /usr/sbin/anacron || { cd / && run-parts /etc/cron.daily; }\n", `
1:1 SHELL=/bin/sh
2 cron-hourly ("17 * * * *" at 1) user root cd / && run-parts --report /etc/cron.hourly
3 cron-daily ("25 6 * * *" at 1) user alice test -x /usr/sbin/anacron || { cd / && run-parts /etc/cron.daily; }
`},
		{"percent signs", `0 9 * * 1 mail -s "100\% done" boss%Dear boss,%all is well%` + "\n" + `1 9 * * 1 date +\%F` + "\n", `
1 mail ("0 9 * * 1" at 1) reads "Dear boss,\nall is well\n" mail -s "100% done" boss
2 date ("1 9 * * 1" at 1) date +%F
`},
		{"zones and delays", "0 1 * * * a\nCRON_TZ=Asia/Tokyo\n0 2 * * * b\nRANDOM_DELAY=30\n0 3 * * * c\n", `
2:1 CRON_TZ=Asia/Tokyo
4:1 RANDOM_DELAY=30
1 a ("0 1 * * *" at 1) a
3 b ("0 2 * * *" at 1) zone Asia/Tokyo b
5 c ("0 3 * * *" at 1) zone Asia/Tokyo delay 30 c
`},
		{"macros", "@reboot /sbin/up\n@daily down\n@every 5m often\n@hourly\n@every 5m\n", `
1 up ("@reboot" at 1) /sbin/up
2 down ("@daily" at 1) down
3 often ("@every 5m" at 1) often
4:8 the command is missing
5:10 the command is missing
`},
		{"supercronic", "*/5 * * * * * * tick\n0 0 1 1 * 2030 once\n0 30 9 * * MON-FRI 2026-2028 work 8\n0 5 * * * sleep 60\n", `
1 tick ("*/5 * * * * * *" at 1) tick
2 once ("0 0 0 1 1 * 2030" at 1) once
  the sixth field is read as years, as supercronic does
3 work ("0 30 9 * * MON-FRI 2026-2028" at 1) work 8
4 sleep ("0 5 * * *" at 1) sleep 60
`},
		{"cronie's own", "-0~30 ~ 5~,20 * ~3 /bin/quiet\n", `
1 quiet ("H(0-30) H(0-23) H(5-28),20 * H(0-3)" at 2) quiet /bin/quiet
  the random time between is chosen by the job's name, once and for all
  the random time between is chosen by the job's name, once and for all
  the random time between is chosen by the job's name, once and for all
  the random time between is chosen by the job's name, once and for all
`},
		{"broken", "* * * *\nnonsense\n\t0 0 * * *\nä ä ä ä ä   \n", `
1:1 it has only 4 fields, which is neither a schedule with a command nor a setting
2:1 it has only 1 field, which is neither a schedule with a command nor a setting
3:11 the command is missing
4:10 the command is missing
`},
	}
	for _, c := range tests {
		want := strings.TrimPrefix(c.want, "\n")
		if got := show(Parse(c.in, Guess)); got != want {
			t.Errorf("%s:\n%swant:\n%s", c.name, got, want)
		}
	}
}

func TestColumnsAsTold(t *testing.T) {
	const line = "0 1 * * * root job\n"
	if f := Parse(line, User); f.Entries[0].User != "" || f.Entries[0].Command != "root job" {
		t.Errorf("of a user: %+v", f.Entries[0])
	}
	if f := Parse("0 1 * * * alice job\n", System); f.Entries[0].User != "alice" || f.Entries[0].Command != "job" {
		t.Errorf("of the system: %+v", f.Entries[0])
	}
	for line, what := range map[string]string{"0 1 * * *": "the user and the command are missing", "0 1 * * * job": "the command is missing"} {
		if f := Parse(line, System); len(f.Problems) != 1 || f.Problems[0].What != what {
			t.Errorf("%q: %+v", line, f.Problems)
		}
	}
}

func TestName(t *testing.T) {
	for command, want := range map[string]string{
		"/usr/local/bin/backup.sh --all":                                        "backup",
		"cd /srv && ./manage.py sync":                                           "manage",
		"cd /srv/app; /usr/bin/python3 -u manage.py clearsessions":              "manage",
		"python3 -m http.server":                                                "http-server",
		"[ -x /usr/lib/php/sessionclean ] && /usr/lib/php/sessionclean":         "sessionclean",
		"test -e /run/systemd/system || SERVICE_MODE=1 /sbin/e2scrub_all -A -r": "e2scrub_all",
		`/bin/bash -lc 'cd /srv && bundle exec rake db:prune'`:                  "rake",
		"sudo -u www-data php -f /var/www/cron.php":                             "cron",
		"flock -n /tmp/lock nice -n 19 ionice -c 3 /opt/Report.PL":              "report",
		"timeout 30 curl -fsS https://example.com/ping":                         "curl",
		"java -jar /opt/app/batch-job.jar":                                      "batch-job",
		"A=1 B='2 3' env -i C=4 thing":                                          "thing",
		"if [ -d /x ]; then tar cf - /x | gzip; fi":                             "tar",
		"date":                  "date",
		">/dev/null":            "job",
		"":                      "job",
		"日本":                    "job",
		"'/opt/x y.sh'":         "x-y",
		"perl -e 'print 1'":     "perl",
		`sh -c "exec /opt/run"`: "run",
		`echo "it's done; really" | mail -s 'x; y' ops`: "mail",
		"/opt/" + strings.Repeat("long-", 20) + "er":    strings.TrimRight(strings.Repeat("long-", 8), "-"),
	} {
		if got := Name(command); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// Whatever a file holds: each line is one thing, and each column lies within its line.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"0 2 * * * root backup.sh%in%put\n", "MAILTO=x\n@reboot y\n", "* * * * * * 2030 a\n", "-0~3 ~ * * * b\n", "\ufeff'A' = \"b\"\r\n@every 5m c", "-\n", "- -\n", "@\n", "0 0 * * * [ -x",
		"0 0 * * * bash -c", "0 0 * * * timeout", "\x00\xff", "CRON_TZ=\n0 0 * * * \\%%\\",
	} {
		for columns := range 3 {
			f.Add(seed, columns)
		}
	}
	f.Fuzz(func(t *testing.T, text string, columns int) {
		if columns < 0 || columns > 2 || len(text) > 1<<16 {
			return
		}
		table := Parse(text, Columns(columns))
		lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
		seen := map[int]int{}
		within := func(line, col int) {
			if line < 1 || line > len(lines) || col < 1 || col > utf8.RuneCountInString(lines[line-1])+1 {
				t.Errorf("line %d, column %d of %q", line, col, text)
			}
		}
		for _, s := range table.Settings {
			seen[s.Line]++
			within(s.Line, s.Col)
		}
		for _, p := range table.Problems {
			seen[p.Line]++
			within(p.Line, p.Col)
			if p.What == "" || p.Remedy == "" {
				t.Errorf("a problem that does not help: %+v", p)
			}
		}
		for _, e := range table.Entries {
			seen[e.Line]++
			for _, w := range e.Fields {
				within(e.Line, w.Col)
			}
			if name := Name(e.Command); !validName.MatchString(name) {
				t.Errorf("the name %q of %q", name, e.Command)
			}
			if text, _ := e.Schedule(); text == "" || strings.ContainsAny(text, "\n\t") {
				t.Errorf("the schedule %q of %q", text, e.Text)
			}
			if (e.User != "") != table.System || len(e.Fields) == 0 {
				t.Errorf("entry %+v", e)
			}
		}
		for i, line := range lines {
			blank := strings.TrimLeft(strings.TrimSuffix(line, "\r"), " \t")
			want := 1
			if blank == "" || blank[0] == '#' {
				want = 0
			}
			if seen[i+1] != want {
				t.Errorf("line %d of %q is read %d times", i+1, text, seen[i+1])
			}
		}
	})
}
