// Package provision prepares the hosts of a laboratory: it makes an Ansible inventory from a machine's description, and runs the playbook of ansible/.
//
// It may import harness/machine, the YAML writer and the standard library. What flows through: a machine.Spec goes in; an inventory with the settings
// of each host, as files of the kernel and what they should say, comes out; ansible-playbook does the rest.
package provision
