package attest

import (
	"bytes"
	"cmp"
	"crypto/rand"
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

	"aead.dev/minisign"
)

// Names of the manifest and its signature in the attested directory.
const (
	ManifestName  = "MANIFEST.json"
	SignatureName = ManifestName + ".minisig"
)

const schema = "blitz.manifest/1"

// Manifest lists files. Binaries are executables outside the directory, by name: their digests say what was measured.
type Manifest struct {
	Schema   string    `json:"schema"`
	Made     time.Time `json:"made"`
	Files    []File    `json:"files"`
	Binaries []File    `json:"binaries,omitempty"`
}

// File is one file: its path with slashes, relative to the directory, or a binary's name.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// unfinished stands beside the results of a bench that was interrupted (harness/lab).
const unfinished = ".unfinished.json"

// Make reads every regular file below dir but the manifest itself, hidden ones as well: a reader of results looks into hidden directories, so what was put there
// must not pass unsigned. A bench that is not finished is not attested.
func Make(dir string, binaries map[string]string, now time.Time) (*Manifest, error) {
	m := &Manifest{Schema: schema, Made: now.UTC().Truncate(time.Second)}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case rel == ".":
			return nil
		case d.Name() == unfinished:
			return fmt.Errorf("%s: a bench was interrupted here: go on with it (blitzlab bench --resume), or remove what it left", filepath.Dir(path))
		case d.IsDir(), rel == ManifestName, rel == SignatureName:
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no regular file", path)
		}
		f, err := digest(path)
		f.Path = rel
		m.Files = append(m.Files, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(m.Files) == 0 {
		return nil, fmt.Errorf("%s holds nothing to attest", dir)
	}
	for name, path := range binaries {
		f, err := digest(path)
		if err != nil {
			return nil, err
		}
		f.Path = name
		m.Binaries = append(m.Binaries, f)
	}
	slices.SortFunc(m.Files, byPath)
	slices.SortFunc(m.Binaries, byPath)
	return m, nil
}

func byPath(a, b File) int { return strings.Compare(a.Path, b.Path) }

func digest(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return File{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// Write stores the manifest and its signature in dir.
func Write(dir string, m *Manifest, key minisign.PrivateKey) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	trusted := fmt.Sprintf("%d files of %s, made %s", len(m.Files), m.Schema, m.Made.Format(time.RFC3339))
	sig := minisign.SignWithComments(key, b, trusted, "signature of "+ManifestName)
	// The signature goes last: without it, or beside an older one, the manifest is not believed.
	if err := os.WriteFile(filepath.Join(dir, ManifestName), b, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, SignatureName), sig, 0o644)
}

// Verify checks signature and files. binaries are executables to check as well, by their names in the manifest. All that is wrong is in the error.
func Verify(dir string, key minisign.PublicKey, binaries map[string]string) (*Manifest, error) {
	b, err := readSigned(dir, ManifestName)
	if err != nil {
		return nil, err
	}
	sig, err := readSigned(dir, SignatureName)
	if err != nil {
		return nil, err
	}
	var parsed minisign.Signature
	if err := parsed.UnmarshalText(sig); err != nil {
		return nil, fmt.Errorf("%s is no minisign signature: %w", SignatureName, err)
	}
	switch {
	case parsed.KeyID != key.ID():
		return nil, fmt.Errorf("signed with another key: %016X, not %016X", parsed.KeyID, key.ID())
	case !minisign.Verify(key, b, sig):
		return nil, fmt.Errorf("the signature does not fit: %s or %s was changed after signing", ManifestName, SignatureName)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	m := &Manifest{}
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	if m.Schema != schema {
		return nil, fmt.Errorf("%s: schema is %q, this program knows %q", ManifestName, m.Schema, schema)
	}
	now, err := Make(dir, binaries, m.Made)
	if err != nil {
		return nil, err
	}
	return m, errors.Join(append(compare(m.Files, now.Files), compareBinaries(m.Binaries, now.Binaries)...)...)
}

func readSigned(dir, name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: nobody attested this directory (blitzlab attest), or the file was taken away", err)
	}
	return b, err
}

// compare says what is not as it was.
func compare(was, is []File) (wrong []error) {
	index := map[string]File{}
	for _, f := range is {
		index[f.Path] = f
	}
	for _, f := range was {
		g, ok := index[f.Path]
		delete(index, f.Path)
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s is missing", f.Path))
		} else if err := changed(f, g); err != nil {
			wrong = append(wrong, fmt.Errorf("%s %w", f.Path, err))
		}
	}
	for _, f := range is {
		if _, left := index[f.Path]; left {
			wrong = append(wrong, fmt.Errorf("%s was added after signing", f.Path))
		}
	}
	return wrong
}

// compareBinaries looks at those that are there: who has none can check the rest.
func compareBinaries(was, is []File) (wrong []error) {
	var names []string
	signed := map[string]File{}
	for _, f := range was {
		names, signed[f.Path] = append(names, f.Path), f
	}
	for _, g := range is {
		f, ok := signed[g.Path]
		if !ok {
			wrong = append(wrong, fmt.Errorf("binary %s is not in the manifest, which names %s", g.Path, cmp.Or(strings.Join(names, ", "), "none")))
		} else if err := changed(f, g); err != nil {
			wrong = append(wrong, fmt.Errorf("binary %s %w", g.Path, err))
		}
	}
	return wrong
}

func changed(was, is File) error {
	switch {
	case is.SHA256 == was.SHA256:
		return nil
	case is.Size != was.Size:
		return fmt.Errorf("was changed: %d bytes, %d were signed", is.Size, was.Size)
	}
	return errors.New("was changed: its SHA-256 is not the signed one")
}

// NewKey writes a pair to path (the secret one, for its owner alone, encrypted if there is a password) and path.pub. It never overwrites one.
func NewKey(path, password string) error {
	for _, name := range []string{path, path + ".pub"} {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("%s: %w", name, os.ErrExist)
		}
	}
	pub, secret, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	text, err := secret.MarshalText()
	if password != "" {
		text, err = minisign.EncryptKey(password, secret)
	}
	if err != nil {
		return err
	}
	open, err := pub.MarshalText()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
		mode os.FileMode
	}{{path, text, 0o600}, {path + ".pub", open, 0o644}} {
		out, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
		if err != nil {
			return err
		}
		_, err = out.Write(append(f.text, '\n'))
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
	return nil
}

// SecretKey reads a secret key's text, with a password if it is encrypted.
func SecretKey(text []byte, password string) (k minisign.PrivateKey, err error) {
	text = bytes.TrimSpace(text)
	if minisign.IsEncrypted(text) {
		if password == "" {
			return k, errors.New("the key is encrypted and there is no password")
		}
		return minisign.DecryptKey(password, text)
	}
	return k, k.UnmarshalText(text)
}

// PublicKey reads a public key's text: a file of minisign's, or its second line alone.
func PublicKey(text []byte) (k minisign.PublicKey, err error) {
	return k, k.UnmarshalText(bytes.TrimSpace(text))
}
