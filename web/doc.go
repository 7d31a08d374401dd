// Package web is the dashboard: pages for a browser that show the jobs of a host and their runs. It does not know how a host works, nor
// how it is asked: all that it shows comes from an admin.API, and nothing that it is sent changes anything.
//
// # The pages
//
//	GET /                       the host, and the jobs a page at a time: ?after=NAME
//	GET /jobs/NAME              a job: its definition, what became of its slots, its runs: ?slots=CURSOR, ?runs=CURSOR
//	GET /runs/ID                a run, and the begin and the end of its output
//	GET /runs/ID/output         the output as it is, as a file
//	GET /style.css, /script.js, /icon.svg
//
// They are whole without JavaScript. With it the parts that carry the attribute data-live are brought up to date every two seconds, by
// asking for the same page again: there is no second form of an answer that could say something else.
//
// # Whom it trusts
//
// Nobody. The names, the outputs and the reasons come from guests and their authors: the templates escape them, what would move a cursor or
// turn a line around is shown as a sign ([harmless]), and the policy that goes with each page forbids any script and any style but the
// dashboard's own. Who asks is not known either: only loopback addresses are meant to be listened on, and a question that names another host
// than loopback or one of Config.Hosts is refused, so that no page on the web can read this one by pointing its own name here. Each
// answer is bounded in rows, in bytes and in time, and so is how many are made at once.
package web
