package main

// operatorCommands are the commands that ask and change a ledger.
type operatorCommands struct {
	List     listCmd     `cmd:"" help:"Show the jobs: their state, when they run next and how they last ended."`
	Next     nextCmd     `cmd:"" help:"Show when a job, a schedule, or everything is due next."`
	Run      runCmd      `cmd:"" help:"Run a job once, now."`
	Cancel   cancelCmd   `cmd:"" help:"End a run."`
	Backfill backfillCmd `cmd:"" help:"Run a job for times of its schedule that have passed."`
	Skip     skipCmd     `cmd:"" help:"Pass over the next slot of a job."`
	Pause    pauseCmd    `cmd:"" help:"Keep a job from running on its schedule."`
	Resume   resumeCmd   `cmd:"" help:"Let a paused job go on."`
	Add      addCmd      `cmd:"" help:"Define a job, in jobs.d beside the host file."`
	Edit     editCmd     `cmd:"" help:"Change keys of a job in jobs.d."`
	Rm       rmCmd       `cmd:"" help:"Remove a job from jobs.d."`
	Approve  approveCmd  `cmd:"" help:"Let a job do what its plugin asks for."`
	Deny     denyCmd     `cmd:"" help:"Keep a version of a plugin from running."`
	Grants   grantsCmd   `cmd:"" help:"Show what was decided about plugins, or print it as configuration."`
	History  historyCmd  `cmd:"" help:"Show the runs, or the slots and what became of each."`
	Logs     logsCmd     `cmd:"" help:"Print what a run wrote."`
	Metrics  metricsCmd  `cmd:"" help:"Print what a running host has counted."`
	Audit    auditCmd    `cmd:"" help:"Check the ledger: every slot has exactly one verdict, every claim an owner."`
	Backup   backupCmd   `cmd:"" help:"Write the ledger with all outputs into a file, while hosts run."`
	Restore  restoreCmd  `cmd:"" help:"Put a backup into a state folder that nobody uses."`
}
