package crontab

import (
	"regexp"
	"strconv"
	"strings"
)

// Schedule is the entry's schedule as wcron writes it: seconds come first, and years last. Notes say what is not quite the same.
func (e Entry) Schedule() (text string, notes []string) {
	fields := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		fields[i] = f.Text
	}
	first := 0 // which of them are the minutes
	switch {
	case strings.HasPrefix(fields[0], "@"):
		return strings.Join(fields, " "), nil
	case len(fields) == 6:
		fields = append([]string{"0"}, fields...)
		first = 1
		notes = append(notes, "the sixth field is read as years, as supercronic does")
	case len(fields) == 7:
		first = 1
	}
	for i := first; i < min(first+5, len(fields)); i++ {
		hashed := chance(fields[i], i-first)
		if hashed != fields[i] {
			fields[i] = hashed
			notes = append(notes, "the random time between is chosen by the job's name, once and for all")
		}
	}
	return strings.Join(fields, " "), notes
}

var random = regexp.MustCompile(`^([0-9]*)~([0-9]*)$`)

// chance writes the random values of cronie, 0~30, as H(0-30).
func chance(field string, which int) string {
	limits := [][2]int{{0, 59}, {0, 23}, {1, 28}, {1, 12}, {0, 6}}[which]
	parts := strings.Split(field, ",")
	for i, p := range parts {
		m := random.FindStringSubmatch(p)
		if m == nil {
			continue
		}
		if m[1] == "" {
			m[1] = strconv.Itoa(limits[0])
		}
		if m[2] == "" {
			m[2] = strconv.Itoa(limits[1])
		}
		parts[i] = "H(" + m[1] + "-" + m[2] + ")"
	}
	return strings.Join(parts, ",")
}
