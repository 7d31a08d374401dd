package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time. As text it is what [time.ParseDuration] reads, such as "90s" or "1h30m"; a plain number other than
// "0" is refused, because nobody can see its unit. It is never negative when it comes from this package.
type Duration time.Duration

// UnmarshalText reads "90s", "1h30m" or "0".
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	p, err := time.ParseDuration(s)
	switch {
	case err != nil && strings.HasSuffix(s, "d"), err != nil && strings.HasSuffix(s, "w"):
		return advice{quote(clip(s)) + " is no duration: a day is not always 24 hours", `count in hours, such as "24h"`}
	case err != nil:
		return advice{quote(clip(s)) + " is no duration", `write a number with a unit, such as "500ms", "90s" or "1h30m"`}
	case p < 0:
		return advice{quote(clip(s)) + " is negative", "write a duration of 0 or more"}
	}
	*d = Duration(p)
	return nil
}

// MarshalText is the text of [Duration.String]; it never fails.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the shortest text that UnmarshalText reads back: "1m", not "1m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Size is a number of bytes. As text it is a whole number with one of the units B, KiB, MiB, GiB, TiB (powers of 1024) or
// KB, MB, GB, TB (powers of 1000); a plain number other than "0" is refused.
type Size int64

// Units of a [Size] in bytes.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

type unit struct {
	name  string
	bytes Size
}

// units lists the binary units first, largest first: String takes the first that divides.
func units() []unit {
	return []unit{{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}
}

// UnmarshalText reads "64MiB" or "0".
func (s *Size) UnmarshalText(text []byte) error {
	in := string(text)
	number := strings.TrimRight(in, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	name := in[len(number):]
	bad := func() error {
		return advice{quote(clip(in)) + " is no size", `write a whole number with a unit, such as "64MiB" or "1GiB"`}
	}
	if strings.HasPrefix(number, "-") {
		return advice{quote(clip(in)) + " is negative", "write a size of 0 or more"}
	}
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return bad()
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err == nil && n == 0 && name == "" {
		*s = 0
		return nil
	}
	for _, u := range units() {
		if u.name != name {
			continue
		}
		if err != nil || n > math.MaxInt64/int64(u.bytes) {
			return advice{quote(clip(in)) + " is too large", `write a size below "8388608TiB"`}
		}
		*s = Size(n) * u.bytes
		return nil
	}
	return bad()
}

// MarshalText is the text of [Size.String]; it never fails.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the size in the largest binary unit that divides it, or in bytes: "64MiB", "1000B".
func (s Size) String() string {
	for _, u := range units() {
		if (u.bytes%KiB == 0 || u.bytes == 1) && s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return "0B"
}

// Backoff is how long to wait before a retry: Min before the first, up to Max before later ones. As text it is a range of
// durations, "10s..10m", or one duration, which is both.
type Backoff struct {
	Min, Max time.Duration
}

// UnmarshalText reads "10s..10m" or "30s".
func (b *Backoff) UnmarshalText(text []byte) error {
	low, high, ranged := strings.Cut(string(text), "..")
	var from, to Duration
	if err := from.UnmarshalText([]byte(low)); err != nil {
		return err
	}
	to = from
	if ranged {
		if err := to.UnmarshalText([]byte(high)); err != nil {
			return err
		}
	}
	if from > to {
		return advice{quote(clip(string(text))) + " runs backwards", "write the shorter duration first: " + quote(to.String()+".."+from.String())}
	}
	*b = Backoff{time.Duration(from), time.Duration(to)}
	return nil
}

// MarshalText is the text of [Backoff.String]; it never fails.
func (b Backoff) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String is "10s..10m", or one duration where both are equal.
func (b Backoff) String() string {
	if b.Min == b.Max {
		return Duration(b.Min).String()
	}
	return Duration(b.Min).String() + ".." + Duration(b.Max).String()
}

// Budget is a share of a total that only the host knows, or a number of bytes. Exactly one of the two is set.
type Budget struct {
	Percent int   // 1 to 100; 0 when Bytes is set
	Bytes   int64 // 0 when Percent is set
}

// UnmarshalText reads "50%" or "2GiB".
func (b *Budget) UnmarshalText(text []byte) error {
	s := string(text)
	if number, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 100 || strings.Trim(number, "0123456789") != "" {
			return advice{quote(clip(s)) + " is no share", "write a whole number from 1% to 100%"}
		}
		*b = Budget{Percent: n}
		return nil
	}
	var size Size
	if err := size.UnmarshalText(text); err != nil {
		return advice{quote(clip(s)) + " is neither a size nor a share", `write a size such as "2GiB", or a share such as "50%"`}
	}
	if size == 0 {
		return advice{"a budget of 0 lets nothing run", `write a size, or a share such as "50%"`}
	}
	*b = Budget{Bytes: int64(size)}
	return nil
}

// MarshalText is the text of [Budget.String]; it never fails.
func (b Budget) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String is "50%" or a size.
func (b Budget) String() string {
	if b.Percent != 0 {
		return strconv.Itoa(b.Percent) + "%"
	}
	return Size(b.Bytes).String()
}

// Of is the budget in bytes where total bytes are there: Bytes itself, or Percent of total, rounded down. It may exceed total.
func (b Budget) Of(total int64) int64 {
	if b.Percent != 0 {
		return total/100*int64(b.Percent) + total%100*int64(b.Percent)/100
	}
	return b.Bytes
}
