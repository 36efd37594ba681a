package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/blitz-gateway/blitz/harness/attest"
)

// attestCmd is `blitzlab attest`.
type attestCmd struct {
	Dir    string   `arg:"" optional:"" type:"existingdir" help:"Directory of results to attest, such as results/DATE."`
	Key    string   `env:"BLITZLAB_KEY_FILE" help:"File with the secret key in minisign's format; without it the key itself is taken from BLITZLAB_KEY. An encrypted one needs BLITZLAB_KEY_PASSWORD." placeholder:"FILE"`
	NewKey string   `help:"Make a pair instead: FILE and FILE.pub, encrypted with BLITZLAB_KEY_PASSWORD if that is set." placeholder:"FILE"`
	Binary []string `sep:"none" type:"existingfile" help:"Executable whose digest goes into the manifest; repeatable." placeholder:"FILE"`
}

// Run implements the command.
func (c *attestCmd) Run() error {
	password := os.Getenv("BLITZLAB_KEY_PASSWORD")
	if c.NewKey != "" {
		if err := attest.NewKey(c.NewKey, password); err != nil {
			return err
		}
		say(fmt.Sprintf("%s is the secret key: keep it; %s.pub is for everybody", c.NewKey, c.NewKey))
		return nil
	}
	if c.Dir == "" {
		return errors.New("say which directory to attest")
	}
	text := []byte(os.Getenv("BLITZLAB_KEY"))
	if c.Key != "" {
		var err error
		if text, err = os.ReadFile(c.Key); err != nil {
			return err
		}
	}
	if len(text) == 0 {
		return errors.New("no key: --key FILE or BLITZLAB_KEY")
	}
	key, err := attest.SecretKey(text, password)
	if err != nil {
		return err
	}
	m, err := attest.Make(c.Dir, byName(c.Binary), time.Now())
	if err != nil {
		return err
	}
	if err := attest.Write(c.Dir, m, key); err != nil {
		return err
	}
	say(fmt.Sprintf("attested: %d files and %d binaries in %s", len(m.Files), len(m.Binaries), filepath.Join(c.Dir, attest.ManifestName)))
	return nil
}

func byName(paths []string) map[string]string {
	out := map[string]string{}
	for _, p := range paths {
		out[filepath.Base(p)] = p
	}
	return out
}

// verifyCmd is `blitzlab verify`.
type verifyCmd struct {
	Dir    string   `arg:"" type:"existingdir" help:"Directory of results with a manifest and its signature."`
	Key    string   `env:"BLITZLAB_PUBLIC_KEY_FILE" help:"File with the public key; without it the key itself is taken from BLITZLAB_PUBLIC_KEY." placeholder:"FILE"`
	Binary []string `sep:"none" type:"existingfile" help:"Executable to compare with the manifest as well; repeatable." placeholder:"FILE"`
}

// Run implements the command: exit code 1 if something was changed.
func (c *verifyCmd) Run() error {
	text := []byte(os.Getenv("BLITZLAB_PUBLIC_KEY"))
	if c.Key != "" {
		var err error
		if text, err = os.ReadFile(c.Key); err != nil {
			return err
		}
	}
	if len(text) == 0 {
		return errors.New("no key: --key FILE or BLITZLAB_PUBLIC_KEY")
	}
	key, err := attest.PublicKey(text)
	if err != nil {
		return err
	}
	m, err := attest.Verify(c.Dir, key, byName(c.Binary))
	if err != nil {
		say(fmt.Sprintf("blitzlab: not as it was signed: %v", err))
		return exitCode(1)
	}
	say(fmt.Sprintf("verified: %d files as they were signed on %s by key %016X", len(m.Files), m.Made.Format(time.DateOnly), key.ID()))
	return nil
}
