package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
)

// ErrNoAnsible says that there is no ansible-playbook here.
var ErrNoAnsible = errors.New("ansible-playbook is not installed (Debian: apt-get install ansible-core)")

// Run writes the inventory and plays ansible/site.yml of the checkout at root. Ansible's own output goes to out.
func Run(ctx context.Context, root string, s machine.Spec, o Options, out io.Writer) (err error) {
	play, err := exec.LookPath("ansible-playbook")
	if err != nil {
		return ErrNoAnsible
	}
	inventory, err := Inventory(s, o)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "blitzlab-provision-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, s.Name+".yaml")
	if err := os.WriteFile(file, inventory, 0o600); err != nil {
		return err
	}
	args := []string{"-i", file, "site.yml"}
	if o.Check {
		args = append(args, "--check", "--diff")
	}
	tags := o.Tags
	if o.Undo && len(tags) == 0 {
		tags = []string{"tuning"}
	}
	if len(tags) > 0 {
		args = append(args, "--tags", strings.Join(tags, ","))
	}
	cmd := exec.CommandContext(ctx, play, args...)
	cmd.Dir = filepath.Join(root, "ansible")
	// ANSIBLE_CONFIG: a directory that others may write to is not searched for one. The rest of the environment is the caller's.
	cmd.Env = append(os.Environ(), "ANSIBLE_CONFIG="+filepath.Join(root, "ansible", "ansible.cfg"), "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = out, out
	// Ansible ends its children when it is asked to; it gets the time for that.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ansible-playbook %s: %w", strings.Join(args[2:], " "), err)
	}
	return ctx.Err()
}
