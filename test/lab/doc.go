// Package lab provisions a laboratory of three hosts from nothing and measures in it: `make lab-test`, as root on Linux.
//
// The hosts are network namespaces on a bridge, each with its own sshd, processes and file system (an overlay over this machine's, from which what is to
// be installed has been removed). Nothing of this machine is changed but for the bridge and the namespaces, and those go at the end, also after a
// failure; the mounts and processes of a host end with its first process.
package lab
