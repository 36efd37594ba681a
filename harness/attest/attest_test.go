package attest

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keys makes a pair through its files.
func keys(t *testing.T) (minisign.PublicKey, minisign.PrivateKey) {
	path := filepath.Join(t.TempDir(), "lab.key")
	require.NoError(t, NewKey(path, ""))
	st, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	require.ErrorIs(t, NewKey(path, ""), os.ErrExist, "a key is never overwritten")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	secret, err := SecretKey(text, "")
	require.NoError(t, err)
	text, err = os.ReadFile(path + ".pub")
	require.NoError(t, err)
	public, err := PublicKey(text)
	require.NoError(t, err)
	return public, secret
}

// The layout of an encrypted key, without the gigabyte of scrypt that a real one takes.
func TestEncryptedKeysNeedTheirPassword(t *testing.T) {
	raw := make([]byte, 158)
	copy(raw, "EdScB2")
	text := "untrusted comment: minisign encrypted secret key\n" + base64.StdEncoding.EncodeToString(raw) + "\n"
	_, err := SecretKey([]byte(text), "")
	require.ErrorContains(t, err, "no password")
}

func TestTamperingIsFound(t *testing.T) {
	public, secret := keys(t)
	other, _ := keys(t)
	write := func(path, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	for want, tamper := range map[string]func(dir string){
		"":                                   func(string) {},
		"a/result.json was changed: its SHA": func(d string) { write(filepath.Join(d, "a/result.json"), "wahr") },
		"a/result.json was changed: 5 bytes": func(d string) { write(filepath.Join(d, "a/result.json"), "false") },
		"b.hlog.gz is missing":               func(d string) { require.NoError(t, os.Remove(filepath.Join(d, "b.hlog.gz"))) },
		"a/c.conf was added":                 func(d string) { write(filepath.Join(d, "a/c.conf"), "x") },
		".h/m/s/result.json was added":       func(d string) { write(filepath.Join(d, ".h/m/s/result.json"), "{}") },
		"a bench was interrupted here":       func(d string) { write(filepath.Join(d, "m/.unfinished.json"), "{}") },
		"nobody attested this directory":     func(d string) { require.NoError(t, os.Remove(filepath.Join(d, ManifestName))) },
		"signature does not fit":             func(d string) { flip(t, filepath.Join(d, ManifestName)) },
		"is no minisign signature":           func(d string) { write(filepath.Join(d, SignatureName), "x") },
		"no such file":                       func(d string) { require.NoError(t, os.Remove(filepath.Join(d, SignatureName))) },
		"binary blitz was changed":           func(d string) { write(d+".blitz", "slow") },
		"no regular file":                    func(d string) { require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(d, "z"))) },
	} {
		t.Run(want, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			write(filepath.Join(dir, "a/result.json"), "true")
			write(filepath.Join(dir, "b.hlog.gz"), "raw")
			write(dir+".blitz", "fast")
			binaries := map[string]string{"blitz": dir + ".blitz"}
			m, err := Make(dir, binaries, time.Unix(1_700_000_000, 0))
			require.NoError(t, err)
			require.Len(t, m.Files, 2)
			require.NoError(t, Write(dir, m, secret))
			tamper(dir)
			_, err = Verify(dir, public, binaries)
			if want == "" {
				require.NoError(t, err)
				_, err = Verify(dir, public, nil)
				require.NoError(t, err, "who has no binaries can check the rest")
				_, err = Verify(dir, public, map[string]string{"nginx": dir + ".blitz"})
				require.ErrorContains(t, err, "binary nginx is not in the manifest, which names blitz")
				_, err = Verify(dir, other, nil)
				assert.ErrorContains(t, err, "another key")
				return
			}
			assert.ErrorContains(t, err, want)
		})
	}
	_, err := Make(t.TempDir(), nil, time.Now())
	assert.ErrorContains(t, err, "nothing to attest")
}

// flip changes one byte of a file.
func flip(t *testing.T, path string) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o644))
}
