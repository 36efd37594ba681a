// Package fleet reaches the hosts of a laboratory that has more than one: it starts an agent on each, over ssh or on this machine, calls it, and
// measures how far its clock is from ours.
//
// It may import the standard library and harness/proc; it knows nothing of scenarios or targets: what an agent can do is the service that it was
// given. What flows through: calls and answers as JSON (net/rpc) over the standard input and output of the agent. When the input ends, for whatever
// reason (the run is over, the coordinator was killed, the network is gone), the agent ends, and with it everything that it started: nothing has to be
// found and killed by name afterwards.
package fleet
