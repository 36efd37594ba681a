// Package machine knows what the laboratory runs on: a machine's description from machines/*.yaml, its observed fingerprint, CPU sets
// for each role, and the checks of `blitzlab doctor`.
//
// It may import the standard library, x/sys, the YAML reader and an ethtool library; nothing of ours. What flows through: a Spec (what a machine should be)
// is read from YAML, a Fingerprint (what it is) from the kernel's own files and from its network cards, and Doctor compares and explains. A fingerprint carries no host
// name, no address and no serial number: it is published.
package machine
