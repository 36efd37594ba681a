// Package target is what a system under test looks like to the laboratory: four verbs (locate the executable and its version, render
// its tuned configuration, start it pinned and wait until it answers, stop it), the same for every system. Each system has a folder of its own with a
// template and a file of a few lines; nothing else knows its peculiarities. A system may have further configurations: the one that is shipped (Shipped), one with everything on
// (Equipped), one for several endpoints (Balancer), one that changes while it runs (Reloader).
//
// It may import harness/proc and the standard library; a system's folder may import this package and harness/proc only. What flows through: a Plan (which
// scenario, which address, which CPUs) goes in, a Running comes out, with the configuration that the report publishes.
//
// Rules for the templates of tuned configurations, so that a comparison is one of programs and not of features: no access log anywhere; the same body; keep-alive to both
// sides with pools larger than any scenario's connections; as many workers as server CPUs, pinned; every proxy adds X-Forwarded-For and
// X-Forwarded-Proto; responses up to 1 MiB never touch a disk; time limits are on. What each system's own documentation advises beyond that is used.
package target
