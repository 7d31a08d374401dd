// Package schedule turns the text of a schedule into the times at which a job is due: Parse reads the text once, Spec.Next
// answers with the first time strictly after a given one.
// It does not know what time it is, what a job is, or what is done when a time comes: it reads no clock and keeps no state.
//
// # Texts
//
//	0 9 * * MON-FRI              five fields: minute, hour, day of month, month, day of week
//	*/10 * * * * *               six fields: seconds come first
//	0 0 0 1 1 * 2027-2030        seven fields: years come last (1970-2099)
//	0 18 L * *                   L last day, LW last weekday, 15W weekday nearest the 15th
//	0 18 * * 5L                  last Friday; 5#2 is the second Friday
//	H H(0-5) * * *               H is a value that is fixed by the job's name; H/15 and H(0-29)/10 are steps from such a value
//	@hourly @daily @midnight @weekly @monthly @yearly @annually
//	@every 90s                   a grid of elapsed time, at least one second wide
//	@at 2026-12-24T18:00:00      once, in the spec's zone; RFC 3339 with an offset also
//	@in 20m                      once, counted from Options.Anchor or else Options.Now
//	@reboot                      no times; Spec.Reboot says that a host is to run the job once when it starts
//	CRON_TZ=Europe/Berlin ...    any of these in a zone of its own (TZ= also)
//	DST=skip ...                 any of these with a policy of its own for clock changes: once, skip or both
//
// Several of these, one a line or with semicolons between, are a list: it is due whenever one of them is, once where they meet.
//
// Names (JAN, MON) are read in any case; 0 and 7 are Sunday, so FRI-SUN is 5-7. A question mark is read as * in the two day
// fields. Ranges do not wrap. When both day fields are restricted a day needs to match one of them; when either begins with *
// it must match both, as in cron(8). H in the day of month stays within 1-28, so that it names a day of every month.
//
// # Clock changes
//
// A job is interval-like when its minute or hour field begins with *, and fixed-time otherwise; the seconds field never
// decides. An interval-like job is due whenever the wall clock matches, in both passes of a repeated hour. A fixed-time job is
// due once right after a skipped stretch that holds any of its times, and only in the first pass of a repeated stretch.
// The policy Skip drops the times of a skipped stretch; Both counts the second pass of a repeated one as well.
// Changes of more than three hours are corrections of the zone and are not compensated. Therefore "*/30 2 * * *" does not run
// on the day that skips 02:00 to 03:00, and "30 1-9 * * *" runs once at 01:30 on the day that repeats it.
// Several times of one expression in a skipped stretch are one run; cronie starts one for each. An @at in a skipped stretch is due
// right after it, in a repeated one the first time. Spec.Explain says what a clock change did; docs/schedules.md has a table.
//
// Zone rules come with the binary (time/tzdata); the time package prefers a copy on the machine where there is one.
//
// # The engine and what is kept away from it
//
// github.com/adhocore/gronx v1.20.4 is the grammar: its SegmentChecker says, for one field and one value, whether the two
// match. It is asked once, at Parse, on UTC times that stand for wall clocks, and fills bitsets; the search over fields and
// over the zone's offsets is this package's own. The following of it is not used:
//
//   - IsValid and IsDue: a field is checked only as far as needed at that minute, so "17,99 * * * *" is valid at :17 and
//     invalid at :16. A strict check of every value comes first here.
//   - NextTickAfter with a zone that changes its clocks: it can return its argument, fail for weeks, or lose the first pass of
//     a repeated hour. In UTC it is right, but an impossible date such as "0 0 31 2 *" takes tens of milliseconds.
//   - PrevTickBefore, BatchDue (ignores the rule for two day fields), AddTag (a global map without a lock), and the macros
//     (no @midnight, and @always and others that are not cron's).
//   - Names: the engine replaces them in the whole text, so that JAN is a day of the week. It sees numbers only.
//   - "5/15" (cron refuses it), reversed ranges and values such as 5#6 or 0W, which it takes and never matches.
//   - A day of the week that begins with * inside a list ("*,1"), which it does not treat as a star.
//   - Years with */n, which it counts from 0; it is given the range 1970-2099/n. LW, which it lacks; it is given the
//     weekday nearest the month's last day.
//
// The division of labour: the engine decides which values a field means, and for L, W and # which days of each of the 28 shapes that a
// month can have. What is due when is arithmetic on the bits that come of it.
//
// time.Time.ZoneBounds can end before its argument on the last day of a leap year (golang/go#81583); the walk over offsets
// guards against it.
package schedule
