package main

// operatorCommands are the commands that ask and change a ledger.
type operatorCommands struct{}
