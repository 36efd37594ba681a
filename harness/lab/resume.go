package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
)

// unfinishedName is the file that stands beside the results of a bench as long as it is not finished.
const unfinishedName = ".unfinished.json"

const unfinishedSchema = "blitz.unfinished/1"

// Unfinished is what a bench leaves beside its results until it is finished, so that it can be resumed.
type Unfinished struct {
	Schema   string    `json:"schema"`
	Started  time.Time `json:"started"`
	Seed     uint64    `json:"seed"`
	Command  string    `json:"command"`
	Revision string    `json:"revision,omitempty"`
	// Flags are the command's own, as it wrote them.
	Flags   json.RawMessage `json:"flags"`
	Profile Profile         `json:"profile"`
	// Scenarios and Targets by name; Binaries are the SHA-256 of the executables that are measured or measure.
	Scenarios   []string            `json:"scenarios"`
	Targets     []string            `json:"targets"`
	Binaries    map[string]string   `json:"binaries"`
	Machine     string              `json:"machine"`
	Fingerprint machine.Fingerprint `json:"fingerprint"`
}

// ReadUnfinished reads what an interrupted bench left in its directory.
func ReadUnfinished(dir string) (*Unfinished, error) {
	b, err := os.ReadFile(filepath.Join(dir, unfinishedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no interrupted bench: a finished one has nothing to resume", dir)
	}
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	u := &Unfinished{}
	if err := dec.Decode(u); err != nil {
		return nil, fmt.Errorf("%s: damaged (%w): begin anew without --resume", filepath.Join(dir, unfinishedName), err)
	}
	if u.Schema != unfinishedSchema {
		return nil, fmt.Errorf("%s: schema is %q, this program knows %q", filepath.Join(dir, unfinishedName), u.Schema, unfinishedSchema)
	}
	return u, nil
}

func (u *Unfinished) write(dir string) error {
	b, err := json.MarshalIndent(u, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(dir, unfinishedName+".new")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, unfinishedName))
}

// same tells why a bench must not go on as a part of the other one: figures of one run come from one machine, one set of executables, one plan. The
// machine is held to what a quarantine is, so that a run that was killed before it set the congestion control back can go on, and one whose VM has
// been moved to another CPU meanwhile cannot.
func (u *Unfinished) same(now *Unfinished) error {
	changed := u.Fingerprint.Changes(now.Fingerprint)
	if a, b := u.Fingerprint.GoVersion, now.Fingerprint.GoVersion; a != b {
		changed = append(changed, fmt.Sprintf("Go was %s, is %s", a, b))
	}
	switch {
	case u.Machine != now.Machine:
		return fmt.Errorf("the machine was %s and is now %s", u.Machine, now.Machine)
	case len(changed) > 0:
		return fmt.Errorf("the machine is not in the state that the interrupted bench ran on: %s", strings.Join(changed, "; "))
	case !slices.Equal(u.Targets, now.Targets):
		return fmt.Errorf("the targets were %s and are now %s", strings.Join(u.Targets, ", "), strings.Join(now.Targets, ", "))
	case !slices.Equal(u.Scenarios, now.Scenarios) || u.Profile != now.Profile || u.Seed != now.Seed:
		return errors.New("the plan is another one")
	case u.Revision != now.Revision:
		return fmt.Errorf("the revision was %s and is now %s", u.Revision, now.Revision)
	}
	for name, sum := range u.Binaries {
		if now.Binaries[name] != sum {
			return fmt.Errorf("the executable of %s is another one", name)
		}
	}
	return nil
}

// finished reads which scenarios are done, and removes what was being written when the bench was interrupted.
func (u *Unfinished) finished(dir string) (map[string]*result.Result, error) {
	half, err := filepath.Glob(filepath.Join(dir, ".*.*"))
	if err != nil {
		return nil, err
	}
	for _, h := range half {
		if st, err := os.Stat(h); err == nil && st.IsDir() {
			if err := os.RemoveAll(h); err != nil {
				return nil, err
			}
		}
	}
	done := map[string]*result.Result{}
	for _, name := range u.Scenarios {
		r, err := result.Read(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			if _, e := os.Stat(filepath.Join(dir, name)); errors.Is(e, fs.ErrNotExist) {
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("cannot resume: %w; remove %s to have it measured again", err, filepath.Join(dir, name))
		}
		if !r.Run.Started.Equal(u.Started) {
			return nil, fmt.Errorf("cannot resume: %s is of another run", filepath.Join(dir, name))
		}
		done[name] = r
	}
	return done, nil
}

// fileSum is the SHA-256 of a file.
func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sweep removes scratch directories of laboratories that were killed. The caller holds the lock, so none is in use.
func sweep() error {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), "blitzlab-[0-9]*"))
	if err != nil {
		return err
	}
	for _, dir := range old {
		if st, e := os.Stat(dir); e == nil && st.IsDir() {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}
