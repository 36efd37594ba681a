package proc

import "os/exec"

// OwnGroup has a command start in a process group of its own, so that a terminal's interrupt does not reach it and KillGroup finds all of it.
func OwnGroup(cmd *exec.Cmd) { ownGroup(cmd) }

// KillGroup ends a process group at once, with SIGKILL. One that may not be killed is left to its own end.
func KillGroup(pgid int) { _ = killGroup(pgid) }

// Add has the watcher end a process group that is not of a Set, should this process be killed; Remove takes it off again.
func (w *Watcher) Add(pgid int) { w.add(pgid) }

// Remove is the opposite of Add.
func (w *Watcher) Remove(pgid int) { w.remove(pgid) }
