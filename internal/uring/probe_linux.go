package uring

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FeatureError says that the kernel lacks a feature, or does not let this process use it. It is what Available and
// NewRing return.
type FeatureError struct {
	Feature string // what is missing
	Since   string // first version of Linux that has it
	Hint    string // the probable cause, in words
	Err     error  // the errno, if there was one
}

func (e *FeatureError) Error() string {
	var b strings.Builder
	b.WriteString(e.Feature)
	b.WriteString(" is not available")
	if e.Hint != "" {
		b.WriteString(": " + e.Hint)
	} else {
		fmt.Fprintf(&b, ": it needs Linux %s or later, this is %s", e.Since, kernelRelease())
	}
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	return b.String()
}

// Unwrap returns the errno.
func (e *FeatureError) Unwrap() error { return e.Err }

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "an unknown version"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// explainSetup turns the failure to make a ring into words.
func explainSetup(err error) error {
	f := &FeatureError{Feature: "io_uring", Since: "5.1", Err: err}
	switch {
	case errors.Is(err, unix.ENOSYS):
		f.Hint = "the kernel was built without it or is older than 5.1, or a seccomp profile hides it"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		switch disabled := sysctl("kernel/io_uring_disabled"); disabled {
		case "1":
			f.Hint = "the sysctl kernel.io_uring_disabled is 1: only members of kernel.io_uring_group and CAP_SYS_ADMIN may use it"
		case "2":
			f.Hint = "the sysctl kernel.io_uring_disabled is 2: it is switched off for everybody"
		default:
			f.Hint = "a seccomp profile probably forbids it (Docker's and containerd's default profiles do), or a " +
				"security module"
		}
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		f.Hint = "too many open files: raise the limit (ulimit -n)"
	case errors.Is(err, unix.ENOMEM):
		f.Hint = "not enough memory, or the limit of locked memory (ulimit -l) is too low"
	}
	return f
}

// sysctl reads a value below /proc/sys, "" when it is not there.
func sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// feature is something the loop cannot do without.
type feature struct {
	name  string
	since string
	works func(r *Ring) error
}

// features in the order of their age.
var features = []feature{
	{"io_uring operation accept", "5.5", hasOpcode(OpcodeAccept)},
	{"io_uring operation async cancel", "5.5", hasOpcode(OpcodeAsyncCancel)},
	{"io_uring operation connect", "5.5", hasOpcode(OpcodeConnect)},
	{"io_uring operation close", "5.6", hasOpcode(OpcodeClose)},
	{"io_uring operation send", "5.6", hasOpcode(OpcodeSend)},
	{"io_uring operation receive", "5.6", hasOpcode(OpcodeRecv)},
	{"io_uring ring of provided buffers", "5.19", bufRingWorks},
	{"io_uring multishot receive", "6.0", multishotWorks},
}

// Available tells whether this process can run the loop on io_uring: nil, or a *FeatureError. The answer is found
// once, with a small ring of its own, and remembered.
var Available = sync.OnceValue(func() error { return available(sysSetup, features) })

func available(call setupCall, list []feature) error {
	// A ring is registered with, and belongs to, the thread that enables it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := newRing(Config{Entries: 8}, call)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Enable(); err != nil {
		return explainSetup(err)
	}
	for _, f := range list {
		if err := f.works(r); err != nil {
			return &FeatureError{Feature: f.name, Since: f.since, Err: err}
		}
	}
	return nil
}

func hasOpcode(op uint8) func(*Ring) error {
	return func(r *Ring) error {
		var p probe
		if errno := r.kernel.Register(RegisterProbe, unsafe.Pointer(&p), uint32(len(p.ops))); errno != 0 {
			return errno
		}
		if p.ops[op].flags&probeOpSupported == 0 {
			return unix.EOPNOTSUPP
		}
		return nil
	}
}

func bufRingWorks(r *Ring) error {
	b, err := r.NewBufRing(probeGroup, 2, 64)
	if err != nil {
		return err
	}
	b.Free()
	return nil
}

const probeGroup = 1

// multishotWorks receives one byte: the kernel has no flag that tells whether it knows the multishot receive.
func multishotWorks(r *Ring) error {
	const group = probeGroup + 1
	b, err := r.NewBufRing(group, 2, 64)
	if err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Free()
		return err
	}
	// The receive is still armed when we leave. The ring, which the caller closes, forgets it before the memory is
	// used again for something else only if it has ended: so end it with the peer.
	defer func() {
		unix.Close(pair[0])
		b.Free()
	}()
	_, err = unix.Write(pair[1], []byte{1})
	r.SQE().RecvMulti(MakeCookie(OpRecv, 1), pair[0], group)
	if err == nil {
		err = r.firstResult(1)
	}
	unix.Close(pair[1])
	if err == nil {
		err = r.firstResult(0)
	}
	return err
}

// firstResult waits up to a second for a completion and checks its result.
func (r *Ring) firstResult(want int32) error {
	const patience = 1_000_000_000
	if err := r.Wait(patience); err != nil {
		return err
	}
	if r.Completions() == 0 {
		return unix.ETIME
	}
	c := *r.CQE(0)
	r.Seen(1)
	if c.Res < 0 {
		return unix.Errno(-c.Res)
	}
	if c.Res != want || c.More() != (want > 0) {
		return unix.EOPNOTSUPP
	}
	return nil
}
