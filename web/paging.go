package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wcron/wcron/admin"
)

// cursor is the last row of a page: the next one begins behind it. The zero value is the begin.
type cursor struct {
	at time.Time
	id string
}

// readCursor reads what String has written.
func readCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{}, nil
	}
	ms, id, ok := strings.Cut(s, "~")
	n, err := strconv.ParseInt(ms, 10, 64)
	if !ok || err != nil || id == "" || n < 0 || n > 1<<48 {
		return cursor{}, fmt.Errorf("%w: %q is no place in the list; go on from the page of the job", admin.ErrInput, clipTo(s, 100))
	}
	return cursor{time.UnixMilli(n), id}, nil
}

// String is empty for the begin.
func (c cursor) String() string {
	if c.id == "" {
		return ""
	}
	return fmt.Sprintf("%d~%s", c.at.UnixMilli(), c.id)
}

// paged is one page of rows behind a cursor, newest first, and where the next one begins; the zero cursor: nowhere. Rows are asked for
// by time alone, so those that have the cursor's time are asked for again, and passed over up to the cursor's own.
func paged[T any](from cursor, query func(before time.Time, limit int) ([]T, error), place func(T) cursor) (rows []T, next cursor, err error) {
	before, limit := time.Time{}, rowsShown+1
	if from.id != "" {
		before, limit = from.at.Add(time.Millisecond), limit+maxTies
	}
	if rows, err = query(before, limit); err != nil {
		return nil, cursor{}, err
	}
	if from.id != "" {
		rows = behind(from, rows, place)
	}
	if len(rows) > rowsShown {
		rows = rows[:rowsShown]
		next = place(rows[rowsShown-1])
	}
	return rows, next, nil
}

// behind is the rows that come after the cursor's. Where that one is gone, those of an earlier time do.
func behind[T any](from cursor, rows []T, place func(T) cursor) []T {
	for i, r := range rows {
		switch at := place(r); {
		case at.id == from.id:
			return rows[i+1:]
		case at.at.Before(from.at):
			return rows[i:]
		}
	}
	return nil
}
