package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

const readBusy = 5 * time.Second // a reader waits only for the recovery of a database that was left open by a crash

// conn is one SQLite connection and its prepared statements. It is not safe for concurrent use.
type conn struct {
	db    *sqlite3.Conn
	stmts map[string]*sqlite3.Stmt
}

// openConn opens the existing database file and sets what every connection needs.
func openConn(path string, cfg Config, reader bool) (*conn, error) {
	flags, busy := sqlite3.OPEN_READWRITE, cfg.LockWait
	if reader {
		busy = readBusy
	}
	if cfg.ReadOnly {
		flags = sqlite3.OPEN_READONLY
	}
	db, err := sqlite3.OpenFlags(fileURI(path, cfg.vfs), flags|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	c := &conn{db: db, stmts: make(map[string]*sqlite3.Stmt)}
	if err := c.setUp(busy, reader); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// fileURI names the file so that a journal of it gets the mode of the database itself.
func fileURI(path, vfs string) string {
	p := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		p = "/" + p
	}
	// SQLite reads %20 as a space, and a + as itself.
	modeof := strings.ReplaceAll(url.QueryEscape(path), "+", "%20")
	u := url.URL{Scheme: "file", OmitHost: true, Path: p, RawQuery: "modeof=" + modeof}
	if vfs != "" {
		u.RawQuery += "&vfs=" + vfs
	}
	return u.String()
}

func (c *conn) setUp(busy time.Duration, reader bool) error {
	if err := c.db.BusyTimeout(busy); err != nil {
		return err
	}
	for _, q := range []string{
		"PRAGMA synchronous = FULL",
		"PRAGMA temp_store = MEMORY",
		"PRAGMA cell_size_check = ON",
		"PRAGMA trusted_schema = OFF",
		"PRAGMA journal_size_limit = 67108864",
	} {
		if err := c.db.Exec(q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	// FULL is 2. Some builds of SQLite fall back to NORMAL in WAL mode, which loses acknowledged commits with the power.
	if level, err := c.number("PRAGMA synchronous"); err != nil {
		return fmt.Errorf("read back synchronous: %w", err)
	} else if level != 2 {
		return fmt.Errorf("synchronous is %d though FULL was set: this build of SQLite would lose commits with the power", level)
	}
	if reader {
		return c.db.Exec("PRAGMA query_only = ON")
	}
	// The log and its index keep their mode over a restart only when they keep existing.
	_, err := c.db.FileControl("main", sqlite3.FCNTL_PERSIST_WAL, true)
	return err
}

func (c *conn) close() error {
	for _, st := range c.stmts {
		_ = st.Close() // it repeats the error of the statement's last step, which was reported then
	}
	clear(c.stmts)
	return c.db.Close()
}

// stmt prepares a statement once.
func (c *conn) stmt(query string) (*sqlite3.Stmt, error) {
	if st := c.stmts[query]; st != nil {
		return st, nil
	}
	st, _, err := c.db.PrepareFlags(query, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = st
	return st, nil
}

// exec runs a statement that answers no rows, and tells how many it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	st, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	if err := bind(st, args); err != nil {
		return 0, err
	}
	if err := st.Exec(); err != nil {
		return 0, err
	}
	return c.db.Changes(), nil
}

// each calls row for each row of the answer. row must not run the same query.
func (c *conn) each(row func(*sqlite3.Stmt) error, query string, args ...any) error {
	st, err := c.stmt(query)
	if err != nil {
		return err
	}
	if err := bind(st, args); err != nil {
		return err
	}
	for st.Step() {
		if err := row(st); err != nil {
			return errors.Join(err, st.Reset())
		}
	}
	return st.Reset()
}

// one calls row for the only row of the answer, and tells whether there is one.
func (c *conn) one(row func(*sqlite3.Stmt), query string, args ...any) (bool, error) {
	found := false
	err := c.each(func(st *sqlite3.Stmt) error {
		row(st)
		found = true
		return nil
	}, query, args...)
	return found, err
}

// number answers the first column of the first row; 0 when there is none.
func (c *conn) number(query string, args ...any) (int64, error) {
	var n int64
	_, err := c.one(func(st *sqlite3.Stmt) { n = st.ColumnInt64(0) }, query, args...)
	return n, err
}

// snapshot runs fn in a read transaction that ctx interrupts.
func (c *conn) snapshot(ctx context.Context, fn func(*conn) error) (err error) {
	if _, err := c.exec("BEGIN"); err != nil {
		return err
	}
	c.db.SetInterrupt(ctx)
	defer func() {
		c.db.SetInterrupt(context.Background())
		_, end := c.exec("ROLLBACK")
		err = errors.Join(err, end)
	}()
	return fn(c)
}

func bind(st *sqlite3.Stmt, args []any) error {
	for i, arg := range args {
		var err error
		switch v := arg.(type) {
		case string:
			err = st.BindText(i+1, v)
		case int64:
			err = st.BindInt64(i+1, v)
		case int:
			err = st.BindInt(i+1, v)
		case bool:
			err = st.BindBool(i+1, v)
		case time.Time:
			err = st.BindInt64(i+1, millis(v))
		case []byte:
			if v == nil {
				err = st.BindNull(i + 1)
			} else {
				err = st.BindBlob(i+1, v)
			}
		case *int64:
			if v == nil {
				err = st.BindNull(i + 1)
			} else {
				err = st.BindInt64(i+1, *v)
			}
		default:
			err = fmt.Errorf("parameter %d has no binding for %T", i+1, arg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// millis is how a time is stored: milliseconds since 1970, and 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// same compares times as the store keeps them.
func same(a, b time.Time) bool { return millis(a) == millis(b) }
